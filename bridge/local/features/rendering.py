"""One channel's results, as they were asked for: every feature in its turn.

The order is a decision: spellings and marks first, as they are about what was said; then numbers, then what is not to
be written; then what the words that are left name; and last what is not to be read. What is searched for is looked for
among the words as they were heard, and shown as they are written.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import takewhile

from msgspec.structs import replace

from bridge.local.features.asked import NOTHING, Features
from bridge.local.features.dictation import dictated
from bridge.local.features.entities import detect
from bridge.local.features.numerals import write_numerals
from bridge.local.features.phrases import Words, spread
from bridge.local.features.profanity import masked
from bridge.local.features.redaction import redacted
from bridge.local.features.replacing import replaced, spelled
from bridge.local.features.searching import search
from bridge.recognition import Alternative, Entity, Result, Word
from bridge.spans import Span
from bridge.writing import joined


class Rendering:
    """Remembers how much was redacted in finals, as what stands for it is numbered."""

    def __init__(self, features: Features = NOTHING, *, punctuated: bool = True) -> None:
        """`punctuated`: texts have capitals and marks."""
        self.features = features
        """May be changed in between."""
        self._punctuated = punctuated
        self._counted: dict[str, int] = {}

    def render(self, heard: Result) -> Result:
        """A result with its words as they are to be read. Entities are told of finals only, as Deepgram does."""
        if self.features == NOTHING and not heard.alternatives:
            return heard
        words, entities, counted = self._words(heard.words)
        alternatives = [
            self._alternative(other, heard) for other in heard.alternatives[: self.features.alternatives - 1]
        ]
        if heard.is_final:
            self._counted = counted
        return replace(
            heard,
            words=words,
            text=self.text(words),
            entities=entities if heard.is_final and self.features.detect_entities else (),
            hits=search(heard.words, words, self.features.search),
            alternatives=tuple(alternatives),
        )

    def text(self, words: Sequence[Word]) -> str:
        """Words as one text."""
        return joined(word.text if self._punctuated else word.word for word in words)

    def _alternative(self, other: Alternative, heard: Result) -> Alternative:
        first = heard.words[:1] or (Word("", "", heard.span, other.confidence),)
        whole = replace(first[0], span=heard.span, text="")
        plain = tuple(replace(word, word=word.word.casefold()) for word in spread([whole], other.text))
        words, _, _ = self._words(plain)
        return Alternative(self.text(words), other.confidence)

    def _words(self, heard: Words) -> tuple[Words, tuple[Entity, ...], dict[str, int]]:
        asked = self.features
        words = spelled(heard, asked.keyterms)
        words = dictated(words) if asked.dictation and self._punctuated else words
        before = words
        words = write_numerals(words) if asked.numerals else words
        words = masked(words) if asked.profanity_filter else words
        words = replaced(words, asked.replace)
        if not (asked.detect_entities or asked.redact):
            return words, (), self._counted
        entities = tuple(_as_said(entity, words, before) for entity in detect(words))
        return redacted(words, entities, asked.redact, self._counted)


def _as_said(entity: Entity, words: Words, heard: Words) -> Entity:
    """An entity with its raw value from before its numbers were written in digits."""
    named = words[entity.words.start : entity.words.end]
    span = Span(named[0].span.start, named[-1].span.end)
    first = bisect_left(heard, span.start, key=lambda word: word.span.start)
    following = (heard[place] for place in range(first, len(heard)))
    near = takewhile(lambda word: word.span.start <= span.end, following)
    said = [word.word for word in near if word.span.end <= span.end]
    return replace(entity, raw_value=joined(said) or entity.raw_value)
