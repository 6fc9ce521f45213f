"""What a recognizer says of a call's audio, in our own words, whatever made them.

A recognizer's dialect (`deepgram/messages`) makes these, with positions in the audio of its own connection; the session
moves them to their place in the call. Assembler and coverage know these and no vendor, so that another recognizer is
a dialect beside Deepgram's, as `vosk/` is. Positions are samples.

They are structs, which cost a tenth of a dataclass to make: every word that is heard is made one.
"""

from collections.abc import Callable

import msgspec
from msgspec import structs

from bridge.spans import Span


class Word(msgspec.Struct, frozen=True, gc=False):
    """One word of a result."""

    word: str
    """Bare: lower case, no punctuation."""
    text: str
    """As it stands in the sentence."""
    span: Span
    confidence: float
    """0 to 1."""
    speaker: int | None = None
    """Number of a voice within its channel, where the recognizer tells voices apart."""
    language: str | None = None
    """BCP 47 tag, where the recognizer names one for each word."""


class Alternative(msgspec.Struct, frozen=True, gc=False):
    """What may have been said instead."""

    text: str
    confidence: float
    """0 to 1."""


class Hit(msgspec.Struct, frozen=True, gc=False):
    """Where a term that was searched for may have been said."""

    query: str
    """The term."""
    span: Span
    confidence: float
    """0 to 1."""
    snippet: str
    """What was heard there."""


class Entity(msgspec.Struct, frozen=True, gc=False):
    """Words that name something: a person, an amount, a card number."""

    label: str
    """What kind of thing, in the recognizer's own names."""
    value: str
    """As it is written."""
    raw_value: str
    """As it was said."""
    confidence: float
    """0 to 1."""
    words: Span
    """Which of the result's words, half-open."""


class Redaction(msgspec.Struct, frozen=True, gc=False):
    """Where something was said that is not to be read."""

    kind: str
    span: Span


class Result(msgspec.Struct, frozen=True, gc=False):
    """What is believed of one span of one channel."""

    channel: int
    """From 0: its place in the interleaved audio."""
    span: Span
    text: str
    """Empty for silence."""
    confidence: float
    """In the text, 0 to 1; 0 for silence."""
    words: tuple[Word, ...]
    """In the order of the text; a word that could not be read is missing here, but not in the text."""
    is_final: bool
    """No later result covers this span; an interim may cover more than its final does."""
    ends_turn: bool = False
    """The speaker pauses after it. Finals up to one of these are a turn."""
    from_finalize: bool = False
    """The answer to our asking for the final at once."""
    languages: tuple[str, ...] = ()
    """The most frequent first; empty where the recognizer names none."""
    alternatives: tuple[Alternative, ...] = ()
    """Further ones, the likeliest first."""
    hits: tuple[Hit, ...] = ()
    """Of terms that were searched for."""
    entities: tuple[Entity, ...] = ()
    """In the order of their words."""
    redacted: tuple[Redaction, ...] = ()
    """What was taken out here, in order."""

    @property
    def language(self) -> str | None:
        """The one that was heard most."""
        return self.languages[0] if self.languages else None


def part(result: Result, span: Span, words: tuple[Word, ...], text: str) -> Result:
    """What a result says in `span`: of its words these, in their order, and of the rest what belongs to them."""
    places = {id(word): place for place, word in enumerate(words)}
    entities = []
    for entity in result.entities:
        named = result.words[entity.words.start : entity.words.end]
        if named and all(id(word) in places for word in named):
            first = places[id(named[0])]
            entities.append(structs.replace(entity, words=Span(first, first + len(named))))
    hits = tuple(hit for hit in result.hits if span.start <= hit.span.middle < span.end)
    return structs.replace(
        result, span=span, words=words, text=text, alternatives=(), hits=hits, entities=tuple(entities)
    )


def moved(result: Result, place: Callable[[Span], Span]) -> Result:
    """A result with every span in its place elsewhere."""
    return structs.replace(
        result,
        span=place(result.span),
        words=tuple(structs.replace(word, span=place(word.span)) for word in result.words),
        hits=tuple(structs.replace(hit, span=place(hit.span)) for hit in result.hits),
    )


class TurnEnd(msgspec.Struct, frozen=True, gc=False):
    """No word has followed a final one for some time."""

    channel: int
    last_word_end: int | None
    """Where the turn's last word ended; None: that turn has been ended already."""


class SpeechStart(msgspec.Struct, frozen=True, gc=False):
    """The voice activity detector heard speech begin; no word need start there."""

    channel: int
    at: int


class EagerEnd(msgspec.Struct, frozen=True, gc=False):
    """The speaker may be done: if so, the turn's final will say what its interim says now."""

    channel: int
    at: int
    """How far the audio was heard by then."""
    text: str
    confidence: float
    """That the turn is over, 0 to 1."""


class TurnGoesOn(msgspec.Struct, frozen=True, gc=False):
    """The turn goes on after its `EagerEnd`."""

    channel: int
    at: int
    """As there."""


Recognized = Result | TurnEnd | SpeechStart | EagerEnd | TurnGoesOn
