"""A result taken apart into what is looked at, and put together again without what is not to be read.

The sentence is taken apart, not the list of words: it may have words that the recognizer gave no time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bridge.recognition import Entity, Redaction, Result, Word
from bridge.redaction.numbers import bare
from bridge.spans import Span
from bridge.writing import slices

_MARKS = re.compile(r"[.,!?;:…]*$")


class Token(NamedTuple):
    """A word of the sentence, with the marks around it."""

    text: str
    blank: str
    """What is between it and the next one."""
    span: Span
    word: int | None
    """Its place among the result's words; None: it has none there."""
    bare: str


class Hidden(NamedTuple):
    """Tokens that are not to be read."""

    kind: str
    first: int
    last: int
    """Of the tokens, too."""


def tokens(result: Result) -> list[Token]:
    """In the order of the sentence."""
    words = result.words
    if words and [word.text for word in words] == result.text.split(" "):  # as nearly always
        last = len(words) - 1
        return [
            Token(word.text, " " if place < last else "", word.span, place, bare(word.text))
            for place, word in enumerate(words)
        ]
    parts = slices(result.text, [word.text for word in words]) if all(word.text for word in words) else None
    if not parts:
        return list(_spread(result.text, result.span))
    found: list[Token] = []
    ends = [*(word.span.start for word in words[1:]), result.span.end]
    for place, (part, word, end) in enumerate(zip(parts, words, ends, strict=True)):
        at = part.find(word.text) + len(word.text)
        head, rest = part[: at - len(word.text)], part[at:]
        if any(map(str.isalnum, head)):
            found += _spread(head, Span(min(result.span.start, word.span.start), word.span.start))
            head = ""
        marks, blank, more = _cut(rest)
        text = f"{head}{word.text}{marks}"
        found.append(Token(text, blank, word.span, place, bare(text)))
        if more:
            found += _spread(more, Span(word.span.end, max(end, word.span.end)))
    return found


def _cut(rest: str) -> tuple[str, str, str]:
    """What stands behind a word: its marks, a blank, and words that have no time."""
    if not rest.strip():
        return "", rest, ""
    marks = rest.rstrip() if not any(map(str.isalnum, rest)) else re.split(r"(?=[\s\w])", rest, maxsplit=1)[0]
    behind = rest[len(marks) :]
    more = behind.lstrip()
    return marks, behind[: len(behind) - len(more)], more


def _spread(text: str, span: Span) -> Iterator[Token]:
    """Words without times, each with its share of a span."""
    pieces = re.findall(r"(\S+)(\s*)", text)
    each = span.length / max(1, len(pieces))
    for place, (piece, blank) in enumerate(pieces):
        begin, end = span.start + round(each * place), span.start + round(each * (place + 1))
        yield Token(piece, blank, Span(begin, end), None, bare(piece))


def token_of_text(text: str) -> list[Token]:
    """The words of a text that has no times at all."""
    return list(_spread(text, Span(0, 0)))


def without(result: Result, found: Sequence[Token], hidden: Sequence[Hidden]) -> Result:
    """The result with what stands for hidden tokens in their place: one word for each, as long as they were.

    `found`: its tokens; `hidden`: in order, none over another.
    """
    text, words = "", list[Word]()
    places: dict[int, int] = {}
    taken: dict[int, Hidden] = {}
    redacted = list(result.redacted)
    at = 0
    for each in [*hidden, Hidden("", len(found), len(found) - 1)]:
        for token in found[at : each.first]:
            text += token.text + token.blank
            if token.word is not None:
                places[token.word] = len(words)
                words.append(result.words[token.word])
        if each.kind:
            took = found[each.first : each.last + 1]
            text += marked(each.kind, took) + took[-1].blank
            span = Span(took[0].span.start, max(token.span.end for token in took))
            redacted.append(Redaction(each.kind, span))
            taken |= {token.word: each for token in took if token.word is not None}
            if result.words:
                words.append(_standing(each.kind, took, result, span))
                places |= {token.word: len(words) - 1 for token in took if token.word is not None}
        at = each.last + 1
    entities = tuple(_entities(result.entities, places, taken))
    return replace(result, text=text.strip(), words=tuple(words), entities=entities, redacted=tuple(redacted))


def marked(kind: str, took: Sequence[Token]) -> str:
    """What stands in their place in a sentence."""
    marks = _MARKS.search(took[-1].text)
    return f"[{kind}]{marks[0] if marks else ''}"


def _standing(kind: str, took: Sequence[Token], result: Result, span: Span) -> Word:
    words = [result.words[token.word] for token in took if token.word is not None]
    first = words[0] if words else None
    confidence = min((word.confidence for word in words), default=result.confidence)
    name, language = (first.speaker, first.language) if first else (None, None)
    return Word(f"[{kind}]", marked(kind, took), span, confidence, name, language)


def _entities(entities: Iterable[Entity], places: dict[int, int], taken: dict[int, Hidden]) -> Iterator[Entity]:
    """Those of the words that are left, and of each hidden stretch one, without what it says."""
    told: set[Hidden] = set()
    for entity in entities:
        named = [place for place in range(*entity.words) if place in places]
        if not named:
            continue
        over = next((taken[place] for place in named if place in taken), None)
        if over is None:
            start = places[named[0]]
            yield replace(entity, words=Span(start, places[named[-1]] + 1))
        elif over not in told:
            told.add(over)
            place = next(places[place] for place in named if place in taken)
            value = f"[{over.kind}]"
            yield replace(entity, value=value, raw_value=value, words=Span(place, place + 1))
