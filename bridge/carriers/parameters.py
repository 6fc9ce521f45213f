"""The parameters of a stream that have a meaning here: `from`, `to`, `direction`, `token`, `speaker.inbound` ….

Carriers pass what a developer attaches to a stream as names with values, and the names are the developer's to choose.
So one of ours counts only where its value has the form of what we write there; a `token` or a `direction` of the
developer's own stays among the developer's parameters. `twiml/document.py` writes the same names.
"""

import re
from collections.abc import Mapping
from typing import Any

from bridge.carriers.messages import Started
from bridge.events import TRACKS, Direction, Track

FROM, TO, DIRECTION, TOKEN = "from", "to", "direction", "token"

SPEAKER = "speaker."
"""`speaker.inbound` and `speaker.outbound` name the speaker of a track."""

_PARTY = re.compile(
    r"[+*#0-9][*#0-9]{0,31}|(?:sips?|tel|client|sim|whatsapp|[a-z]{1,12}):\S+|[^\s@]+@[^\s@]+"
    r"|anonymous|restricted|unavailable|unknown|private|blocked",
    re.IGNORECASE,
)
"""A number, an address, or what carriers write where a number is withheld."""

_DIRECTION = re.compile(r"(inbound|outbound)(?:-[a-z]+)?")
"""Twilio's `outbound-api` and `outbound-dial` are `outbound`."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}\.[0-9]{1,15}\.[A-Za-z0-9_-]{43}")
"""The form of `twiml.token`'s; whether one is good is for the handler to say."""


def read(parameters: Mapping[str, str]) -> dict[str, Any]:
    """What they say, as arguments of `Started`."""
    own = dict(parameters)
    said: dict[str, Any] = {
        "from_": _take(own, FROM, _PARTY),
        "to": _take(own, TO, _PARTY),
        "direction": direction(_take(own, DIRECTION, _DIRECTION)),
        "token": _take(own, TOKEN, _TOKEN),
    }
    labels: dict[Track, str] = {track: own.pop(SPEAKER + track, "") for track in TRACKS}
    return {**said, "speakers": {track: label for track, label in labels.items() if label}, "parameters": own}


def write(started: Started) -> dict[str, str]:
    """The parameters that a further stream of the call is to have, ours first; without a token, which expires."""
    ours = {FROM: started.from_, TO: started.to, DIRECTION: started.direction}
    labels = {SPEAKER + track: label for track, label in started.speakers.items()}
    return {**{name: value for name, value in ours.items() if value}, **labels, **started.parameters}


def direction(text: str | None) -> Direction | None:
    """None for what is neither way."""
    match text and _DIRECTION.fullmatch(text):
        case re.Match() as known:
            return "inbound" if known[1] == "inbound" else "outbound"
        case _:
            return None


def _take(parameters: dict[str, str], name: str, form: re.Pattern[str]) -> str | None:
    """Take one out where it is ours. An empty one is no parameter at all: a template that had nothing to say."""
    value = parameters.get(name)
    if value == "" or (value is not None and form.fullmatch(value)):
        del parameters[name]
    return value if value and name not in parameters else None
