"""Changes of what a peer sends, by chance: a message dropped, doubled, moved, or with one field that is odd. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Path = tuple[str | int, ...]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *(
        "",
        " ",
        "0",
        "-1",
        "1e5",
        "NaN",
        "abc",
        "ünïcødé \u2028 \ud83d\ude00",
        "\ud800",
        "\x00",
        "x" * 5000,
        "\r\nEvil: yes",
    ),
    *([], {}, [None], [[]], {"": None}, [1, 2, 3], {"a": {"b": {}}}),
)
"""What may stand where something else belongs."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What was done to a sequence of messages."""

    messages: tuple[str, ...]
    what: str
    at: int
    """Number of the message that was changed."""
    moved: bool = False
    """Only their order has changed, or one came twice."""


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, the whole of it aside."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def mutate(messages: Sequence[str], random: Random, places: Sequence[int] | None = None) -> Mutation:
    """One change. `places`: the messages that may be changed; by default any."""
    at = random.choice(places if places is not None else range(len(messages)))
    changed = list(messages)
    match random.randrange(10):
        case 0:
            del changed[at]
            return Mutation(tuple(changed), "dropped", at)
        case 1:
            changed.insert(min(len(changed), at + random.choice((0, 1, 2, 9))), messages[at])
            return Mutation(tuple(changed), "came twice", at, moved=True)
        case 2:
            to = min(len(changed) - 1, at + random.choice((1, 2, 3)))
            changed.insert(to, changed.pop(at))
            return Mutation(tuple(changed), f"moved to {to}", at, moved=True)
        case 3:
            changed[at] = octets(messages[at], random)
            return Mutation(tuple(changed), "its text broken", at)
        case _:
            changed[at], what = field(messages[at], random)
            return Mutation(tuple(changed), what, at)


def field(message: str, random: Random) -> tuple[str, str]:
    """One field of a JSON message dropped, made odd, doubled or put into another's place; and how."""
    value = json.loads(message)
    places = list(paths(value))
    if not places:
        return octets(message, random), "its text broken"
    path = random.choice(places)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    last = path[-1]
    match random.randrange(6):
        case 0:
            del holder[last]
            return json.dumps(value), f"{path} dropped"
        case 1 if isinstance(holder, dict):
            odd = random.choice(ODD)
            text = json.dumps(value)
            key = f"{json.dumps(last)}: "
            return text.replace(key, f"{key}{json.dumps(odd)}, {key}", 1), f"{path} said twice, first as {odd!r:.40}"
        case 2:
            other = value
            for key in random.choice(places):
                other = other[key]
            holder[last] = other if other is not holder else None
            try:
                return json.dumps(value), f"{path} like another field"
            except ValueError:  # it holds itself
                return message, "nothing"
        case _:
            holder[last] = random.choice(ODD)
            return json.dumps(value), f"{path} is {holder[last]!r:.40}"


def octets(text: str, random: Random) -> str:
    """A text with a piece of it lost, doubled, or replaced."""
    begin = random.randrange(len(text) + 1)
    end = min(len(text), begin + random.choice((0, 1, 1, 2, 10, 10**6)))
    new = random.choice(("", text[begin:end] * 2, chr(random.randrange(0x250)), "}", '"', "\\", "\x00", "[" * 3000))
    return text[:begin] + new + text[end:]
