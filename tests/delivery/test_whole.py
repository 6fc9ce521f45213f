"""The transcript that a `call.ended` carries: whole, or not at all."""

import json

from bridge.delivery.whole import MOST, with_transcript
from bridge.events import CallEnded, Event
from bridge.store.base import StoredEvent
from tests.fakes import words


def stored(event: Event) -> StoredEvent:
    assert event.seq
    return StoredEvent(event.call_id, event.seq, event.type, event.to_json())


SAID = [
    words.final(seq=2, text="Where is my order?", start=1.0, segment_id="a"),
    words.final(seq=3, text="One moment.", start=3.0, track="outbound", segment_id="b"),
]
FINALS = [stored(event) for event in SAID]
ENDED = words.ended("CA1", 4).to_json()


def test_the_turns_are_those_of_the_json_export() -> None:
    body = json.loads(with_transcript(ENDED, FINALS))
    transcript = body["data"].pop("transcript")

    assert body == json.loads(ENDED), "the event is as it was"
    assert [(turn["speaker"], turn["start"], turn["text"]) for turn in transcript["turns"]] == [
        ("caller", 1.0, "Where is my order?"),
        ("agent", 3.0, "One moment."),
    ]
    assert set(transcript["turns"][0]) == {"speaker", "track", "voice", "start", "end", "text", "over", "segment_ids"}


def test_where_nothing_was_said_there_are_no_turns() -> None:
    assert json.loads(with_transcript(ENDED, []))["data"]["transcript"] == {"turns": [], "octets": 2}


def test_what_does_not_fit_is_left_out_as_a_whole_and_its_size_is_told() -> None:
    fits = with_transcript(ENDED, FINALS)
    assert with_transcript(ENDED, FINALS, len(fits.encode())) == fits

    transcript = json.loads(with_transcript(ENDED, FINALS, len(fits.encode()) - 1))["data"]["transcript"]
    assert transcript["turns"] is None
    assert transcript["octets"] == len(
        json.dumps(json.loads(fits)["data"]["transcript"]["turns"], separators=(",", ":"))
    )


def test_a_final_that_cannot_be_understood_holds_up_no_end() -> None:
    odd = StoredEvent("CA1", 2, "transcript.final", '{"seq":2,"type":"transcript.final","data":{"text":"Hello"}}')

    assert json.loads(with_transcript(ENDED, [odd, *FINALS]))["data"]["transcript"] == {"turns": None, "octets": 0}


def test_a_long_call_in_octets_not_characters() -> None:
    long = [stored(words.final(seq=n, text="ö" * 100, start=n * 9.0, segment_id=f"s{n}")) for n in range(2, 350)]

    assert json.loads(with_transcript(ENDED, long))["data"]["transcript"]["turns"] is None
    assert len(with_transcript(ENDED, long[:100]).encode()) < MOST


def test_what_is_posted_is_an_event_of_the_catalogue() -> None:
    data = CallEnded.model_validate(json.loads(with_transcript(ENDED, FINALS))["data"])

    assert data.transcript and data.transcript.turns
    assert [turn.text for turn in data.transcript.turns] == ["Where is my order?", "One moment."]
    assert CallEnded.model_validate(json.loads(ENDED)["data"]).transcript is None
