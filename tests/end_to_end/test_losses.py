"""What breaks while a call goes on, from the carrier's socket to the webhook: no word is missing, none comes twice."""

import asyncio
import json

import pytest

from bridge import app
from bridge.local.deepgram import Faults
from tests.fakes import frames
from tests.fakes.running import SCRIPT, WEBHOOK_SECRET, bridge, settings
from tests.fakes.talk import play
from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest
from twiml import signature

PART = 5.76
HALF = round(PART * 8000)
"""Octets of one track, to a pause in both."""


@pytest.fixture
def configured(tmp_path, server, receiver):
    return settings(tmp_path, server.url, webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET)


def of_type(receiver, kind):
    return [event["data"] for event in receiver.events(frames.CALL) if event["type"] == kind]


def words(receiver):
    """What finals said, by channel, in the order of the call."""
    finals = of_type(receiver, "transcript.final")
    return [
        sorted(
            (word["start"], word["end"], word["word"]) for f in finals if f["channel"] == channel for word in f["words"]
        )
        for channel in (0, 1)
    ]


def spoken(start=0.0, end=99.0):
    return [
        [(word.start, word.end, word.word) for word in words if start <= word.start and word.end <= end]
        for words in SCRIPT.channels
    ]


async def until_lost(application):
    """The bridge knows that the call has no stream, and waits for one."""
    async with asyncio.timeout(60):
        while not (call := application[app.REGISTRY].calls.get(frames.CALL)) or not call.continuity.waiting:
            await asyncio.sleep(0.01)


async def until_ended(receiver):
    await receiver.until(lambda: of_type(receiver, "call.ended"), 60)


async def test_an_outage_that_outlasts_the_call_is_backfilled_from_kept_audio(configured, server, receiver, tmp_path):
    server.faults = Faults(refuse=503)
    async with bridge(configured.model_copy(update={"bridge_flush_timeout": 0.2})) as origin:
        await play(origin)
        await until_ended(receiver)
        server.faults = Faults()
        await receiver.until(lambda: of_type(receiver, "transcription.backfilled"), 60)
    (ended,) = of_type(receiver, "call.ended")
    (backfilled,) = of_type(receiver, "transcription.backfilled")

    assert words(receiver) == spoken()
    assert {final["source"] for final in of_type(receiver, "transcript.final")} == {"backfill"}
    assert (ended["flush"], ended["missing"]) == ("timed_out", 12.0)
    assert ended["uncovered"] == [{"track": track, "from": 0.0, "to": 12.0} for track in ("inbound", "outbound")]
    assert (backfilled["from"], backfilled["to"], backfilled["waiting"]) == (0.0, 12.0, 0.0)
    assert of_type(receiver, "audio.gap") == []
    assert receiver.order.violations == []
    assert list((tmp_path / "audio").iterdir()) == []


async def test_an_outage_that_never_ends_is_said_aloud_once_and_its_audio_stays(configured, server, receiver, tmp_path):
    server.faults = Faults(refuse=503)
    given = {"bridge_flush_timeout": 0.2, "bridge_backfill_timeout": 0.0}
    async with bridge(configured.model_copy(update=given)) as origin:
        await play(origin)
        await receiver.until(lambda: len(of_type(receiver, "audio.gap")) == 2, 60)
    async with bridge(configured.model_copy(update=given)):
        pass

    assert [(gap["from"], gap["to"], gap["why"]) for gap in of_type(receiver, "audio.gap")] == [
        (0.0, 12.0, "not_transcribed")
    ] * 2
    assert [path.name for path in (tmp_path / "audio").iterdir()] == [frames.CALL]


async def test_without_room_on_the_disk_the_gaps_come_with_the_end(configured, server, receiver):
    server.faults = Faults(refuse=503)
    async with bridge(configured.model_copy(update={"bridge_flush_timeout": 0.2, "bridge_audio_limit": 0})) as origin:
        await play(origin)
        await until_ended(receiver)
    types = [event["type"] for event in receiver.events(frames.CALL)]

    assert types[-3:] == ["audio.gap", "audio.gap", "call.ended"]
    assert of_type(receiver, "call.ended")[0]["uncovered"] == []


async def test_a_bridge_that_stopped_in_an_outage_backfills_after_the_next_start(configured, server, receiver):
    server.faults = Faults(refuse=503)
    async with bridge(configured.model_copy(update={"bridge_flush_timeout": 0.2})) as origin:
        await play(origin)
        await until_ended(receiver)
    server.faults = Faults()
    async with bridge(configured):
        await receiver.until(lambda: of_type(receiver, "transcription.backfilled"), 60)

    assert words(receiver) == spoken()
    assert len(of_type(receiver, "call.ended")) == 1


async def test_a_stream_that_comes_back_within_the_grace_goes_on_with_the_call(configured, receiver):
    application = app.build(configured.model_copy(update={"bridge_grace": 60.0}))
    async with bridge(configured, application) as origin:
        await play(origin, 0, HALF, stop=False)
        await receiver.until(lambda: of_type(receiver, "transcript.final"), 60)
        await until_lost(application)
        await play(origin, HALF, None, stream="MZ2")
        await until_ended(receiver)
    (resumed,) = of_type(receiver, "call.resumed")
    (ended,) = of_type(receiver, "call.ended")

    assert words(receiver) == spoken()
    assert len(of_type(receiver, "call.started")) == 1
    assert (resumed["reason"], resumed["stream_id"]) == ("carrier_reconnected", "MZ2")
    assert resumed["at"] == pytest.approx(PART, abs=0.02)
    assert (ended["reason"], ended["flush"]) == ("stopped", "complete")


async def test_a_stream_that_does_not_come_back_ends_the_call_after_the_grace(configured, receiver):
    async with bridge(configured.model_copy(update={"bridge_grace": 0.5})) as origin:
        await play(origin, 0, HALF, stop=False)
        await until_ended(receiver)
    (ended,) = of_type(receiver, "call.ended")

    assert words(receiver) == spoken(0.0, PART)
    assert (ended["reason"], ended["duration"], ended["flush"]) == ("carrier_disconnected", PART, "complete")
    assert of_type(receiver, "audio.gap") == []


async def test_a_lost_stream_is_asked_for_and_let_in_with_its_token(tmp_path, server, receiver):
    async with FakeTwilioRest(calls={frames.CALL}) as twilio:
        configured = settings(
            tmp_path,
            server.url,
            webhook_url=receiver.url,
            webhook_secret=WEBHOOK_SECRET,
            public_url="https://calls.example.com",
            twilio_signature="strict",
            twilio_account_sid=ACCOUNT,
            twilio_auth_token=AUTH_TOKEN,
            bridge_twilio_api=twilio.url,
            bridge_grace=60.0,
        )
        signed = {"x-twilio-signature": signature.sign_url(AUTH_TOKEN, "wss://calls.example.com/media/twilio")}
        async with bridge(configured) as origin:
            await play(origin, 0, HALF, stop=False, parameters={"from": "+15550101", "team": "blue"}, **signed)
            async with asyncio.timeout(60):
                while not twilio.posted:
                    await asyncio.sleep(0.01)
            _, form = twilio.posted[0]
            given = {form[f"Parameter{n}.Name"]: form[f"Parameter{n}.Value"] for n in (1, 2, 3, 4, 5)}
            await play(origin, HALF, None, stream="MZ2", parameters=given, **signed)
            await until_ended(receiver)

    assert form["Url"] == "wss://calls.example.com/media/twilio"
    assert (given["from"], given["team"]) == ("+15550101", "blue")
    assert words(receiver) == spoken()
    assert len(twilio.posted) == 1
    assert given["bridge.token"] not in json.dumps(receiver.events(frames.CALL))


async def test_a_stream_that_was_lost_before_its_first_frame_leaves_the_next_one_all_its_words(configured, receiver):
    async with bridge(configured.model_copy(update={"bridge_grace": 60.0})) as origin:
        await play(origin, 0, 0, stop=False)
        await play(origin, stream="MZ2")
        await receiver.until(lambda: of_type(receiver, "call.ended"))

    assert words(receiver) == spoken()
    (ended,) = of_type(receiver, "call.ended")
    assert (ended["flush"], ended["duration"]) == ("complete", 12.0)


async def test_a_stream_that_comes_back_without_a_frame_makes_the_call_no_longer(configured, receiver):
    application = app.build(configured.model_copy(update={"bridge_grace": 2.0}))
    async with bridge(configured, application) as origin:
        await play(origin, 0, 8000, stop=False)
        await until_lost(application)
        await play(origin, 0, 0, stop=False, stream="MZ2")
        await receiver.until(lambda: of_type(receiver, "call.ended"))

    (ended,) = of_type(receiver, "call.ended")
    assert ended["duration"] == 1.0


async def test_what_is_not_transcribed_at_the_end_is_no_silence(configured, server, receiver):
    server.faults_of[0] = Faults(drop_after=PART)
    server.faults = Faults(refuse=503)
    async with bridge(configured.model_copy(update={"bridge_flush_timeout": 0.2})) as origin:
        await play(origin)
        await until_ended(receiver)

    (ended,) = of_type(receiver, "call.ended")
    assert ended["missing"] > 4.0
    assert ended["figures"]["longest_silence"] < 4.0
