"""Which digits words are: written in any grouping, or said in English, German, Spanish or French.

What is no string of digits is told apart: amounts, times, dates, decimals, and numbers with thousands in them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bridge.redaction import spoken
from bridge.redaction.spoken import Table

LONG = 13
"""So many digits in one word are a string of digits, whatever stands between them."""


class Atom(NamedTuple):
    """Digits that are said or written as one."""

    digits: str
    first: int
    """The token that it begins in."""
    last: int
    """The one that it ends in."""


class Run(NamedTuple):
    """Atoms that follow one another, with nothing between them but what people say while they read."""

    atoms: tuple[Atom, ...]
    measured: bool
    """What follows says what it counts: dollars, minutes."""

    @property
    def digits(self) -> str:
        return "".join(atom.digits for atom in self.atoms)

    @property
    def first(self) -> int:
        return self.atoms[0].first

    @property
    def last(self) -> int:
        return self.atoms[-1].last

    @property
    def is_year(self) -> bool:
        """Said or written as a year of a lifetime, or as several."""
        said = [atom.digits for atom in self.atoms]
        if len(said) == 2 and all(len(digits) == 2 for digits in said):
            said = ["".join(said)]
        return all(len(digits) == 4 and "1900" <= digits <= "2099" for digits in said)


_EDGES = "\"'“”‘’«»„…¿¡.,;:!?#*"
_BRACKETS = "[]{}<>‹›|/\\"
"""Marks around what is read, but not around a word such as `[card]`, which stands for it."""
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0f\ufeff\u20e3]")
"""Marks of direction, of no width, and what makes a key of a digit."""
_SEPARATED = re.compile(r"\+?\(?\d+\)?(?:[-–—.·_()\s]{1,3}\d+)*")
_DAY = r"(0?[1-9]|[12]\d|3[01])"
_DATE = re.compile(rf"{_DAY}([-./]){_DAY}\2(\d{{4}}|\d{{2}})|\d{{4}}([-./])\d{{1,2}}\5\d{{1,2}}")
_DECIMAL = re.compile(r"\d+[.,]\d+")
_VERSION = re.compile(r"\d+(\.\d+)*\.\d(\.\d+)*")
_WITHIN = re.compile(r"(?<![a-z\d])\+?\(?\d[-–—.·_()\d]{5,}\d(?![a-z\d])")
"""Many digits within a word: behind `tel:`, or in a script without blanks."""
_ALONE = re.compile(r"(\+?1[-. ]?)?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}")
"""Written as a telephone number of North America: it begins and ends there."""
_MOST_FILLERS = 4


def bare(text: str) -> str:
    """Small letters, plain digits, and no marks around it."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
    if not plain.isascii():
        plain = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in plain)
    plain = plain.strip(_EDGES)
    if not plain.isalpha() and ("@" in plain or any(map(str.isdecimal, plain))):
        plain = plain.strip(_EDGES + _BRACKETS)
    return plain.casefold()


def written(word: str) -> str | None:
    """The digits of one bare word, if that is what it is."""
    if word.isdecimal():
        return word
    digits = "".join(filter(str.isdecimal, word))
    if len(digits) >= LONG:
        return digits
    if digits and not _SEPARATED.fullmatch(word):
        within = _WITHIN.search(word)
        word = within[0] if within else ""
        digits = "".join(filter(str.isdecimal, word))
    if not digits:
        return None
    return None if any(other.fullmatch(word) for other in (_DATE, _DECIMAL, _VERSION)) else digits


def runs(words: Sequence[str], languages: frozenset[str]) -> list[Run]:
    """Every run of digits among bare words, in order."""
    table = spoken.table(languages)
    if not any(word in table or _has_digits(word) or "-" in word for word in words):
        return []
    found: list[Run] = []
    atoms: list[Atom] = []
    for atom in _atoms(words, table):
        if atoms and not _joined(words, atoms[-1], atom):
            found.append(_run(atoms, words))
            atoms = []
        if atom.digits:
            atoms.append(atom)
        elif atoms:  # an amount takes no part in it
            found.append(_run(atoms, words))
            atoms = []
    if atoms:
        found.append(_run(atoms, words))
    return found


def is_telephone(word: str) -> bool:
    """Whether a bare word is written as a telephone number, and as nothing else."""
    return _ALONE.fullmatch(word) is not None


def only_fillers(words: Sequence[str]) -> bool:
    """Whether nothing is said there that would end a run."""
    return len(words) <= _MOST_FILLERS and all(
        not word or word in spoken.BETWEEN or _names_group(words, place - 1) for place, word in enumerate(words)
    )


def _names_group(words: Sequence[str], place: int) -> bool:
    """Whether "the next four" is said there, before four digits."""
    return 0 <= place < len(words) - 1 and words[place] in spoken.GROUPS and words[place + 1] in spoken.COUNTS


def _joined(words: Sequence[str], before: Atom, atom: Atom) -> bool:
    alone = any(is_telephone(words[each.first]) for each in (before, atom))
    return not alone and only_fillers(words[before.last + 1 : atom.first])


def _run(atoms: list[Atom], words: Sequence[str]) -> Run:
    after = words[atoms[-1].last + 1 : atoms[-1].last + 2]
    return Run(tuple(atoms), bool(after) and after[0] in spoken.UNITS)


def _atoms(words: Sequence[str], table: Table) -> Iterator[Atom]:
    """In order; one without digits is a number that is no string of digits."""
    parts = [(part, place) for place, word in enumerate(words) for part in _parts(word)]
    said = [word for word, _ in parts]
    at, before = 0, False
    while at < len(parts):
        word, place = parts[at]
        if _names_group(said, at):
            at += 2
            continue
        if _has_digits(word) and (digits := written(word)) is not None:
            yield Atom(digits, place, place)
            at, before = at + 1, True
            continue
        digits, taken = _said(parts, at, table, before)
        if taken:
            yield Atom(digits, place, parts[at + taken - 1][1])
            at, before = at + taken, bool(digits)
        else:
            before = before and word in spoken.FILLERS
            at += 1


def _has_digits(word: str) -> bool:
    return not word.isalpha() and any(map(str.isdecimal, word))


def _parts(word: str) -> list[str]:
    """`forty-one` is two words; what has digits in it is one."""
    return [word] if "-" not in word or _has_digits(word) else word.split("-")


_Parts = Sequence[tuple[str, int]]


def _said(parts: _Parts, at: int, table: Table, before: bool) -> tuple[str, int]:
    """The digits that are said from there on, and how many words they take; 0: none are."""
    times = spoken.TIMES.get(parts[at][0], 1)
    if times > 1:
        digit, taken = _phrase(parts, at + 1, table)
        return (digit * times, taken + 1) if len(digit) == 1 else ("", 0)
    if parts[at][0] in spoken.LETTERS and not (before or _said_next(parts, at + 1, table)):
        return "", 0
    digits, taken = _phrase(parts, at, table)
    if not taken:
        return "", 0
    if (follows := parts[at + taken : at + taken + 1]) and follows[0][0] in spoken.HUNDREDS:
        taken += 1
        and_ = at + taken < len(parts) and parts[at + taken][0] in spoken.AND
        rest, more = _phrase(parts, at + taken + and_, table)
        fits = more and len(rest) <= 2 and rest != "0"
        digits += rest.zfill(2) if fits else "00"
        taken += more + and_ if fits else 0
    if (follows := parts[at + taken : at + taken + 1]) and follows[0][0] in spoken.THOUSANDS:
        return "", taken + 1
    return digits, taken


def _said_next(parts: _Parts, at: int, table: Table) -> bool:
    return at < len(parts) and (parts[at][0] in spoken.TIMES or _phrase(parts, at, table)[1] > 0)


def _phrase(parts: _Parts, at: int, table: Table) -> tuple[str, int]:
    """The longest number below a hundred that begins there."""
    if at >= len(parts):
        return "", 0
    for phrase, digits in table.get(parts[at][0], ()):
        if all(at + n < len(parts) and parts[at + n][0] == word for n, word in enumerate(phrase)):
            return digits, len(phrase)
    return "", 0
