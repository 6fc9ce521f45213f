"""E-mail addresses among words: written, or said as "anna dot smith at example dot com"."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from bridge.redaction.spoken import LANGUAGES, table, words_of

_WRITTEN = re.compile(r"[^\s@]+@[^\s@]\S*")  # or several
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,24}")
_PIECE = re.compile(r"[\w.+'-]+")

_AT = frozenset(("at", "arroba", "arobase", "@", "ät"))
_SIGN = (("the", "rate", "of"), ("the", "rate"), ("sign",), ("symbol",))
_DOTS = frozenset(("dot", "point", "punkt", "punto", "."))
_SIGNS = frozenset(
    ("underscore", "dash", "hyphen", "plus", "minus", "unterstrich", "bindestrich", "guion", "guión", "tiret", "_", "-")
)
_TOP = words_of(
    """
    com org net edu gov info biz io co ai app dev de at ch uk us ca au nz ie fr es it nl be eu pl pt se no dk fi mx
    ar br cl jp in email online shop me tv cloud tech
    """
)
_HOSTS = words_of(
    """
    gmail googlemail hotmail yahoo outlook icloud gmx aol proton protonmail web t-online orange freenet
    """
)
"""Known without what comes after their dot."""
_NO_NAMES = words_of(
    """
    look looking work working works is are am was it me us them him her you available found find online buy bought
    sold order ordered shop shopping stay staying arrive meet here there back up be visit see read posted sign
    signed registered register hosted website site page pages i we they he she
    """
)
"""What stands before an `at` that is a preposition, where nothing else says that it is none."""

_CUES = words_of("email e-mail emails mail mailadresse e-mail-adresse correo courriel gmail")

_DIGITS = table(LANGUAGES)


class Address(NamedTuple):
    """Where one stands among the tokens, both ends included."""

    first: int
    last: int


def addresses(words: Sequence[str]) -> list[Address]:
    """Those among bare words, in order."""
    found: list[Address] = []
    for place, word in enumerate(words):
        if found and place <= found[-1].last:
            continue
        if "@" in word and _WRITTEN.fullmatch(word):
            found.append(Address(place, _more_host(words, place)))
        elif word in _AT and place and (last := _host(words, place + 1 + _sign(words, place))) is not None:
            first = _local(words, place - 1)
            if first is not None:
                found.append(Address(max(first, found[-1].last + 1 if found else 0), last))
    return found


def begun(words: Sequence[str], *, asked: bool = False) -> int | None:
    """Where an address begins that may go on after the last word. `asked`: the other has just asked for one."""
    end = len(words) - 1
    for at in range(end, max(0, end - 5), -1):
        if words[at] in _AT:
            first = _local(words, at - 1) if _is_begun_host(words[at + 1 :]) else None
            # "The meeting at" is none, where no one speaks of mail.
            return first if first is not None and (first < at - 1 or asked or _is_asked(words[:first])) else None
    for dot, last in ((end, end - 1), (end - 1, end)):
        if dot > 0 and (words[dot] in _DOTS or words[dot] == "underscore"):
            return _local(words, last)
    return None


def is_cue(word: str) -> bool:
    """Whether a word says that an address may follow."""
    return word in _CUES


def _is_asked(words: Sequence[str]) -> bool:
    return any(word in _CUES for word in words[-10:])


def _is_begun_host(words: Sequence[str]) -> bool:
    return all(_PIECE.fullmatch(word) for word in words) and all(word in _DOTS | _SIGNS for word in words[1::2])


def _more_host(words: Sequence[str], place: int) -> int:
    """`anna@example` may be followed by a spoken `dot com`."""
    last = place
    while last + 2 < len(words) and words[last + 1] in _DOTS and _PIECE.fullmatch(words[last + 2]):
        last += 2
    return last


def _sign(words: Sequence[str], at: int) -> int:
    """How many words go with an "at", as in "at sign" and "at the rate of"."""
    for phrase in _SIGN:
        if tuple(words[at + 1 : at + 1 + len(phrase)]) == phrase:
            return len(phrase)
    return 0


def _host(words: Sequence[str], start: int) -> int | None:
    """Where a host's name ends that begins there."""
    if start >= len(words):
        return None
    if _HOST.fullmatch(words[start]) and words[start].rpartition(".")[2] in _TOP:
        return start
    last, top = start, None
    while last < len(words) and _PIECE.fullmatch(words[last]):
        follows = words[last + 1] if last + 1 < len(words) else ""
        if follows in _DOTS and last + 2 < len(words):
            last += 2
            if words[last] in _TOP or words[last].rpartition(".")[2] in _TOP:
                top = last
        elif follows in _SIGNS and last + 2 < len(words):
            last += 2
        elif _is_letter(words[last]) and last + 1 < len(words) and last - start < 20:
            last += 1  # it is spelled
        else:
            break
    if top is None and words[start] in _HOSTS:
        return start
    return top


def _local(words: Sequence[str], last: int) -> int | None:
    """Where the part before the `at` begins that ends there; None: it is none."""
    first = last
    if first < 0 or not _PIECE.fullmatch(words[first]):
        return None
    while first >= 1:
        before = words[first - 1]
        if first >= 2 and (before in _DOTS or before in _SIGNS) and _PIECE.fullmatch(words[first - 2]):
            first -= 2
        elif (
            _is_letter(before)
            or (before in _SHORT and len(words[first]) == 1)
            or (_is_digit(before) and before != "one")
        ):
            first -= 1  # spelled letters, or digits before what there is
        elif _is_digit(words[first]) and _PIECE.fullmatch(before) and before not in _NO_NAMES and before not in _WORDS:
            first -= 1  # a name before its digits
        else:
            break
    return None if first == last and (words[first] in _NO_NAMES or _is_digit(words[first])) else first


_SHORT = frozenset("ai")
"""Letters that are words."""

_WORDS = words_of("is it's the a and my to for of email address mail at on in as")


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word.isalpha() and word not in _SHORT


def _is_digit(word: str) -> bool:
    return word.isdecimal() or word in _DIGITS
