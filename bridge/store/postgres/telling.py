"""What the processes of one record tell each other by NOTIFY: a machine for the words, and for interims from elsewhere.

A message has at most 8,000 octets. Hints name calls and may be lost; who follows the interims of a call on another
process says so every few seconds, and is told them for as long, so that what no one follows is told to no one.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.events import EVENT_TYPES, SLOTS, Event, SpeechStarted, Transcript, TranscriptInterim, slot
from bridge.store.recent import settle

LARGEST = 7900
"""Octets of a message."""

FOLLOWS = 10.0
"""Seconds for which a process is told interims after it has asked for them."""

FRESH = 30.0
"""Seconds after which an interim from elsewhere is forgotten whose final was not seen."""

MOST = 5_000
"""Calls of other processes whose interims are kept, at most."""

_SETTLED = 8  # segments of a call that are remembered, so that no interim comes after its final

ALL = "*"


@dataclass(frozen=True, slots=True)
class Message:
    """What a process has told."""

    node: str
    events: tuple[str, ...] = ()
    """Calls that have new events."""
    deletions: tuple[str, ...] = ()
    follows: tuple[str, ...] | None = None
    """The calls whose interims it wants, or `ALL`; None: it says nothing of it."""
    interim: Event | None = None
    wakes: tuple[str, ...] = ()
    """Processes for which there is a request, or an answer to one."""
    handing: bool = False
    """A call is about to go from one process to another: it is heard by both, or let go of."""


def hints(node: str, events: Iterable[str] = (), deletions: Iterable[str] = (), wakes: Iterable[str] = ()) -> list[str]:
    """As few messages as will hold them."""
    told = {"events": events, "deletions": deletions, "wakes": wakes}
    return [message for name, these in told.items() for message in _packed(node, name, these)]


def follows(node: str, calls: Iterable[str]) -> list[str]:
    """The calls whose interims a process wants: all of them, if they are more than a message holds."""
    packed = list(_packed(node, "follows", calls)) or [_encoded(node, follows=[])]
    return packed if len(packed) == 1 else [_encoded(node, follows=[ALL])]


def handing(node: str) -> str:
    """As the message's."""
    return _encoded(node, handing=True)


def interim(node: str, event: Event) -> str | None:
    """An event without a `seq`; without its single words, if they are too many. None: it is too long."""
    message = _of_interim(node, event)
    if len(message.encode()) > LARGEST and isinstance(event.data, Transcript):
        less = event.data.model_copy(update={"words": [], "alternatives": [], "overlaps": []})
        message = _of_interim(node, Event(event.call_id, None, event.id, event.time, less))
    return message if len(message.encode()) <= LARGEST else None


def read(payload: str) -> Message | None:
    """What another process has sent; None: it is not to be understood, which a newer version may send."""
    try:
        said = json.loads(payload)
        follows = said.get("follows")
        return Message(
            str(said["node"]),
            tuple(map(str, said.get("events", ()))),
            tuple(map(str, said.get("deletions", ()))),
            None if follows is None else tuple(map(str, follows)),
            _interim(said["interim"]) if "interim" in said else None,
            wakes=tuple(map(str, said.get("wakes", ()))),
            handing=bool(said.get("handing")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _packed(node: str, name: str, calls: Iterable[str]) -> Iterable[str]:
    room = LARGEST - len(_encoded(node, **{name: []}).encode())
    some: list[str] = []
    used = 0
    for call_id in calls:
        size = len(json.dumps(call_id)) + 2
        if some and used + size > room:
            yield _encoded(node, **{name: some})
            some, used = [], 0
        some.append(call_id)
        used += size
    if some:
        yield _encoded(node, **{name: some})


def _encoded(node: str, **said: Any) -> str:
    return json.dumps({"node": node, **said})


def _of_interim(node: str, event: Event) -> str:
    return json.dumps({"node": node, "interim": {"call_id": event.call_id, **json.loads(event.to_json())}})


def _interim(said: dict[str, Any]) -> Event | None:
    kind = EVENT_TYPES.get(said["type"])
    if kind is None or kind.durable:
        return None
    return Event(str(said["call_id"]), None, str(said["id"]), str(said["time"]), kind.model_validate(said["data"]))


class Followers:
    """What other processes want to be told."""

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[frozenset[str], float]] = {}

    def say(self, node: str, calls: Sequence[str], now: float) -> None:
        """A process follows these calls."""
        self._wanted = {other: wanted for other, wanted in self._wanted.items() if wanted[1] > now and other != node}
        if calls:
            self._wanted[node] = (frozenset(calls), now + FOLLOWS)

    def want(self, call_id: str, now: float) -> bool:
        """Whether any other process follows a call."""
        return any(until > now and (call_id in calls or ALL in calls) for calls, until in self._wanted.values())


@dataclass(slots=True)
class _FarCall:
    interims: dict[str, Event] = field(default_factory=dict)
    settled: dict[str, None] = field(default_factory=dict)
    at: float = 0.0


class FarInterims:
    """The interims of calls that other processes go on with."""

    def __init__(self) -> None:
        self._calls: dict[str, _FarCall] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def put(self, event: Event, now: float) -> bool:
        """Keep the newest of its slot. False: it says less than what is there, or its final has been seen."""
        place, data = slot(event.data), event.data
        call = self._calls.pop(event.call_id, None) or _FarCall()
        self._calls[event.call_id] = call  # the newest last
        while len(self._calls) > MOST:
            del self._calls[next(iter(self._calls))]
        call.at = now
        if place is None:
            return False
        newest = call.interims.get(place)
        if isinstance(data, TranscriptInterim):
            known = newest.data if newest else None
            older = isinstance(known, TranscriptInterim) and known.segment_id == data.segment_id
            if data.segment_id in call.settled or (older and known.revision >= data.revision):  # type: ignore[union-attr]
                return False
        elif isinstance(data, SpeechStarted) and newest and isinstance(newest.data, TranscriptInterim):
            return False
        call.interims[place] = event
        return True

    def of(self, call_id: str, now: float) -> list[Event]:
        """The newest of every slot."""
        call = self._calls.get(call_id)
        if call is None or call.at < now - FRESH:
            self._calls.pop(call_id, None)
            return []
        return [call.interims[place] for place in SLOTS if place in call.interims]

    def settle(self, call_id: str, track: str, segment_id: str, end: float) -> None:
        """A final was read: its interim is over, and does not come back."""
        call = self._calls.get(call_id)
        if call is None:
            return
        call.settled[segment_id] = None
        while len(call.settled) > _SETTLED:
            del call.settled[next(iter(call.settled))]
        settle(call.interims, track, segment_id, end)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def end(self, call_id: str) -> None:
        """The call is over, or this process's own now."""
        self._calls.pop(call_id, None)
