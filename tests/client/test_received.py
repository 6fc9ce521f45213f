"""Events and calls as objects: of this version, of a later one, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import client
from bridge.client.received import Reset, Unknown, call, event, recorded_call
from bridge.errors import RemoteProtocolError
from bridge.events import EVENT_TYPES, AudioGap, CallEnded, TranscriptFinal
from bridge.outbox import call_header
from tests.fakes import words


def told(name: str, data: object, **more: object) -> dict:
    return {"seq": 3, "id": "CA1-3", "type": name, "time": "2026-11-20T10:00:00.000Z", "data": data, **more}


def test_an_event_of_this_version_is_its_class():
    said = words.final(seq=2, text="Where is my order?")
    raw = json.loads(said.to_json())
    received = event(raw, "CA1", "7")
    assert type(received.data) is TranscriptFinal
    assert received.data == said.data
    assert (received.call_id, received.seq, received.id) == ("CA1", 2, "CA1-2")
    assert (received.type, received.time, received.cursor) == ("transcript.final", said.time, "7")
    assert received.raw is raw


def test_what_is_not_durable_has_no_number():
    received = event(json.loads(words.interim().to_json()), "CA1")
    assert received.seq is None
    assert not received.data.durable


def test_names_that_python_has_taken():
    gap = event(told("audio.gap", {"track": "inbound", "from": 1.0, "to": 2.5, "missing": 1.5, "why": "late"}), "CA1")
    assert isinstance(gap.data, AudioGap)
    assert (gap.data.from_, gap.data.to) == (1.0, 2.5)


def test_an_event_of_a_later_version_is_handed_through():
    received = event(told("mood.changed", {"mood": "better", "model_dump": 1}), "CA1")
    assert isinstance(received.data, Unknown)
    assert received.type == "mood.changed"
    assert received.data.mood == "better"
    assert received.raw["data"]["model_dump"] == 1


def test_a_field_of_a_later_version_is_in_what_came():
    said = json.loads(words.final().to_json())
    said["data"]["mood"] = "better"
    received = event(said, "CA1")
    assert type(received.data) is TranscriptFinal
    assert received.raw["data"]["mood"] == "better"


def test_a_value_of_a_later_version_is_there_as_it_came():
    said = json.loads(words.ended().to_json())
    said["data"] |= {"reason": "bored", "uncovered": [{"track": "third", "from": 1.0, "to": 2.0}]}
    received = event(said, "CA1")
    assert isinstance(received.data, CallEnded)
    assert received.data.reason == "bored"
    assert received.data.duration == 60.0
    assert received.data.uncovered == [{"track": "third", "from": 1.0, "to": 2.0}]


def test_an_event_that_lacks_a_field_is_unknown():
    received = event(told("audio.gap", {"track": "inbound"}), "CA1")
    assert isinstance(received.data, Unknown)
    assert received.data.track == "inbound"


@pytest.mark.parametrize("raw", [{}, {"type": "x"}, {"id": "1", "type": 5}, {"id": "1", "type": "x", "seq": "1"}])
def test_what_is_no_event(raw):
    with pytest.raises(RemoteProtocolError, match="without a type or an id"):
        event(raw, "CA1")


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["from", "to", "x"]), inner),
    max_leaves=6,
)


@given(st.sampled_from(list(EVENT_TYPES)), st.data())
def test_whatever_an_event_says_it_is_no_error(name, data):
    fields = [info.alias or field for field, info in EVENT_TYPES[name].model_fields.items()]
    said = data.draw(st.dictionaries(st.sampled_from([*fields, "other"]), values) | values)
    received = event(told(name, said), "CA1")
    assert received.type == name
    assert received.raw["data"] is said


def test_what_is_no_object_at_all():
    with pytest.raises(RemoteProtocolError, match="no object"):
        event(["transcript.final"], "CA1")


def test_the_call_of_a_delivery():
    received = call(json.loads(call_header(words.started())) | {"queue": "sales"})
    assert (received.id, received.from_, received.to) == ("CA1", "+15550001", "+15550002")
    assert received.speakers == {"inbound": "caller", "outbound": "agent"}
    assert received.queue == "sales"


def test_a_call_of_another_version():
    received = call({"id": "CA1", "from": {"number": 1}})
    assert received.from_ == {"number": 1}
    assert received.speakers == {}


def test_a_call_without_an_id():
    with pytest.raises(RemoteProtocolError):
        recorded_call({"from": "+1"})


def test_every_event_can_be_imported_from_the_client():
    assert {kind.__name__ for kind in EVENT_TYPES.values()} <= set(client.__all__)
    assert all(getattr(client, kind.__name__) is kind for kind in EVENT_TYPES.values())
    assert all(getattr(client, name) for name in client.__all__)


def test_a_reset_is_no_event_of_the_bridges():
    assert Reset.type not in EVENT_TYPES and not Reset.durable
