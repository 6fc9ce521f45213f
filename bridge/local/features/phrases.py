"""Words as phrases: found, joined into one, and written otherwise, in the time that they took.

A word is written with the marks that follow it; what replaces it keeps them.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from bridge.recognition import Word
from bridge.spans import Span

MARKS = ",.?!;:"
"""What may follow a word in a sentence."""

Words = tuple[Word, ...]


def bare(word: Word) -> str:
    """A word as it is compared."""
    return word.word.casefold().strip(MARKS)


def mark(word: Word) -> str:
    """The marks behind it."""
    return word.text[len(word.text.rstrip(MARKS)) :]


def split(phrase: str) -> list[str]:
    """A phrase of a request as bare words."""
    return [part for part in (piece.strip(MARKS) for piece in phrase.casefold().split()) if part]


def occurrences(said: Sequence[str], phrase: Sequence[str]) -> Iterator[Span]:
    """Where a phrase stands among words, never twice over the same one."""
    at = 0
    while phrase and at + len(phrase) <= len(said):
        if list(said[at : at + len(phrase)]) == list(phrase):
            yield Span(at, at + len(phrase))
            at += len(phrase)
        else:
            at += 1


def confidence(words: Sequence[Word]) -> float:
    """Of several words together."""
    return sum(word.confidence for word in words) / (len(words) or 1)


def merged(words: Sequence[Word], text: str) -> Word:
    """One word in place of several, with the last one's marks."""
    first, last = words[0], words[-1]
    span = Span(first.span.start, last.span.end)
    return replace(first, word=text, text=text + mark(last), span=span, confidence=confidence(words))


def spread(words: Sequence[Word], text: str) -> Words:
    """Other words in place of some: one for one where there are as many, else sharing their time evenly. The last has
    the last one's marks.
    """
    texts = text.split()
    if not texts:
        return ()
    if len(texts) == len(words):
        return tuple(replace(word, word=new, text=new + mark(word)) for word, new in zip(words, texts, strict=True))
    whole = merged(words, text)
    length = whole.span.length
    edges = [whole.span.start + length * place // len(texts) for place in range(len(texts) + 1)]
    written = [*texts[:-1], texts[-1] + mark(words[-1])]
    return tuple(
        replace(whole, word=bare_text, text=full, span=Span(start, end))
        for bare_text, full, start, end in zip(texts, written, edges, edges[1:], strict=False)
    )


def capitalized(word: Word) -> Word:
    """As a sentence begins."""
    return replace(word, text=re.sub(r"^\w", lambda match: match[0].upper(), word.text))


def within(words: Sequence[Word], span: Span) -> list[Word]:
    """Those whose middle lies in a span of the audio."""
    return [word for word in words if span.start <= word.span.middle < span.end]
