"""Words that are to be written otherwise: found and replaced, or spelled as a keyterm is.

Source: https://developers.deepgram.com/docs/find-and-replace and https://developers.deepgram.com/docs/keyterm
"""

from collections.abc import Iterable, Sequence

from bridge.local.features.phrases import MARKS, Words, bare, occurrences, split, spread
from bridge.recognition import Word


def replaced(words: Words, rules: Iterable[tuple[str, str]]) -> Words:
    """The words with each of the first texts as its second, or left out where that is empty.

    A text in small letters is found in any; one with a capital is found as it is written, and goes first.
    """
    ordered = sorted(rules, key=lambda rule: rule[0] == rule[0].casefold())
    done: list[tuple[Word, bool]] = [(word, False) for word in words]
    for find, text in ordered:
        done = _applied(done, find, text)
    return tuple(word for word, _ in done)


def spelled(words: Words, keyterms: Iterable[str]) -> Words:
    """The words with each keyterm spelled as it was given."""
    return replaced(words, [(" ".join(split(term)), term) for term in keyterms if term != term.casefold()])


def _applied(words: Sequence[tuple[Word, bool]], find: str, text: str) -> list[tuple[Word, bool]]:
    """One rule; what a rule has written, which is what the flags say, is left alone by the next."""
    sensitive = find != find.casefold()
    phrase = [part.strip(MARKS) for part in find.split()] if sensitive else split(find)
    said = ["" if done else _written(word) if sensitive else bare(word) for word, done in words]
    result: list[tuple[Word, bool]] = []
    at = 0
    for found in occurrences(said, phrase):
        result += words[at : found.start]
        result += [(word, True) for word in spread([word for word, _ in words[found.start : found.end]], text)]
        at = found.end
    return [*result, *words[at:]]


def _written(word: Word) -> str:
    return word.text.rstrip(MARKS)
