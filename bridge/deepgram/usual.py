"""Results as Deepgram nearly always sends them, read in one step: a typed decoder does in C what `messages` does field
by field.

It takes a message only if nothing in it is odd, and then reads it as `messages` would; a test holds the two against
each other. Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

import msgspec

from bridge.audio import SAMPLE_RATE, samples
from bridge.deepgram.words import ASTRAY, LARGEST
from bridge.recognition import Result, Word
from bridge.spans import Span


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float
    confidence: float
    punctuated_word: str | None = None
    speaker: int | None = None
    language: str | None = None


class _Alternative(msgspec.Struct):
    transcript: str
    confidence: float
    words: list[_Word]
    languages: list[str] | None = None


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative]
    search: None = None  # and `entities`: a message that has them is not read here


class _Results(msgspec.Struct, tag_field="type", tag="Results"):
    channel_index: list[int]
    start: float
    duration: float
    is_final: bool
    channel: _Channel
    speech_final: bool = False
    from_finalize: bool = False
    entities: None = None


_decode = msgspec.json.Decoder(_Results).decode

_make = tuple.__new__  # of a named tuple in a third of the time


def read_usual(text: str | bytes) -> Result | None:
    """The result that a message is; None if it is another message, or something in it is odd."""
    try:
        frame = _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    start, end = frame.start, frame.start + frame.duration
    if not (frame.channel_index and len(frame.channel.alternatives) == 1 and 0.0 <= start <= end <= LARGEST):
        return None
    best = frame.channel.alternatives[0]
    words = _words(best.words, start - ASTRAY, end + ASTRAY)
    if words is None or not 0.0 <= best.confidence <= 1.0 or frame.channel_index[0] < 0 or (words and start == end):
        return None
    languages = best.languages or ()
    if not all(languages):
        return None
    return Result(
        frame.channel_index[0],
        Span(samples(start), samples(end)),
        best.transcript,
        best.confidence,
        words,
        frame.is_final,
        frame.speech_final,
        frame.from_finalize,
        tuple(languages),
    )


def _words(said: list[_Word], least: float, most: float) -> tuple[Word, ...] | None:
    """Words between two moments in seconds; None if one of them is odd."""
    found = []
    for word in said:
        bare, start, end, confidence = word.word, word.start, word.end, word.confidence
        text = bare if word.punctuated_word is None else word.punctuated_word
        if not (bare and text and start >= 0.0 and least <= start <= end <= most and 0.0 <= confidence <= 1.0):
            return None
        if word.speaker is not None and not 0 <= word.speaker <= LARGEST:
            return None
        span = _make(Span, (round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)))
        found.append(Word(bare, text, span, confidence, word.speaker, word.language or None))
    return tuple(found)
