"""Calls that a Vosk server hears in Deepgram's place: two sockets, one clock, and no word lost where one breaks."""

import pytest

from bridge.local.script import CodedRecognizers
from bridge.local.vosk import LocalVosk, VoskFaults
from tests.end_to_end.test_losses import of_type, spoken, until_ended, words
from tests.fakes.running import SCRIPT, WEBHOOK_SECRET, bridge, settings
from tests.fakes.talk import play


@pytest.fixture
async def server():
    async with LocalVosk(CodedRecognizers(SCRIPT)) as local:
        yield local


@pytest.fixture
def configured(tmp_path, server, receiver):
    given = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "bridge_vosk_url": server.url}
    return settings(tmp_path, "ws://127.0.0.1:9", deepgram_api_key=None, **given)


async def test_every_word_is_heard_on_its_channel_at_its_time(configured, server, receiver):
    async with bridge(configured) as origin:
        await play(origin)
        await until_ended(receiver)
    (ended,) = of_type(receiver, "call.ended")

    assert words(receiver) == spoken()
    assert (ended["flush"], ended["missing"]) == ("complete", 0.0)
    assert [request["model"] for request in ended["requests"]] == ["vosk"] * 2
    assert {turn["ended_by"] for turn in of_type(receiver, "utterance.completed")} <= {"pause", "call_end"}


async def test_sockets_that_break_cost_and_double_no_word(configured, server, receiver):
    server.faults = VoskFaults(first=2, drop_after=5.0)
    async with bridge(configured) as origin:
        await play(origin)
        await until_ended(receiver)
    (ended,) = of_type(receiver, "call.ended")

    assert words(receiver) == spoken()
    assert (ended["flush"], len(ended["requests"])) == ("complete", 4)


async def test_what_no_server_heard_in_the_call_one_hears_after_it(tmp_path, receiver):
    server = LocalVosk(CodedRecognizers(SCRIPT))
    async with server:
        pass  # it has a port, and is not there
    given = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "bridge_vosk_url": server.url}
    given |= {"bridge_flush_timeout": 0.2}
    async with bridge(settings(tmp_path, "ws://127.0.0.1:9", deepgram_api_key=None, **given)) as origin:
        await play(origin)
        await until_ended(receiver)
        async with server:
            await receiver.until(lambda: of_type(receiver, "transcription.backfilled"), 60)
    (backfilled,) = of_type(receiver, "transcription.backfilled")

    assert words(receiver) == spoken()
    assert (backfilled["model"], backfilled["waiting"]) == ("vosk", 0.0)
