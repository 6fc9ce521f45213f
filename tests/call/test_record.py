"""What is written of a call, without its streams and without Deepgram."""

import asyncio
import json
from collections import Counter

import pytest

from bridge.call import describe
from bridge.call.projection import Projection
from bridge.call.record import COMPLAINTS_AT_ONCE, KEYS_AT_ONCE, Record
from bridge.carriers.messages import Digit
from bridge.events import CallResumed, DtmfReceived, Stretch
from bridge.recognition import Result, Word
from bridge.redaction.rules import Rules
from bridge.spans import Span
from bridge.store.base import Query
from tests.fakes.calls import NOW, HandClock, started
from tests.fakes.redaction import heard
from tests.fakes.words import started as started_event

SPEAKERS = {"inbound": "caller", "outbound": "callee"}
LACKING = Stretch(track="inbound", from_=1.0, to=3.0)


@pytest.fixture
def record(store, clock):
    begun = Record("CA1", SPEAKERS, "en", store, clock, None)
    begun.begin(started(), None)
    return begun


async def events(store):
    return [json.loads(event.body) for event in await store.read(Query("CA1"))]


def end(record, missing=0.0):
    record.end("stopped", 40_000, {"finals": 0}, missing, None)


async def test_a_record_begins_and_ends_once(record, store):
    record.tell(DtmfReceived(track="inbound", digit="5", at=1.0))
    record.close([], kept=True, turns=True)
    end(record)
    await record.events.written()
    told = await events(store)

    assert [event["type"] for event in told] == ["call.started", "dtmf.received", "call.ended"]
    assert (told[-1]["data"]["duration"], told[-1]["data"]["flush"]) == (5.0, "complete")
    assert told[-1]["data"]["figures"]["longest_silence"] == 5.0
    assert record.anchor == NOW


async def test_what_is_kept_is_left_for_later(record, store):
    record.close([LACKING], kept=True, turns=True)
    end(record, describe.missing([LACKING]))
    await record.events.written()
    told = await events(store)

    assert [event["type"] for event in told] == ["call.started", "call.ended"]
    assert told[-1]["data"]["uncovered"] == [{"track": "inbound", "from": 1.0, "to": 3.0}]
    assert (told[-1]["data"]["flush"], told[-1]["data"]["missing"]) == ("timed_out", 2.0)
    assert record.uncovered == [LACKING]


async def test_what_is_not_kept_is_said_to_be_missing(record, store):
    record.close([LACKING], kept=False, turns=True)
    end(record, 2.0)
    await record.events.written()
    told = await events(store)

    assert [event["type"] for event in told] == ["call.started", "audio.gap", "call.ended"]
    assert told[1]["data"]["why"] == "not_transcribed"
    assert (told[-1]["data"]["uncovered"], told[-1]["data"]["flush"]) == ([], "timed_out")


async def test_no_more_keys_are_written_down_than_a_hand_can_press(record, store, clock, caplog):
    for _ in range(3000):
        record.press(Digit("inbound", "5"), 0)
    at_once = record.events.seq - 1
    clock.time += 2.0
    for _ in range(3000):
        record.press(Digit("inbound", "5"), 0)

    assert at_once == KEYS_AT_ONCE + 1
    assert record.events.seq - 1 - at_once == 25
    assert record.events.counters["digits_dropped"] == 6000 - 1 - KEYS_AT_ONCE - 25
    assert caplog.text.count("the carrier sends too much") == 1


async def test_a_quick_hand_loses_no_key(record, clock):
    for _ in range(1000):
        clock.time += 0.08
        record.press(Digit("inbound", "#"), 0)

    assert record.events.seq == 1001
    assert "digits_dropped" not in record.events.counters


async def test_complaints_have_a_bound_of_their_own(record):
    for _ in range(100):
        record.complain("MZ1", "something")
    record.press(Digit("inbound", "5"), 0)

    assert record.events.seq == 1 + COMPLAINTS_AT_ONCE + 1 + 1
    assert record.events.counters["stream_errors_dropped"] == 100 - 1 - COMPLAINTS_AT_ONCE


async def test_audio_is_settled_once_the_finals_that_cover_it_are_durable(record):
    assert record.settled(8_000) == 0
    await record.events.written()
    assert record.settled(16_000) == 8_000
    assert record.settled(24_000) == 16_000  # nothing was told since
    record.press(Digit("inbound", "5"), 0)
    assert record.settled(32_000) == 24_000
    assert record.settled(40_000) == 24_000
    await record.events.written()
    assert record.settled(48_000) == 32_000


HELLO = Word("hello", "hello", Span(8000, 12_000), 0.9)


def said(final):
    return Result(0, Span(8000, 16_000), "hello", 0.9, (HELLO,), final)


async def test_what_deepgram_says_is_written_before_what_is_told_after_it(record, store):
    record.receive(said(final=True))
    written = record.events.seq
    record.tell(DtmfReceived(track="inbound", digit="5", at=2.0))
    await record.events.written()

    assert written == 2, "as soon as it is said"
    assert [event["type"] for event in await events(store)] == ["call.started", "transcript.final", "dtmf.received"]


@pytest.mark.parametrize(
    ("lacking", "kept", "text"),
    [
        ([], True, "hello"),
        ([LACKING], False, "hello"),
        ([LACKING], True, ""),  # it will be transcribed once more
    ],
)
async def test_what_was_only_shown_is_written_at_the_end_unless_its_audio_is_heard_again(
    record, store, lacking, kept, text
):
    record.receive(said(final=False))
    record.close(lacking, kept=kept, turns=True)
    await record.events.written()

    assert [e["data"]["text"] for e in await events(store) if e["type"] == "transcript.final"] == [text]


RESUMED = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=5.0, uncovered=[])


@pytest.mark.parametrize(
    ("left_in_order", "audio_lost", "told", "flush"),
    [
        (True, False, [], "complete"),
        (True, True, [], "timed_out"),
        (False, False, [], "timed_out"),
        (False, False, [RESUMED], "complete"),  # a gap says what is not known
        (False, True, [RESUMED], "timed_out"),
    ],
)
async def test_after_a_crash_it_is_complete_only_if_all_is_known(store, left_in_order, audio_lost, told, flush):
    await store.append([started_event()])
    past = Projection()
    past.seq, past.left_in_order, past.audio_lost = 1, left_in_order, audio_lost
    record = Record("CA1", SPEAKERS, "en", store, HandClock(), past)
    record.tell(*told)
    record.close([], kept=True, turns=True)
    end(record)
    await record.events.written()

    assert (await events(store))[-1]["data"]["flush"] == flush


@pytest.mark.parametrize(("known", "anchor"), [(None, NOW), (NOW - 30.0, NOW - 30.0)])
async def test_a_record_that_another_process_has_begun_goes_on_on_its_clock(store, known, anchor):
    past = Projection()
    past.anchor = known

    assert Record("CA1", SPEAKERS, "en", store, HandClock(), past).anchor == anchor


async def test_the_figures_are_of_all_finals(record, store):
    record.receive(said(final=True))
    record.close([], kept=True, turns=True)
    end(record)
    await record.events.written()

    assert (await events(store))[-1]["data"]["figures"]["words"] == {"caller": 1, "callee": 0}


async def test_what_is_told_reaches_the_store_at_once_whether_anyone_waits_or_not(record, store):
    record.tell(DtmfReceived(track="inbound", digit="5", at=1.0))
    async with asyncio.timeout(60):
        while len(told := await events(store)) < 2:
            await asyncio.sleep(0.002)

    assert [event["type"] for event in told] == ["call.started", "dtmf.received"]


async def test_a_record_that_another_process_has_begun_goes_on_with_its_counts(store):
    past = Projection()
    past.seq, past.counters = 7, Counter(finals=2, words=9)
    record = Record("CA1", SPEAKERS, "en", store, HandClock(), past)

    assert record.events.seq == 7
    assert record.events.counters == {"finals": 2, "words": 9}


CARDS = Rules(frozenset(("card", "digits")))


@pytest.fixture
def redacting(store, clock):
    begun = Record("CA1", SPEAKERS, "en", store, clock, None, rules=CARDS)
    begun.begin(started(), None)
    return begun


async def test_a_final_that_is_held_covers_nothing_and_is_in_no_log(redacting, store):
    redacting.receive(heard("Hello there.", 0))
    redacting.receive(heard("It's 4111 1111", 16_000))
    await redacting.events.written()
    redacting.settled(40_000)
    await redacting.events.written()

    assert redacting.settled(40_000) == 16_000
    assert [event["data"]["text"] for event in await events(store) if event["type"] == "transcript.final"] == [
        "Hello there."
    ]
    redacting.close([], kept=True, turns=False)
    await redacting.events.written()
    assert redacting.settled(40_000) == 16_000
    assert redacting.settled(48_000) == 40_000
    told = [event["data"] for event in await events(store) if event["type"] == "transcript.final"]
    assert (told[-1]["text"], told[-1]["redacted"]) == (
        "It's [card]",
        [{"kind": "card", "start": 2.3, "end": 2.9}],
    )


async def test_what_is_redacted_is_said_at_the_start_and_goes_on_in_the_next_process(redacting, store, clock):
    redacting.receive(heard("It's 4111 1111 1111 1111 okay", 0))
    await redacting.events.written()
    past = Projection()
    for event in await store.read(Query("CA1")):
        past.take(event.body)

    assert past.redact == ["card", "digits"]
    assert past.redacted == redacting.redacted == [(0, "card", Span(2400, 12_000))]
    assert redacting.muted == []
    again = Record("CA1", SPEAKERS, "en", store, clock, past, rules=Rules(CARDS.kinds, mute=True))
    assert again.muted == [(0, Span(800, 13_600))]
    again.receive(heard("55 55 is more", 16_000))
    await again.events.written()
    assert json.loads((await store.read(Query("CA1")))[-1].body)["data"]["text"] == "[card] is more"


async def test_keys_are_told_without_what_they_are_where_digits_are_redacted(redacting, store):
    redacting.press(Digit("inbound", "5"), 0)
    await redacting.events.written()

    assert (await events(store))[-1]["data"]["digit"] == "[digits]"
    assert redacting.veiled("code 4111") == "code [digits]"
