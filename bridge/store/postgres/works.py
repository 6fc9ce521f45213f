"""What can be asked of a group of writes: values. Each concerns one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.errors import LocalProtocolError
from bridge.events import CallEnded, CallStarted, Event, TranscriptFinal
from bridge.outbox import Lane, Settlement, call_header
from bridge.outlets import Named
from bridge.store.base import StoredEvent


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of a call when it begins."""

    header: str
    started_at: float
    record_days: float | None
    caller: str | None
    callee: str | None
    carrier_call_id: str
    continues: str | None


@dataclass(frozen=True, slots=True)
class Append:
    """Events of one call, ready to be written."""

    call_id: str
    events: tuple[StoredEvent, ...]
    times: tuple[str, ...]
    """Of the events."""
    epoch: int | None
    """Under which this process has the call; None: it does not have it, as far as it knows."""
    begun: Begun | None = None
    ended_at: float | None = None
    ended_seq: int | None = None
    said: tuple[tuple[int, str], ...] = ()
    """The `seq` of every final, and its text."""
    endpoints: tuple[str, ...] = ()
    """Those that get the call, if it begins."""
    named: Named | None = None

    @property
    def is_whole(self) -> bool:
        """Whether a call can begin with it."""
        dense = all(event.seq == seq for seq, event in enumerate(self.events, 1))
        return dense and self.begun is not None and self.events[0].type == CallStarted.type

    @classmethod
    def of(
        cls, events: Sequence[Event], epoch: int | None, endpoints: Sequence[str] = (), named: Named | None = None
    ) -> "Append":
        """Turn events into rows. Raises `LocalProtocolError` for what is no append."""
        begun, ended_at, ended_seq = None, None, None
        rows: list[StoredEvent] = []
        said: list[tuple[int, str]] = []
        for event in events:
            if event.seq is None or event.call_id != events[0].call_id:
                raise LocalProtocolError("an append takes durable events of one call")
            match event.data:
                case CallStarted():
                    begun = _begun(event, event.data)
                case CallEnded(ended_at=ended):
                    ended_at, ended_seq = epoch_of(ended), event.seq
                case TranscriptFinal(text=text) if text:
                    said.append((event.seq, text))
                case _:
                    pass
            rows.append(StoredEvent(event.call_id, event.seq, event.type, event.to_json()))
        times = tuple(event.time for event in events)
        return cls(
            events[0].call_id,
            tuple(rows),
            times,
            epoch,
            begun,
            ended_at,
            ended_seq,
            tuple(said),
            tuple(endpoints),
            named,
        )


@dataclass(frozen=True, slots=True)
class Settle:
    """How a try of a lane went, as its holder says."""

    lane: Lane
    to: Settlement

    @property
    def call_id(self) -> str:
        return self.lane.call_id


@dataclass(frozen=True, slots=True)
class Resume:
    """Make a lane due; `after`: from there."""

    call_id: str
    endpoint: str
    after: int | None


@dataclass(frozen=True, slots=True)
class Release:
    """Abandon a call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a call that has ended."""

    call_id: str


Work = Append | Settle | Resume | Release | Delete


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append has changed."""

    events: tuple[StoredEvent, ...]
    """Those that were not there before."""
    woken: bool = False
    """Lanes that were idle have something to deliver."""


def epoch_of(timestamp: str) -> float:
    """An event's time as seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def _begun(event: Event, started: CallStarted) -> Begun:
    return Begun(
        header=call_header(event),
        started_at=epoch_of(started.started_at),
        record_days=started.record_days,
        caller=plain(started.from_),
        callee=plain(started.to),
        carrier_call_id=plain(started.carrier_call_id) or "",
        continues=plain(started.continues),
    )


def plain(text: str | None) -> str | None:
    """A text that PostgreSQL takes: it knows no character 0."""
    return text if text is None else text.replace("\0", " ").encode(errors="replace").decode()
