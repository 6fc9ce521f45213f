"""The schemas of events, held against events."""

import json

import pytest

from bridge.contract.events import event_schemas, name_of
from bridge.delivery.envelope import envelope
from bridge.events import EVENT_TYPES
from bridge.outbox import call_header
from tests.fakes import contract, words


def test_every_type_of_event_has_a_schema():
    schemas = event_schemas()

    assert {name_of(data) for data in EVENT_TYPES.values()} <= schemas.keys()
    assert schemas["Event"]["discriminator"]["mapping"].keys() == EVENT_TYPES.keys()
    assert len(schemas["DurableEvent"]["oneOf"]) == sum(data.durable for data in EVENT_TYPES.values())


def test_every_field_of_an_event_has_a_type():
    for name, schema in event_schemas().items():
        for field, said in schema.get("properties", {}).items():
            assert {"type", "anyOf", "$ref", "const"} & said.keys(), f"{name}.{field}"


@pytest.mark.parametrize("event", [*words.conversation(), words.interim(), words.gap("CA1", 4, 1.0, 2.0)])
def test_an_event_stands_in_the_contract(event):
    said = json.loads(event.to_json())

    assert contract.named("Event", said) is None
    assert (contract.named("DurableEvent", said) is None) is event.data.durable
    assert contract.named("FeedEvent", {"call_id": "CA1", **said}) is None


@pytest.mark.parametrize("skipped", [(), (2, 3)])
def test_a_delivery_stands_in_the_contract(skipped):
    started = words.started()
    body = envelope(call_header(started), [started.to_json()], skipped)

    assert contract.named("Delivery", json.loads(body)) is None


@pytest.mark.parametrize(
    ("field", "value"), [("seq", 0), ("seq", "1"), ("type", "call.begun"), ("time", None), ("more", 1), ("data", {})]
)
def test_what_is_no_event_does_not(field, value):
    said = json.loads(words.started().to_json())

    assert contract.named("Event", {**said, field: value})
