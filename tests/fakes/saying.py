"""Words as a recognizer hears them, from a text: half a second each, one after the other."""

import re

from bridge.recognition import Word
from bridge.spans import Span

EACH = 4000
"""Samples of a word."""


def said(text, start=0, **known):
    """The words of a text, written as they stand there."""
    return tuple(
        Word(
            re.sub(r"[,.?!;:]+$", "", word).lower(),
            word,
            Span(start + place * EACH, start + (place + 1) * EACH),
            0.9,
            **known,
        )
        for place, word in enumerate(text.split())
    )


def text(words):
    """As they are written."""
    return " ".join(word.text for word in words)


def bare(words):
    """Without marks."""
    return " ".join(word.word for word in words)
