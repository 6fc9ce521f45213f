"""One body for one event or many, joined from what is written already."""

import json

from bridge.delivery.envelope import batch_id, envelope, interim_id
from bridge.outbox import call_header
from tests.fakes import words


def test_an_envelope_is_the_call_and_its_events() -> None:
    events = words.conversation(finals=2)
    body = json.loads(envelope(call_header(events[0]), [event.to_json() for event in events]))
    assert list(body) == ["type", "call", "events"]
    assert body["type"] == "call.events"
    assert body["call"]["id"] == "CA1"
    assert [event["seq"] for event in body["events"]] == [1, 2, 3, 4]
    assert body["events"][1]["data"]["text"] == "words of 2"


def test_a_gap_is_visible() -> None:
    assert json.loads(envelope("{}", ["{}"], skipped=(4, 7)))["skipped"] == [4, 7]


def test_an_envelope_is_utf_8() -> None:
    assert "süd".encode() in envelope(call_header(words.started()), [])


def test_ids_are_stable() -> None:
    assert batch_id("CA1", 3, 9) == "evt_CA1_3_9"
    assert interim_id("CA1", "s-4", 2) == "int_CA1_s-4_2"
