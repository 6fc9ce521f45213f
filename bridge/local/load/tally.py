"""What is known of each call of a load, from its own socket, the bridge's feed and the bridge's record: pure.

Delays are exact by call: a final says at which second of the call its words end, and when the frame that completed that
second was due is known. They hold everything between: network, bridge, recognizer, network.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from bridge.local.load.plan import APART, PERIOD

_STEP = 10_000.0  # of a second: delays are counted in tenths of a millisecond

Json = Mapping[str, Any]


class Delays:
    """Many delays in little memory."""

    def __init__(self) -> None:
        self.count = 0
        self.most = 0.0
        """Seconds."""
        self._counts: Counter[int] = Counter()

    def __repr__(self) -> str:
        return f"<Delays of {self.count}, {self.most:.4f} s at most>"

    def add(self, seconds: float) -> None:
        """Another one; clocks of two machines may make it negative, which is none."""
        seconds = max(0.0, seconds)
        self.count += 1
        self.most = max(self.most, seconds)
        self._counts[round(seconds * _STEP)] += 1

    def percentile(self, percent: float) -> float:
        """Seconds that so many of a hundred do not exceed; 0 of none."""
        wanted, seen = ceil(self.count * percent / 100), 0
        for step in sorted(self._counts):
            seen += self._counts[step]
            if seen >= wanted:
                return step / _STEP
        return 0.0


@dataclass(slots=True)
class Played:
    """One call, as the caller knows it."""

    call_id: str
    first_track: str
    """The one whose frames go out first; the other's follow `APART` later."""
    began: float = 0.0
    """When its first stream began, on the monotonic clock."""
    until: float = float("inf")
    """Seconds of the call up to which that tells when audio was sent: where its socket broke, it does not."""
    stopped: float | None = None
    """When `stop` was sent; None: it was not."""
    away: float = 0.0
    """Seconds for which it had no socket."""
    error: str | None = None
    """Why it was not let in, or not played to its end."""

    def sent(self, second: float, track: str) -> float | None:
        """When the frame was due that completed this second of a track; None if that is not known."""
        if second > self.until:
            return None
        return self.began + ceil(second / PERIOD - 1e-6) * PERIOD + APART * (track != self.first_track)


@dataclass(slots=True)
class Told:
    """One call, as the bridge tells of it."""

    started: bool = False
    ended: bool = False
    record: Json | None = None
    """As `GET /calls/{id}` says it in the end."""


@dataclass
class Tally:
    """All calls of a load."""

    played: dict[str, Played] = field(default_factory=dict)
    upgrades: Delays = field(default_factory=Delays)
    """From the connect to the open socket."""
    starts: Delays = field(default_factory=Delays)
    """From `start` to `call.started` on the feed."""
    interims: Delays = field(default_factory=Delays)
    """From the sending of the last audio that it covers to an interim on the feed."""
    finals: Delays = field(default_factory=Delays)
    """The same to a final."""
    ends: Delays = field(default_factory=Delays)
    """From `stop` to `call.ended` on the feed."""
    unexpected: int = 0
    """Messages that the bridge sent on media sockets; Twilio takes none."""
    feed_lost: int = 0
    """How often the feed broke; delays are missing then."""
    _told: dict[str, Told] = field(default_factory=dict)

    def add(self, played: Played) -> None:
        """Another call begins."""
        self.played[played.call_id] = played
        self._told[played.call_id] = Told()

    def receive(self, event: Json, now: float) -> None:
        """An event of the feed, and when it came; those of calls that are not ours tell nothing."""
        call = self.played.get(str(event.get("call_id")))
        if call is None:
            return
        told, data = self._told[call.call_id], event.get("data", {})
        match event.get("type"):
            case "call.started" if not told.started:
                told.started = True
                self.starts.add(now - call.began)
            case "transcript.interim" | "transcript.final" if data.get("source") == "live":
                sent = call.sent(data["end"], data["track"])
                if sent is not None and data["text"]:
                    (self.finals if data["final"] else self.interims).add(now - sent)
            case "call.ended" if not told.ended:
                told.ended = True
                if call.stopped is not None:
                    self.ends.add(now - call.stopped)

    def record(self, call_id: str, record: Json) -> None:
        """What the record says of a call."""
        self._told[call_id].record = record

    def open_calls(self) -> list[str]:
        """The ids of the calls that were let in and whose record does not say yet that they are over and done with."""
        return [call.call_id for call in self.played.values() if call.began and not _is_settled(self._record_of(call))]

    @property
    def started(self) -> int:
        """Calls that were let in."""
        return sum(bool(call.began) for call in self.played.values())

    @property
    def finished(self) -> int:
        """Calls that were played to their `stop`."""
        return sum(call.stopped is not None and call.error is None for call in self.played.values())

    @property
    def complete(self) -> int:
        """Calls whose record has ended and lacks no words but what was said while a dropped call had no socket."""
        return sum(_is_complete(call, self._record_of(call)) for call in self.played.values())

    @property
    def backfilled(self) -> int:
        """Calls of which something was transcribed only after their end."""
        return sum(bool((self._record_of(call) or {}).get("backfilled")) for call in self.played.values())

    def errors(self) -> Counter[str]:
        """Why calls were not let in or not played to their end, and how many of each."""
        return Counter(call.error for call in self.played.values() if call.error)

    def incomplete(self) -> list[str]:
        """The ids of the calls that were played to their end and are not complete."""
        calls = self.played.values()
        return [call.call_id for call in calls if call.stopped and not _is_complete(call, self._record_of(call))]

    def _record_of(self, call: Played) -> Json | None:
        return self._told[call.call_id].record


def _is_settled(record: Json | None) -> bool:
    return record is not None and not record["active"] and not record["waiting"]


def _is_complete(call: Played, record: Json | None) -> bool:
    if record is None or call.stopped is None or call.error or not _is_settled(record):
        return False
    return bool(record["missing"] <= (call.away + PERIOD if call.away else 0.0))
