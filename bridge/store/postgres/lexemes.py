"""The words of a text, as PostgreSQL's full-text index is given them and is asked for them.

PostgreSQL's own parser cuts words by the locale of the database and knows no script without blanks. So a text is cut
here: as SQLite's index does it (`index.indexed`), with English endings and accents taken off, and becomes a `tsvector`
that the database only has to keep. No text is an error of syntax.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import category, normalize

from snowballstemmer import stemmer

from bridge.store.index import indexed, shown, wanted

_MARKS = frozenset(("Mn", "Mc", "Co", "Nl", "No"))

_ACCENTS = re.compile("[\u0300-\u036f]")

_EUROPEAN = re.compile("[a-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff]")
"""Letters whose accents one may leave out; a mark of another script makes another word."""

_LONGEST_WORD = 100  # characters
_MOST_WORDS = 16_000  # of one final: PostgreSQL counts no farther

_SNIPPET = 32  # words

_porter = stemmer("porter")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is looked for."""

    words: tuple[str, ...]
    """They follow each other."""
    begins: bool
    """The last one is a beginning."""

    def query(self) -> str:
        """As a `tsquery`."""
        parts = [f"'{word}'" for word in self.words]
        return " <-> ".join(parts) + ":*" * self.begins


def terms(text: str) -> list[Term]:
    """What a search looks for."""
    found = []
    for bare, begins in wanted(text):
        words = tuple(word for word, _, _ in _words(indexed(bare)))
        if words:
            found.append(Term(words, begins))
    return found


def vector(text: str) -> str:
    """The words of a text and their places, as a `tsvector`."""
    placed = enumerate(_words(indexed(text))[:_MOST_WORDS], 1)
    return " ".join(f"'{word}':{place}" for place, (word, _, _) in placed)


def snippet(text: str, term: Term) -> str:
    """The part of a text in which a term was said."""
    cut = indexed(text)
    words = _words(cut)
    at = next((place for place in range(len(words)) if _is_at(words, place, term)), 0)
    first = max(0, min(at - _SNIPPET // 2, len(words) - _SNIPPET))
    last = first + _SNIPPET
    start = words[first][1] if first else 0
    end = words[last - 1][2] if last < len(words) else len(cut)
    return "…" * bool(first) + shown(cut[start:end]) + "…" * (last < len(words))


def _is_at(words: list[tuple[str, int, int]], place: int, term: Term) -> bool:
    said = [word for word, _, _ in words[place : place + len(term.words)]]
    if len(said) < len(term.words):
        return False
    *before, last = term.words
    return said[:-1] == before and (said[-1].startswith(last) if term.begins else said[-1] == last)


def _words(text: str) -> list[tuple[str, int, int]]:
    """Each word as it is compared, and where it stands."""
    found, begin = [], None
    for place, character in enumerate(text + " "):
        if character.isalnum() or category(character) in _MARKS:
            begin = place if begin is None else begin
        elif begin is not None:
            found.append((_plain(text[begin:place]), begin, place))
            begin = None
    return found


@lru_cache(10_000)
def _plain(word: str) -> str:
    """A word without what does not matter: capitals, accents, English endings."""
    folded = word.casefold()
    if not folded.isascii():
        bare: list[str] = []
        for character in normalize("NFD", folded):
            if _ACCENTS.match(character) and bare and _EUROPEAN.match(bare[-1]):
                continue
            bare.append(character)
        folded = normalize("NFC", "".join(bare)).encode(errors="replace").decode()
    cut = folded[:_LONGEST_WORD]
    # As SQLite does it: of `is` and `as` nothing would be left that tells them apart.
    return str(_porter.stemWord(cut)) if cut.isascii() and len(cut) > 2 else cut
