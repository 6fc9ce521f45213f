"""What a recognizer says of a call's audio, in our own words, whatever made them.

A recognizer's dialect (`deepgram/messages`) makes these, with positions in the audio of its own connection; the session
moves them to their place in the call. Assembler and coverage know these and no vendor, so that a second recognizer is
a package beside `deepgram/`. Positions are samples.

They are structs, which cost a tenth of a dataclass to make: every word that is heard is made one.
"""

import msgspec

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

    @property
    def language(self) -> str | None:
        """The one that was heard most."""
        return self.languages[0] if self.languages else None


class TurnEnd(msgspec.Struct, frozen=True, gc=False):
    """No word has followed a final one for some time."""

    channel: int
    last_word_end: int | None
    """Where the turn's last word ended; None: that turn has been ended already."""


class SpeechStart(msgspec.Struct, frozen=True, gc=False):
    """The voice activity detector heard speech begin; no word need start there."""

    channel: int
    at: int


Recognized = Result | TurnEnd | SpeechStart
