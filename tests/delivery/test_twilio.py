"""Twilio's format: what messages events make, how they are numbered, and that a program for Twilio takes them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from bridge.delivery.breaker import CircuitBreakerPolicy
from bridge.delivery.lane import RetryPolicy
from bridge.delivery.poster import Timeouts
from bridge.delivery.sender import Sender
from bridge.delivery.twilio import REMEMBERED, Stage, TwilioForms, transcription_sid
from bridge.events import Event, TranscriptInterim, TranscriptionInterrupted, UtteranceCompleted
from bridge.outbox import Lane, call_header
from bridge.store.base import StoredEvent
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.transcription import Consumer
from twiml.signature import sign_form

ACCOUNT, TOKEN = "AC0123", "token of the account"
URL = "https://app.example.com/transcription"
STARTED = call_header(words.started())


def forms(**options: Any) -> TwilioForms:
    return TwilioForms(ACCOUNT, partial(sign_form, TOKEN, URL), **options)


def lane(cursor: int, batch_to: int, call_id: str = "CA1") -> Lane:
    header = call_header(words.started(call_id))
    return Lane("twilio", call_id, header, cursor, batch_to, 3, 1, 5.0, (), False, "token")


def stored(events: list[Event]) -> list[StoredEvent]:
    return [StoredEvent(event.call_id, event.seq or 0, event.type, event.to_json()) for event in events]


def form_of(request: Any) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))


def told(events: list[Event], **options: Any) -> list[dict[str, str]]:
    """The messages of a whole record."""
    made, whole = forms(**options), lane(0, len(events))
    assert made.known(whole) == 0
    return [form_of(part.request) for part in made.parts(whole, stored(events))]


def interrupted(seq: int, *, retry: bool) -> Event:
    data = TranscriptionInterrupted(reason="Invalid credentials.", status=401, attempt=1, waiting=0.5, retry=retry)
    return words.event("CA1", seq, data)


def utterance(seq: int) -> Event:
    data = words.transcript(start=1.0)
    kept = ("track", "channel", "speaker", "start", "end", "start_time", "end_time", "text")
    said = {name: data[name] for name in kept}
    return words.event("CA1", seq, UtteranceCompleted(utterance_id=f"u{seq}", segment_ids=["s1"], **said))


# --- messages -------------------------------------------------------------------------------------------------------


def test_a_call_begins_with_its_tracks_and_who_is_on_them() -> None:
    (form,) = told([words.started()])

    assert form == {
        "AccountSid": ACCOUNT,
        "CallSid": "CA1",
        "TranscriptionSid": transcription_sid("CA1"),
        "TranscriptionEvent": "transcription-started",
        "Timestamp": "2027-01-15T08:00:01.000Z",
        "SequenceId": "1",
        "Track": "both_tracks",
        "TranscriptionEngine": "deepgram",
        "InboundTrackLabel": "caller",
        "OutboundTrackLabel": "agent",
    }
    assert re.fullmatch("GT[0-9a-f]{32}", form["TranscriptionSid"])


def test_a_final_is_content() -> None:
    form = told([words.started(), words.final(text="Grüße & so, 3 = 3", track="outbound", language="de")])[1]

    assert {name: form[name] for name in ("TranscriptionEvent", "Track", "Final", "LanguageCode", "SequenceId")} == {
        "TranscriptionEvent": "transcription-content",
        "Track": "outbound_track",
        "Final": "true",
        "LanguageCode": "de",
        "SequenceId": "2",
    }
    assert json.loads(form["TranscriptionData"]) == {"transcript": "Grüße & so, 3 = 3", "confidence": 0.9}
    assert "Stability" not in form


def test_what_twilio_has_no_word_for_takes_no_number() -> None:
    events = [
        words.started(),
        words.final(seq=2),
        utterance(3),
        words.final(seq=4, text=""),
        interrupted(5, retry=True),
        words.gap("CA1", 6, 3.0, 4.0, "late"),
        words.final(seq=7),
        words.ended(seq=8),
    ]

    said = [(form["SequenceId"], form["TranscriptionEvent"].removeprefix("transcription-")) for form in told(events)]

    assert said == [("1", "started"), ("2", "content"), ("3", "content"), ("4", "stopped")]


def test_what_a_person_must_mend_is_an_error() -> None:
    form = told([words.started(), interrupted(2, retry=False)])[1]

    assert form["TranscriptionEvent"] == "transcription-error"
    assert (form["TranscriptionErrorCode"], form["TranscriptionError"]) == ("401", "Invalid credentials.")


@pytest.mark.parametrize(
    "last",
    [words.backfilled("CA1", 6, 5.0, 9.0), words.gap("CA1", 6, 5.0, 9.0)],
    ids=["when all is transcribed", "when it is given up"],
)
def test_it_stops_only_when_nothing_more_is_transcribed(last: Event) -> None:
    events = [
        words.started(),
        words.ended(seq=2, uncovered=((1.0, 9.0),)),
        words.gap("CA1", 3, 1.0, 1.5, "overflow"),
        words.final(seq=4, source="backfill"),
        words.backfilled("CA1", 5, 1.0, 5.0, waiting=4.0),
        last,
        words.final(seq=7, source="backfill"),
        words.backfilled("CA1", 8, 5.0, 9.0),
    ]

    said = [form["TranscriptionEvent"].removeprefix("transcription-") for form in told(events)]

    assert said == ["started", "content", "stopped", "content"]


def test_a_further_record_of_a_call_is_a_transcription_of_its_own() -> None:
    (form,) = told([words.started("CA1--2", carrier_call_id="CA1")])
    made = forms()
    whole = Lane(
        "twilio", "CA1--2", call_header(words.started("CA1--2", carrier_call_id="CA1")), 0, 1, 0, 0, None, (), False, ""
    )
    made.known(whole)
    (part,) = made.parts(whole, stored([words.started("CA1--2", carrier_call_id="CA1")]))

    assert form["TranscriptionSid"] == transcription_sid("CA1")
    assert form_of(part.request)["CallSid"] == "CA1"
    assert form_of(part.request)["TranscriptionSid"] == transcription_sid("CA1--2") != transcription_sid("CA1")


def test_twilios_own_library_finds_it_signed() -> None:
    made, whole = forms(), lane(0, 2)
    made.known(whole)
    for part in made.parts(whole, stored([words.started(), words.final(text="señor & señora")])):
        signature = part.request.headers(0.0)["X-Twilio-Signature"]
        assert RequestValidator(TOKEN).validate(URL, form_of(part.request), signature)
        assert not RequestValidator("another").validate(URL, form_of(part.request), signature)


# --- numbers --------------------------------------------------------------------------------------------------------


def test_each_message_is_a_batch_of_its_own() -> None:
    made, whole = forms(), lane(0, 5)
    made.known(whole)
    events = [words.started(), words.final(seq=2), utterance(3), words.final(seq=4), utterance(5)]

    parts = made.parts(whole, stored(events))

    assert [(part.lane.cursor, part.lane.batch_to) for part in parts] == [(0, 1), (1, 2), (3, 4)]


def test_the_numbers_are_the_records_whoever_counts() -> None:
    events = [words.started(), words.final(seq=2), utterance(3), words.final(seq=4), words.ended(seq=5)]
    going_on, restarted, rewound = forms(), forms(), forms()
    going_on.known(lane(0, 3))
    going_on.parts(lane(0, 3), stored(events[:3]))
    going_on.settled(lane(0, 3), 3)
    assert going_on.known(lane(3, 5)) == 3
    assert restarted.known(lane(3, 5)) == 0
    restarted.recall(lane(3, 5), stored(events[:3]))
    rewound.known(lane(0, 5))
    rewound.parts(lane(0, 5), stored(events))
    rewound.settled(lane(0, 5), 5)
    assert rewound.known(lane(3, 5)) == 0
    rewound.recall(lane(3, 5), stored(events[:3]))

    for made in (going_on, restarted, rewound):
        parts = made.parts(lane(3, 5), stored(events[3:]))
        assert [form_of(part.request)["SequenceId"] for part in parts] == ["3", "4"]


def test_what_was_not_accepted_keeps_its_number() -> None:
    made, events = forms(), [words.started(), words.final(seq=2), words.final(seq=3)]
    made.known(lane(0, 3))
    made.parts(lane(0, 3), stored(events))
    made.settled(lane(0, 3), 1)

    assert made.known(lane(1, 2)) == 1
    assert [form_of(part.request)["SequenceId"] for part in made.parts(lane(1, 2), stored(events[1:2]))] == ["2"]


KINDS = [
    lambda seq: words.final(seq=seq),
    lambda seq: words.final(seq=seq, text=""),
    utterance,
    lambda seq: interrupted(seq, retry=seq % 2 == 0),
]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(KINDS), max_size=12), st.data())
def test_the_same_messages_however_often_it_fails_and_forgets(kinds: list[Any], data: st.DataObject) -> None:
    events = [words.started(), *(kind(seq) for seq, kind in enumerate(kinds, 2))]
    events.append(words.ended(seq=len(events) + 1))
    made, cursor, accepted = forms(), 0, []
    while cursor < len(events):
        if data.draw(st.booleans()):
            made = forms()
        here = lane(cursor, data.draw(st.integers(cursor + 1, len(events))))
        made.recall(here, stored(events[made.known(here) : cursor]))
        for part in made.parts(here, stored(events[cursor : here.batch_to])):
            if data.draw(st.booleans()):
                made.settled(here, part.lane.cursor)
                cursor = part.lane.cursor
                break
            accepted.append(form_of(part.request))
        else:
            made.settled(here, here.batch_to)
            cursor = here.batch_to

    assert accepted == told(events)


def test_an_interim_has_a_number_between_those_of_the_record() -> None:
    made = forms(interims=True)
    made.known(lane(0, 2))
    parts = made.parts(lane(0, 2), stored([words.started(), words.final(seq=2)]))
    made.settled(lane(0, 2), 2)

    def interim(text: str) -> dict[str, str]:
        return form_of(made.interim("CA1", STARTED, words.interim(text=text)))

    first, second = interim("so"), interim("so far")
    made.known(lane(2, 3))
    made.parts(lane(2, 3), stored([utterance(3)]))
    made.settled(lane(2, 3), 3)
    third = interim("so far so")

    assert [form_of(part.request)["SequenceId"] for part in parts] == ["1000", "2000"]
    assert [form["SequenceId"] for form in (first, second, third)] == ["2001", "2002", "2003"]
    assert (first["Final"], first["Stability"]) == ("false", "0.0")
    assert json.loads(second["TranscriptionData"])["transcript"] == "so far"
    for _ in range(1000):
        last = interim("on and on")
    assert last["SequenceId"] == "2999"


def test_what_it_cannot_number_it_does_not_tell() -> None:
    assert forms(interims=True).interim("CA1", STARTED, words.interim()) is None
    assert forms(interims=True).interim("CA1", STARTED, words.speech()) is None


def test_it_remembers_the_latest_calls() -> None:
    made = forms(remembered=2)
    for call_id in ("CA1", "CA2", "CA1", "CA3"):
        made.known(lane(0, 1, call_id))
    assert repr(made) == "<TwilioForms 2 calls>"
    assert made.interim("CA2", STARTED, words.interim()) is None
    assert made.interim("CA1", STARTED, words.interim()) is not None
    assert REMEMBERED > 2
    assert [stage.name for stage in Stage] == ["RUNNING", "LACKING", "STOPPED"]


# --- posted ---------------------------------------------------------------------------------------------------------

RETRY = RetryPolicy(live=(0.01,), after_call=(0.01,), max_rejections=2)
PRESSURE = CircuitBreakerPolicy(first_probe=0.01, max_probe=0.02)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(tmp_path, ["twilio"]) as store:
        yield store


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with Consumer(TOKEN) as consumer:
        yield consumer
    assert consumer.unsigned == 0
    assert consumer.numbers == sorted(consumer.numbers)


def make(store: SQLiteStore, consumer: Consumer, *, interims: bool = False, **options: Any) -> Sender:
    format_ = TwilioForms(ACCOUNT, partial(sign_form, TOKEN, consumer.url), interims=interims)
    wanted = [TranscriptInterim] if interims else []
    options = {"retry": RETRY, "pressure": PRESSURE, "rng": Random(1), "poll": 0.005, **options}
    return Sender(store, consumer.url, format_, endpoint="twilio", interims=wanted, **options)


async def test_a_program_for_twilio_takes_a_call(store: SQLiteStore, consumer: Consumer) -> None:
    async with make(store, consumer) as sender:
        await store.append([words.started(), words.final(seq=2), utterance(3)])
        await store.append([words.final(seq=4, track="outbound"), words.ended(seq=5)])
        await consumer.until(lambda: "CA1" in consumer.calls and consumer.calls["CA1"].stopped)
        assert await sender.drain(5)
    call = consumer.calls["CA1"]
    assert call.said == [("inbound_track", "words of 2"), ("outbound_track", "words of 4")]
    assert consumer.numbers == [1, 2, 3, 4]
    assert (sender.counters["posts"], sender.counters["events"]) == (4, 5)
    assert store.lanes_waiting("twilio") == 0


async def test_interims_come_as_partial_results(store: SQLiteStore, consumer: Consumer) -> None:
    async with make(store, consumer, interims=True) as sender:
        await store.append([words.started()])
        await consumer.until(lambda: consumer.forms)
        assert await sender.drain(5)
        await store.append([], [words.interim(text="hel")])
        await consumer.until(lambda: consumer.calls["CA1"].partial == {"inbound_track": "hel"})
        await store.append([words.final(seq=2, segment_id="s1", text="hello")])
        await consumer.until(lambda: consumer.calls["CA1"].said == [("inbound_track", "hello")])
    assert consumer.numbers == [1000, 1001, 2000]
    assert consumer.calls["CA1"].partial == {}


async def test_what_is_refused_comes_again_under_its_number_and_nothing_passes_it(
    store: SQLiteStore, consumer: Consumer
) -> None:
    consumer.answers = [200, 200, 503, 500, 200, 429]
    async with make(store, consumer) as sender:
        await store.append(words.conversation(finals=5))
        await consumer.until(lambda: "CA1" in consumer.calls and consumer.calls["CA1"].stopped)
        assert await sender.drain(5)
    assert consumer.numbers == [1, 2, 3, 4, 5, 6, 7]
    assert [form["SequenceId"] for form in consumer.refused] == ["3", "3", "4"]
    assert sender.counters["retry"] == 3
    assert sender.counters["events"] == 7


async def test_after_a_restart_it_goes_on_with_the_next_number(tmp_path: Path, consumer: Consumer) -> None:
    async with SQLiteStore(tmp_path, ["twilio"], owner="one") as store, make(store, consumer) as sender:
        await store.append([words.started(), words.final(seq=2), utterance(3)])
        await consumer.until(lambda: len(consumer.forms) == 2)
        assert await sender.drain(5)
    async with SQLiteStore(tmp_path, ["twilio"], owner="two") as store, make(store, consumer):
        await store.take("CA1")
        await store.append([words.final(seq=4), words.ended(seq=5)])
        await consumer.until(lambda: consumer.calls["CA1"].stopped)
    assert consumer.numbers == [1, 2, 3, 4]


async def test_what_is_never_accepted_is_passed_over(
    store: SQLiteStore, consumer: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    consumer.answers = [200, 400, 400]
    async with make(store, consumer) as sender:
        await store.append(words.conversation(finals=2))
        await consumer.until(lambda: "CA1" in consumer.calls and consumer.calls["CA1"].stopped)
        assert await sender.drain(5)
    assert consumer.numbers == [1, 3, 4]
    assert (sender.counters["skip"], sender.counters["events"]) == (1, 3)
    assert [record.seq for record in caplog.records if hasattr(record, "seq")] == [2]


async def test_all_is_told_again_with_its_numbers(store: SQLiteStore, consumer: Consumer) -> None:
    async with make(store, consumer) as sender:
        await store.append(words.conversation(finals=2))
        await consumer.until(lambda: len(consumer.forms) == 4)
        assert await sender.drain(5)
        first, consumer.forms = consumer.forms, []
        assert await sender.resume("CA1", after=2) == ["CA1"]
        await consumer.until(lambda: len(consumer.forms) == 2)
    assert consumer.forms == first[2:]


async def test_a_slow_program_is_given_time_and_the_lease_is_kept(store: SQLiteStore, consumer: Consumer) -> None:
    """Each post takes more than the whole patience of a batch: it is settled one by one."""
    loop = asyncio.get_running_loop()

    def monotonic() -> float:
        return loop.time() + 20.0 * len(consumer.forms)

    async with make(store, consumer, monotonic=monotonic, timeouts=Timeouts(total=15.0)) as sender:
        await store.append(words.conversation(finals=3))
        await consumer.until(lambda: len(consumer.forms) == 5)
        assert await sender.drain(5)
    assert consumer.numbers == [1, 2, 3, 4, 5]
    assert sender.counters["delivered"] == 5
    assert sender.counters["lost_leases"] == 0
