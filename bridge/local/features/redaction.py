"""What is not to be read, and what stands for it: `[CREDIT_CARD_1]`, numbered as they come.

Sources: https://developers.deepgram.com/docs/redaction and https://developers.deepgram.com/docs/supported-entity-types
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from bridge.local.features.entities import LABELS, runs
from bridge.local.features.phrases import Words, merged
from bridge.recognition import Entity, Word
from bridge.spans import Span

_CARD = frozenset(("CREDIT_CARD", "CREDIT_CARD_EXPIRATION", "CVV"))
GROUPS: Mapping[str, frozenset[str]] = {
    "pci": _CARD,
    "ssn": frozenset(("SSN",)),
    "numbers": _CARD | {"ACCOUNT_NUMBER", "AGE", "DATE", "DOB", "LOCATION_ZIP", "MONEY", "PHONE_NUMBER", "SSN"},
    "pii": frozenset(
        ("ACCOUNT_NUMBER", "AGE", "DOB", "EMAIL_ADDRESS", "LOCATION_ZIP", "NAME", "PHONE_NUMBER", "SSN", "URL")
    ),
    "aggressive_numbers": frozenset(),
}
"""What a group takes out; the last takes out whatever is a number."""
PARTLY = frozenset(("pii",))
"""Groups that have more kinds than are recognized here."""

_SAME = {"true": "numbers"}
_SEVERAL = 3
"""Numerals in a row that `numbers` takes out, whatever they are."""


def is_known(option: str) -> bool:
    """Whether a value of `redact` takes out anything here."""
    return _SAME.get(option, option) in GROUPS or option.upper() in LABELS


def redacted(
    words: Words, entities: Sequence[Entity], options: Iterable[str], counted: Mapping[str, int]
) -> tuple[Words, tuple[Entity, ...], dict[str, int]]:
    """The words without what is not to be read, the entities of what is left, and how many of each kind there were.

    `entities`: all of them. `counted`: how many there were before. An entity that is taken out is still told, with
    what stands for it as its value.
    """
    wanted = {_SAME.get(option, option) for option in options}
    counts = dict(counted)
    hidden = _hidden(words, entities, wanted)
    written: list[Word] = []
    places: dict[int, int] = {}
    kept: list[Entity] = []
    at = 0
    for label, span in [*hidden, (None, Span(len(words), len(words)))]:
        for place in range(at, span.start):
            places[place] = len(written)
            written.append(words[place])
        if label:
            counts[label] = counts.get(label, 0) + 1
            token = f"[{label}_{counts[label]}]"
            took = words[span.start : span.end]
            kept += [_taken_out(entity, token, len(written)) for entity in entities if _over(entity.words, span)][:1]
            written.append(merged(took, token))
        at = span.end
    for entity in entities:
        if not any(_over(entity.words, span) for _, span in hidden):
            start = places[entity.words.start]
            kept.append(replace(entity, words=Span(start, start + entity.words.length)))
    return tuple(written), tuple(sorted(kept, key=lambda entity: entity.words)), counts


def _hidden(words: Words, entities: Sequence[Entity], wanted: set[str]) -> list[tuple[str, Span]]:
    """What is taken out, in order, none over another."""
    labels = frozenset(option.upper() for option in wanted).union(*(GROUPS.get(option, ()) for option in wanted))
    found = [
        (entity.label, entity.words)
        for entity in entities
        if entity.label in labels and (entity.label not in _only_by_numbers(wanted) or _has_digits(entity))
    ]
    for span in _numerals(words, wanted):
        if not any(_over(span, other) for _, other in found):
            found.append(("NUMBER", span))
    return sorted(found, key=lambda item: item[1])


def _only_by_numbers(wanted: set[str]) -> frozenset[str]:
    """Kinds that only `numbers` asks for, which is about figures."""
    others = frozenset(option.upper() for option in wanted).union(
        *(GROUPS.get(option, ()) for option in wanted if option != "numbers")
    )
    return GROUPS["numbers"] - others if "numbers" in wanted else frozenset()


def _has_digits(entity: Entity) -> bool:
    return any(map(str.isdigit, entity.value))


def _numerals(words: Words, wanted: set[str]) -> list[Span]:
    found = runs(words)
    if "aggressive_numbers" in wanted:
        return [run.words for run in found]
    if "numbers" in wanted:
        return [run.words for run in found if len(run.numbers) >= _SEVERAL or len(run.digits) >= _SEVERAL]
    return []


def _over(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _taken_out(entity: Entity, token: str, place: int) -> Entity:
    return replace(entity, value=token, raw_value=token, words=Span(place, place + 1))
