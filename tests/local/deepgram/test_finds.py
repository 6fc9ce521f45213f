"""What is told beside the words, in Deepgram's names, as our own reader of its messages understands them."""

from bridge.deepgram.extras import read_alternatives, read_entities, read_hits
from bridge.deepgram.words import Oddities
from bridge.local.deepgram.finds import DIARIZER, entities, others, search
from bridge.recognition import Alternative, Entity, Hit, Result
from bridge.spans import Span

HITS = (Hit("order", Span(8000, 12000), 0.75, "orders"), Hit("order", Span(0, 800), 0.5, "border"))
ENTITIES = (Entity("MONEY", "12 dollars", "twelve dollars", 0.9, Span(1, 3)),)
ALTERNATIVES = (Alternative("twelve collars", 0.25),)
HEARD = Result(
    0, Span(0, 16000), "pay twelve dollars", 0.9, (), True, hits=HITS, entities=ENTITIES, alternatives=ALTERNATIVES
)


def test_hits_stand_under_their_terms():
    found = search(HEARD, ["monday", "order", "order"])

    assert found == [
        {"query": "monday", "hits": []},
        {
            "query": "order",
            "hits": [
                {"confidence": 0.75, "start": 1.0, "end": 1.5, "snippet": "orders"},
                {"confidence": 0.5, "start": 0.0, "end": 0.1, "snippet": "border"},
            ],
        },
    ]
    assert read_hits(found, Oddities()) == HITS


def test_entities_count_words():
    found = entities(HEARD)

    assert found == [
        {
            "label": "MONEY",
            "value": "12 dollars",
            "raw_value": "twelve dollars",
            "confidence": 0.9,
            "start_word": 1,
            "end_word": 3,
        }
    ]
    assert read_entities(found, ["pay", "twelve", "dollars"], 3, Oddities()) == ENTITIES


def test_alternatives_without_the_first():
    assert read_alternatives(others(HEARD), Oddities()) == ALTERNATIVES


def test_the_diarizer_is_named():
    assert set(DIARIZER) == {"model_uuid", "arch"}
