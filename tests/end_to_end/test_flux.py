"""Calls that Flux hears: a socket for each channel, its turns as ours, and no word lost where one of them breaks."""

import asyncio

import pytest

from bridge.local.deepgram import Faults
from tests.end_to_end.test_losses import of_type, spoken, until_ended, words
from tests.fakes.running import WEBHOOK_SECRET, bridge, settings
from tests.fakes.talk import play


@pytest.fixture
def configured(tmp_path, server, receiver):
    asked = "model=flux-general-en&eager_eot_threshold=0.4&endpointing=500"
    given = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "webhook_interim": True}
    return settings(tmp_path, server.url, deepgram_options=asked, **given)


async def test_every_word_is_heard_on_its_channel_at_its_time_and_turns_are_ours(configured, server, receiver):
    async with bridge(configured) as origin:
        await play(origin)
        await until_ended(receiver)
    (ended,) = of_type(receiver, "call.ended")
    turns = of_type(receiver, "utterance.completed")

    assert words(receiver) == spoken()
    assert (ended["flush"], ended["missing"]) == ("complete", 0.0)
    assert [request["model"] for request in ended["requests"]] == ["flux-general-en"] * 2
    assert {turn["track"] for turn in turns} == {"inbound", "outbound"}
    assert "pause" in {turn["ended_by"] for turn in turns}
    assert {final["language"] for final in of_type(receiver, "transcript.final")} == {"en"}
    for connection in server.connections:
        assert dict(connection.query).keys() == {
            *("model", "encoding", "sample_rate", "eager_eot_threshold"),
        }
    assert receiver.order.violations == []


async def test_a_socket_that_breaks_costs_and_doubles_no_word(configured, server, receiver):
    server.faults = Faults(first=2, drop_after=5.0)
    async with bridge(configured) as origin:
        await play(origin)
        await until_ended(receiver)
    (ended,) = of_type(receiver, "call.ended")

    assert words(receiver) == spoken()
    assert (ended["flush"], len(ended["requests"])) == ("complete", 4)
    assert len(of_type(receiver, "transcription.resumed")) >= 1


async def test_what_no_socket_would_take_is_transcribed_by_the_nearest_model(configured, server, receiver):
    server.faults = Faults(refuse=503)
    async with bridge(configured.model_copy(update={"bridge_flush_timeout": 0.2})) as origin:
        await play(origin)
        await until_ended(receiver)
        server.faults = Faults()
        await receiver.until(lambda: of_type(receiver, "transcription.backfilled"), 60)
    (backfilled,) = of_type(receiver, "transcription.backfilled")

    assert words(receiver) == spoken()
    assert "nova-3" in backfilled["model"]


async def test_early_ends_reach_the_webhook_as_interims_do(configured, server, receiver):
    async with bridge(configured.model_copy(update={"bridge_replay_speed": 5.0})) as origin:
        playing = asyncio.create_task(play(origin))
        calls = receiver.calls
        await receiver.until(lambda: any("turn.eager_end" in str(call.interims) for call in calls.values()), 60)
        await playing
        await until_ended(receiver)
    (call,) = calls.values()
    (early, *_) = [one["data"] for one in call.interims if one["type"] == "turn.eager_end"]
    (final,) = [one for one in of_type(receiver, "transcript.final") if one["segment_id"] == early["segment_id"]]

    assert 0.4 <= early["confidence"] < 0.7
    assert final["text"].startswith(early["text"])
