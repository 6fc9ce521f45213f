"""The parameters of a stream that have a meaning here: `bridge.token`, `bridge.from`, `speaker.inbound` ….

Carriers pass what a developer attaches to a stream as names with values, and the names are the developer's to choose.
So those of ours begin with `bridge.` or `speaker.`, and they are taken out. A `from`, `to` or `direction` of the
developer's own is passed on as it was sent; the call is shown with it too, where it has the form of one and nothing
better is known. `twiml/document.py` writes the same names.
"""

import re
from collections.abc import Mapping
from typing import Any

from bridge.carriers.messages import Started
from bridge.events import TRACKS, Direction, Track

OURS = "bridge."
FROM, TO, DIRECTION, TOKEN = OURS + "from", OURS + "to", OURS + "direction", OURS + "token"

RECORD_DAYS = OURS + "record_days"
"""For how many days the record of the call stays after it; another text than such a number is passed on."""

REDACT = OURS + "redact"
"""What is taken out of the call's transcripts too, with commas between: it can only add to the setting."""
WEBHOOK = OURS + "webhook"
"""Where this call is to be posted; it enters no event either, because URLs carry tokens."""

ASKED = OURS + "asked"
"""Of a stream for which the process that has the call has asked the carrier."""

SPEAKER = "speaker."
"""`speaker.inbound` and `speaker.outbound` name the speaker of a track."""

_PARTY = re.compile(
    r"[+*#0-9][*#0-9]{0,31}|(?:sips?|tel|client|sim|whatsapp|[a-z]{1,12}):\S+|[^\s@]+@[^\s@]+"
    r"|anonymous|restricted|unavailable|unknown|private|blocked",
    re.IGNORECASE,
)
"""A number, an address, or what carriers write where a number is withheld."""

_NUMBER = re.compile(r"[0-9]{1,5}(\.[0-9]{1,6})?")
_MOST_DAYS = 36_500

_DIRECTION = re.compile(r"(inbound|outbound)(?:-[a-z]+)?")
"""Twilio's `outbound-api` and `outbound-dial` are `outbound`."""


def read(parameters: Mapping[str, str]) -> dict[str, Any]:
    """What they say, as arguments of `Started`. An empty one of ours is a template that had nothing to say."""
    own = dict(parameters)
    ours = {name: own.pop(name, "") for name in (FROM, TO, DIRECTION, TOKEN, REDACT, WEBHOOK, ASKED)}
    record_days = _days(own.get(RECORD_DAYS, ""))
    if record_days is not None or not own.get(RECORD_DAYS):
        own.pop(RECORD_DAYS, None)
    labels: dict[Track, str] = {track: own.pop(SPEAKER + track, "") for track in TRACKS}
    return {
        "from_": ours[FROM] or _party(own, FROM),
        "to": ours[TO] or _party(own, TO),
        "direction": direction(ours[DIRECTION]) or direction(own.get(DIRECTION.removeprefix(OURS))),
        "record_days": record_days,
        "token": ours[TOKEN] or None,
        "redact": tuple(name for name in re.split(r"[\s,]+", ours[REDACT].lower()) if name),
        "webhook": ours[WEBHOOK] or None,
        "asked": bool(ours[ASKED]),
        "speakers": {track: label for track, label in labels.items() if label},
        "parameters": own,
    }


def write(started: Started) -> dict[str, str]:
    """The parameters that a further stream of the call is to have, ours first; without a token, which expires."""
    ours = {FROM: started.from_, TO: started.to, DIRECTION: started.direction, WEBHOOK: started.webhook}
    ours[REDACT] = ",".join(started.redact)
    ours[ASKED] = "yes" if started.asked else None
    ours[RECORD_DAYS] = None if started.record_days is None else f"{started.record_days:g}"
    labels = {SPEAKER + track: label for track, label in started.speakers.items()}
    return {**{name: value for name, value in ours.items() if value}, **labels, **started.parameters}


def direction(text: str | None) -> Direction | None:
    """None for what is neither way."""
    match text and _DIRECTION.fullmatch(text):
        case re.Match() as known:
            return "inbound" if known[1] == "inbound" else "outbound"
        case _:
            return None


def _days(text: str) -> float | None:
    if not _NUMBER.fullmatch(text) or not 0 < float(text) <= _MOST_DAYS:
        return None
    return float(text)


def _party(own: Mapping[str, str], name: str) -> str | None:
    """What the developer's own parameter says, without our prefix, where it can be a party."""
    value = own.get(name.removeprefix(OURS), "")
    return value if _PARTY.fullmatch(value) else None
