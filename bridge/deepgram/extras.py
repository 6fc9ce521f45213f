"""What Deepgram says of a result beside its words: the model, and, where they were asked for, further alternatives,
hits of a search, entities. Read field by field as `words` are: what is odd costs itself.

Sources: https://developers.deepgram.com/reference/speech-to-text/listen-streaming and the pages on search and entity
detection beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bridge.audio import samples
from bridge.deepgram.words import Oddities, clean, moment, share
from bridge.recognition import Alternative, Entity, Hit
from bridge.spans import Span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Model:
    """Which model heard something, in Deepgram's words."""

    name: str
    version: str


def read_model(value: object) -> Model | None:
    """`model_info`: name and version; None where it does not tell them."""
    if not isinstance(value, dict):
        return None
    name, version = (clean(value.get(field))[:80] for field in ("name", "version"))
    return Model(name, version) if name else None


def read_alternatives(value: list[Any], odd: Oddities) -> tuple[Alternative, ...]:
    """Those after the best one."""
    return _read(value, _alternative, odd)


def read_hits(value: object, odd: Oddities) -> tuple[Hit, ...]:
    """`search`: for each term its hits, in seconds of the socket's audio. A term without a hit says nothing."""
    found: list[Hit] = []
    for term in _list(value, odd):
        query = clean(term.get("query")) if isinstance(term, dict) else ""
        if query:
            found += _read(_list(term.get("hits"), odd), lambda raw, query=query: _hit(query, raw), odd)  # type: ignore[misc]
        else:
            odd.fields += 1
    return tuple(found)


def read_entities(value: object, told: object, words: int, odd: Oddities) -> tuple[Entity, ...]:
    """`entities`: each of some of the words, which it counts from 0. `told`: the words as Deepgram tells them; `words`:
    how many of them could be read: where one is missing others would be meant, and no entity is believed.
    """
    countable = words if isinstance(told, list) and len(told) == words else 0
    found = _read(_list(value, odd), lambda raw: _entity(raw, countable), odd)
    return tuple(sorted(found, key=lambda entity: entity.words))


def _read(value: list[Any], read: Callable[[dict[str, Any]], T | None], odd: Oddities) -> tuple[T, ...]:
    found = [read(raw) if isinstance(raw, dict) else None for raw in value]
    odd.fields += found.count(None)
    return tuple(one for one in found if one is not None)


def _list(value: object, odd: Oddities) -> list[Any]:
    odd.fields += not (value is None or isinstance(value, list))
    return value if isinstance(value, list) else []


def _alternative(raw: dict[str, Any]) -> Alternative | None:
    text = raw.get("transcript")
    return Alternative(clean(text), share(raw.get("confidence")) or 0.0) if isinstance(text, str) else None


def _hit(query: str, raw: dict[str, Any]) -> Hit | None:
    start, end, confidence = moment(raw.get("start")), moment(raw.get("end")), share(raw.get("confidence"))
    if start is None or end is None or confidence is None:
        return None
    return Hit(query, Span(samples(start), samples(max(start, end))), confidence, clean(raw.get("snippet")))


def _entity(raw: dict[str, Any], words: int) -> Entity | None:
    label, value = clean(raw.get("label")), clean(raw.get("value"))
    first, end = raw.get("start_word"), raw.get("end_word")
    if type(first) is not int or type(end) is not int or not (label and 0 <= first < end <= words):
        return None
    said = clean(raw.get("raw_value")) or value
    return Entity(label, value or said, said, share(raw.get("confidence")) or 0.0, Span(first, end))
