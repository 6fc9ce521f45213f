"""What is taken out: kinds by their names, and patterns of the operator's own.

Own patterns are RE2's, whose time grows with the text and with nothing else: no pattern can hold up a call.
Source: https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bridge.errors import ConfigError
from bridge.installing import with_extra

KINDS = ("card", "phone", "email", "digits")
"""What can be named in `BRIDGE_REDACT`."""

NUMBERS = frozenset(("card", "phone", "digits"))
"""Those that are made of digits."""

MARKS = frozenset((*KINDS, "cvc", "expiry"))
"""What may stand in brackets in the place of words; own patterns have labels of their own."""

_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_MOST = 100  # own patterns
_MEMORY = 8 * 2**20  # octets that one of them may take


@dataclass(frozen=True, slots=True)
class Pattern:
    """One of the operator's own."""

    label: str
    spans: Callable[[str], Iterable[tuple[int, int]]]
    """Where it matches a text."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one call; without any, nothing is taken out."""

    kinds: frozenset[str] = frozenset()
    patterns: tuple[Pattern, ...] = ()
    mute: bool = False
    """Recordings are silent there."""

    def __bool__(self) -> bool:
        return bool(self.kinds or self.patterns)

    @property
    def names(self) -> list[str]:
        """Of all that is taken out."""
        return [kind for kind in KINDS if kind in self.kinds] + [pattern.label for pattern in self.patterns]

    def stricter(self, names: Iterable[str]) -> "Rules":
        """With these kinds too; names of patterns say nothing new."""
        return Rules(self.kinds.union(name for name in names if name in KINDS), self.patterns, self.mute)


def kinds(text: str) -> frozenset[str]:
    """The kinds that a setting names, with commas between them. Raises ConfigError."""
    names = frozenset(split(text))
    if unknown := names.difference(KINDS):
        raise ConfigError(f"takes {', '.join(KINDS)}, and there {'is' if len(unknown) == 1 else 'are'} others")
    return names


def split(text: str) -> list[str]:
    """Names with commas or blanks between them."""
    return [name for name in re.split(r"[\s,]+", text.lower()) if name]


def parse_patterns(text: str) -> tuple[Pattern, ...]:
    """The patterns of a file: a label, a blank and an expression in each line; lines that begin with `#` are remarks.

    Raises ConfigError with the line that cannot be used. The expression is not repeated: it may tell secrets.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        label, _, expression = line.strip().partition(" ")
        if not _LABEL.fullmatch(label) or not expression.strip():
            raise ConfigError(f"line {number} must be a label, of small letters and digits, a blank and an expression")
        if label in MARKS:
            raise ConfigError(f"line {number}: {label} is a name of BRIDGE_REDACT; the label must be another")
        found.append(Pattern(label, _matcher(expression.strip(), number)))
    if len(found) > _MOST:
        raise ConfigError(f"has {len(found)} patterns, and may have {_MOST}")
    return tuple(found)


def _matcher(expression: str, line: int) -> Callable[[str], Iterator[tuple[int, int]]]:
    try:
        import re2  # no one without patterns needs it
    except ImportError:
        raise ConfigError(f"needs RE2: {with_extra('redact')}") from None
    options = re2.Options()
    options.log_errors = False  # which would repeat the expression
    options.case_sensitive = False
    options.max_mem = _MEMORY
    try:
        compiled: Any = re2.compile(expression, options)
    except re2.error:
        raise ConfigError(f"line {line} has an expression that RE2 does not take") from None
    if compiled.search("") is not None:
        raise ConfigError(f"line {line} has an expression that matches nothing at all, and so everywhere")
    return lambda text: (match.span() for match in compiled.finditer(text))
