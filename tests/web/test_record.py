import json
from dataclasses import replace

import pytest

from bridge.events import Figures
from bridge.outbox import LaneState
from bridge.store import CallRow, FoundCall
from bridge.web import record
from tests.fakes import words

HEADER = json.dumps({"id": "CA1", "from": "+1", "speakers": {"inbound": "caller"}, "parameters": {"a": "b"}})
FIGURES = Figures(talk_time={}, words={}, words_per_minute={}, talk_over=0.0, longest_silence=0.0, response_time={})


def call(ended_at=None, end=None):
    return FoundCall(CallRow("CA1", HEADER, words.STARTED_AT, ended_at, 7, "me", 1), end)


def test_what_is_not_known_is_null():
    summary = record.summary(call())
    assert (summary["to"], summary["duration"], summary["figures"], summary["ended_at"]) == (None, None, None, None)
    assert (summary["seq"], summary["active"]) == (7, True)


@pytest.mark.parametrize(("carrier", "name"), [("import", "talk.wav"), ("twilio", None)])
def test_a_recording_that_was_imported_has_its_name(carrier, name):
    header = json.dumps({"id": "CA1", "carrier": carrier, "parameters": {"recording": "talk.wav"}})
    found = call()
    assert record.summary(replace(found, row=replace(found.row, header=header)))["name"] == name


def test_a_call_that_ended_before_ends_were_remembered_has_at_least_a_time():
    assert record.summary(call(ended_at=words.STARTED_AT))["ended_at"] == "2027-01-15T08:00:00.000Z"


def test_a_call_that_goes_on_shows_what_was_said_last():
    last = words.final("CA1", 7, text="so it goes").to_json()
    assert record.summary(replace(call(), last=last))["last"] == {"speaker": "caller", "text": "so it goes"}
    assert record.summary(call())["last"] is None


def test_how_long_a_call_is_so_far():
    assert record.duration(call(), words.STARTED_AT + 5.5) == 5.5
    assert record.duration(call(), words.STARTED_AT - 5.5) == 0.0
    assert record.duration(call(1.0, words.ended().to_json()), words.STARTED_AT + 99) == 60.0


def test_a_list_has_the_figures_of_the_end_and_a_call_alone_those_by_now():
    told = words.ended()
    ended = call(1.0, words.event("CA1", 3, told.data.model_copy(update={"figures": FIGURES})).to_json())
    by_now = FIGURES.model_copy(update={"longest_silence": 2.0})

    assert record.summary(ended)["figures"]["longest_silence"] == 0.0
    assert record.details(ended, by_now, {"webhook": None}, audio=False)["figures"]["longest_silence"] == 2.0


def test_every_field_is_described():
    told = record.details(call(), FIGURES, {"webhook": None}, audio=False)

    assert told.keys() == record.CallDetails.__required_keys__
    assert record.summary(call()).keys() == record.CallSummary.__required_keys__
    assert told["delivery"].keys() == record.DeliveryStanding.__required_keys__


@pytest.mark.parametrize(
    ("lane", "state", "reason"),
    [
        (None, "none", None),
        (LaneState(7, 7, 0, None), "delivered", None),
        (LaneState(7, 7, 0, None, "status 500"), "delivered", None),
        (LaneState(3, 7, 2, None), "pending", None),
        (LaneState(3, 7, 2, None, "status 500"), "pending", "status 500"),
        (LaneState(3, 7, 2, "gone", "status 500"), "parked", "gone"),
    ],
)
def test_how_the_delivery_stands(lane, state, reason):
    told = record.details(call(), FIGURES, {"webhook": lane, "twilio": None}, audio=False)
    assert (told["delivery"]["state"], told["delivery"]["reason"]) == (state, reason)
    assert told["deliveries"]["webhook"] == told["delivery"]
    assert told["deliveries"]["twilio"]["state"] == "none"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-15T08:00:00Z", words.STARTED_AT),
        ("2027-01-15T09:00:00+01:00", words.STARTED_AT),
        ("2027-01-15T08:00:00", words.STARTED_AT),
        ("2027-01-15", words.STARTED_AT - 8 * 3600),
    ],
)
def test_times(text, seconds):
    assert record.seconds(text) == seconds


def test_what_is_no_time():
    with pytest.raises(ValueError, match="soon"):
        record.seconds("soon")
