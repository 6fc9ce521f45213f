"""What stands beside the words, and what is odd of it."""

import pytest

from bridge.deepgram.extras import Model, read_alternatives, read_entities, read_hits, read_model
from bridge.deepgram.words import Oddities
from bridge.recognition import Alternative, Entity, Hit
from bridge.spans import Span

HIT = {"confidence": 0.9, "start": 1.0, "end": 1.5, "snippet": "my order"}
ENTITY = {
    "label": "PERSON_NAME",
    "value": "Anna",
    "raw_value": "anna",
    "confidence": 0.8,
    "start_word": 1,
    "end_word": 2,
}


def test_alternatives():
    odd = Oddities()
    given = [{"transcript": "or this", "confidence": 0.4, "words": []}, {"confidence": 1}, "text", {"transcript": "é"}]

    assert read_alternatives(given, odd) == (Alternative("or this", 0.4), Alternative("é", 0.0))
    assert odd.fields == 2


def test_hits_of_each_term():
    odd = Oddities()
    given = [
        {"query": "order", "hits": [HIT, {**HIT, "start": 2.0, "end": 1.0, "snippet": None}]},
        {"query": "monday", "hits": []},
    ]

    assert read_hits(given, odd) == (
        Hit("order", Span(8000, 12_000), 0.9, "my order"),
        Hit("order", Span(16_000, 16_000), 0.9, ""),
    )
    assert odd.fields == 0


@pytest.mark.parametrize(
    "odd_one",
    [
        7,
        {"hits": [HIT]},
        {"query": "order", "hits": [{**HIT, "start": -1}]},
        {"query": "order", "hits": [{**HIT, "confidence": "high"}]},
        {"query": "order", "hits": 7},
    ],
)
def test_an_odd_hit_costs_itself(odd_one):
    odd = Oddities()
    assert len(read_hits([odd_one, {"query": "x", "hits": [HIT]}], odd)) == 1
    assert odd.fields == 1


@pytest.mark.parametrize("value", [None, []])
def test_nothing_is_not_odd(value):
    odd = Oddities()
    assert read_hits(value, odd) == read_entities(value, [{}] * 3, 3, odd) == ()
    assert odd.fields == 0


def test_entities_in_the_order_of_their_words():
    odd = Oddities()
    later = {**ENTITY, "start_word": 2, "end_word": 4, "raw_value": None, "confidence": None}

    assert read_entities([later, ENTITY], [{}] * 4, 4, odd) == (
        Entity("PERSON_NAME", "Anna", "anna", 0.8, Span(1, 2)),
        Entity("PERSON_NAME", "Anna", "Anna", 0.0, Span(2, 4)),
    )
    assert odd.fields == 0


@pytest.mark.parametrize(
    "change", [{"start_word": -1}, {"start_word": 2}, {"end_word": 5}, {"end_word": True}, {"label": ""}, {"label": 7}]
)
def test_an_odd_entity_costs_itself(change):
    odd = Oddities()
    assert len(read_entities([{**ENTITY, **change}, ENTITY, "text"], [{}] * 4, 4, odd)) == 1
    assert odd.fields == 2


def test_the_model():
    assert read_model({"name": "2-general-nova", "version": "v", "arch": "nova-2"}) == Model("2-general-nova", "v")
    assert read_model({"name": "2-general-nova"}) == Model("2-general-nova", "")
    assert read_model({"version": "v"}) is read_model(None) is read_model("nova") is None
