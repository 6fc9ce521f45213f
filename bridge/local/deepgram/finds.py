"""What is told of a result beside its words, as JSON: hits of a search, entities, other transcripts, the diarizer.

Pure. Sources: https://developers.deepgram.com/docs/search and https://developers.deepgram.com/docs/detect-entities
"""

import uuid
from collections.abc import Sequence
from typing import Any

from bridge.audio import SAMPLE_RATE
from bridge.recognition import Hit, Result

DIARIZER = {"model_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, "diarize.local")), "arch": "local"}
"""`diarize_info`."""


def others(heard: Result) -> list[dict[str, Any]]:
    """The alternatives but the first. Where their words were spoken is not known."""
    return [
        {"transcript": other.text, "confidence": round(other.confidence, 6), "words": []}
        for other in heard.alternatives
    ]


def search(heard: Result, terms: Sequence[str]) -> list[dict[str, Any]]:
    """`search`: every term with its hits, none for a term that was not heard."""
    return [
        {"query": term, "hits": [_hit(hit) for hit in heard.hits if hit.query == term]} for term in dict.fromkeys(terms)
    ]


def entities(heard: Result) -> list[dict[str, Any]]:
    """`entities`: each of some of the words, counted from 0; the last is not one of them."""
    return [
        {
            "label": entity.label,
            "value": entity.value,
            "raw_value": entity.raw_value,
            "confidence": round(entity.confidence, 6),
            "start_word": entity.words.start,
            "end_word": entity.words.end,
        }
        for entity in heard.entities
    ]


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "confidence": round(hit.confidence, 6),
        "start": round(hit.span.start / SAMPLE_RATE, 6),
        "end": round(hit.span.end / SAMPLE_RATE, 6),
        "snippet": hit.snippet,
    }
