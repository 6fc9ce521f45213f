"""What a reader may do, and with which calls: the tokens of `BRIDGE_READ_TOKENS`, and those of a file with less.

[[token]]
name = "crm"                      # the audit log calls the reader so
token = "…"                       # at least 16 characters
rights = ["read"]                 # read, control, delete; all of them where this is left out
numbers = ["+15550123"]           # only calls from or to these; those of every number where this is left out

read      lists, reads, follows and hears calls, and hands out links to them
control   pauses, configures and stops calls that go on, and has them delivered again
delete    deletes calls
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bridge import values
from bridge.errors import ConfigError

Right = Literal["read", "control", "delete", "audit"]

RIGHTS: tuple[Right, ...] = get_args(Right)

_LONGEST_NAME = 64  # characters
_FIELDS = frozenset(("name", "token", "rights", "numbers"))


@dataclass(frozen=True, slots=True)
class Reader:
    """A token, and what it gives."""

    name: str
    token: str = field(repr=False)
    rights: frozenset[Right] = frozenset(RIGHTS)
    numbers: tuple[str, ...] = ()
    """Empty: the calls of every number."""

    def sees(self, *parties: str | None) -> bool:
        """Whether a call between these parties is one of the reader's."""
        return not self.numbers or any(party in self.numbers for party in parties)


def unlimited(tokens: Iterable[str]) -> list[Reader]:
    """Readers who may do everything, named in the order of their tokens."""
    return [Reader(f"token {place}", token) for place, token in enumerate(tokens, 1)]


def parse(text: str) -> list[Reader]:
    """The readers of a file. Raises ConfigError with a sentence that names the token, and not its text."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):  # its text may quote a token
        raise ConfigError("is no TOML: it consists of [[token]] tables, with texts in quotes") from None
    tables = document.pop("token", [])
    if document or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError("may have [[token]] tables only")
    readers = [_reader(table, place) for place, table in enumerate(tables, 1)]
    if not readers:
        raise ConfigError("has no [[token]] table")
    for what, found in (("name", [reader.name for reader in readers]), ("token", [one.token for one in readers])):
        if len(set(found)) < len(found):
            raise ConfigError(f"two of its tables have the same {what}")
    return readers


def _reader(table: Mapping[str, Any], place: int) -> Reader:
    name = table.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ConfigError(f"[[token]] number {place} needs a name of 1 to {_LONGEST_NAME} characters")
    if unknown := sorted(table.keys() - _FIELDS):
        raise ConfigError(f"the token {name} has {unknown[0]!r}: there are {', '.join(sorted(_FIELDS))}")
    rights, numbers = _texts(table, "rights", name), _texts(table, "numbers", name)
    if not set(rights) <= set(RIGHTS):
        raise ConfigError(f"the token {name} has a right that there is not: there are {', '.join(RIGHTS)}")
    for key in ("rights", "numbers"):
        if table.get(key) == []:
            raise ConfigError(f"the token {name} has no {key}: leave the line out for all of them")
    given = frozenset(right for right in RIGHTS if right in rights)
    return Reader(name.strip(), _token(table.get("token"), name), given or frozenset(RIGHTS), numbers)


def _token(given: object, name: str) -> str:
    try:
        return values.long_enough(values.secret(values.trimmed(given if isinstance(given, str) else "")))
    except ValueError:
        raise ConfigError(f"the token {name} needs a token of at least 16 characters without blanks") from None


def _texts(table: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) and text.strip() for text in found):
        raise ConfigError(f"{key} of the token {name} must be a list of texts in quotes")
    return tuple(text.strip() for text in found)
