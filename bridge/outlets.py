"""Which endpoints a call goes to: decided once, when it begins, by the number that was called. Values only.

An outlet is an endpoint as the settings have it. It gets every call, or those to its own numbers, or those to numbers
that no other one has. A call may name a URL of its own: then that is its endpoint in the place of the usual ones, under
the id of the outlet that allows it and something of the URL, `tenants@1f0c…`, with lanes and a health of its own.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

_NAMED = "@"
"""Stands in no outlet's name."""

_SPACING = re.compile(r"[\s()./\u002d\u00ad\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
"""Between the digits of a number: with what is pasted from a page, too."""

_DIGITS = re.compile(r"\+?[0-9*#]+")

OTHERS: Literal["others"] = "others"


@dataclass(frozen=True, slots=True)
class Outlet:
    """What the store knows of an endpoint."""

    name: str
    numbers: frozenset[str] | Literal["others"] | None = None
    """The numbers whose calls it gets; None: all calls. `others`: those to numbers that no outlet has."""
    is_usual: bool = False
    """A call that names an endpoint of its own does without it."""
    is_pattern: bool = False
    """It has no URL: calls name theirs."""


@dataclass(frozen=True, slots=True)
class Named:
    """An endpoint that a call has named."""

    endpoint: str
    """Its id in the lanes."""
    url: str


class Outlets:
    """All of them."""

    def __init__(self, outlets: Iterable[Outlet] = ()) -> None:
        self._all = tuple(map(_plain, outlets))
        self._numbers = frozenset(number for each in self._all for number in _own(each))
        self.names = tuple(each.name for each in self._all if not each.is_pattern)
        """Those with a URL."""
        self.patterns = tuple(each.name for each in self._all if each.is_pattern)

    def of(self, called: str | None, *, named: bool = False) -> tuple[str, ...]:
        """The names of those that get a call to this number. `named`: the call names an endpoint of its own."""
        number = plain_number(called or "")
        return tuple(
            each.name
            for each in self._all
            if not each.is_pattern and not (named and each.is_usual) and self._takes(each, number)
        )

    def knows(self, endpoint: str) -> bool:
        """Whether the settings have this endpoint, or the pattern that it was made of."""
        return endpoint in self.names or pattern_of(endpoint) in self.patterns

    def _takes(self, outlet: Outlet, number: str) -> bool:
        if outlet.numbers is None:
            return True
        return number not in self._numbers if outlet.numbers == OTHERS else number in outlet.numbers


def outlets_of(endpoints: "Outlets | Sequence[str]") -> Outlets:
    """Names alone are outlets that get every call."""
    return endpoints if isinstance(endpoints, Outlets) else Outlets(map(Outlet, endpoints))


def named(pattern: str, url: str) -> Named:
    """A call's own endpoint: always the same one for a URL."""
    return Named(f"{pattern}{_NAMED}{hashlib.sha256(url.encode()).hexdigest()[:16]}", url)


def pattern_of(endpoint: str) -> str | None:
    """The name of the outlet that allowed a call's own endpoint; None for one of the settings."""
    name, at, _ = endpoint.partition(_NAMED)
    return name if at else None


def plain_number(text: str) -> str:
    """A number as it is compared: its digits, however they are written, for one carrier sends a + and another does not.
    What is no number, such as a SIP address, is compared as it is."""
    text = unicodedata.normalize("NFKC", text).strip().lower()
    number = _SPACING.sub("", text)
    return number.removeprefix("+") if _DIGITS.fullmatch(number) else text


def _plain(outlet: Outlet) -> Outlet:
    """With its numbers as they are compared."""
    if not isinstance(outlet.numbers, frozenset):
        return outlet
    return replace(outlet, numbers=frozenset(map(plain_number, outlet.numbers)))


def _own(outlet: Outlet) -> frozenset[str]:
    return outlet.numbers if isinstance(outlet.numbers, frozenset) else frozenset()
