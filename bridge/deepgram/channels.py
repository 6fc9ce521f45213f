"""The sessions of one call's channels as the one session that the call knows: a machine over machines.

For a recognizer that hears one channel on a socket. Each channel has a session of its own, which reconnects, replays
and ends for itself; all are given the same samples, so one clock is theirs. What each says of its only channel becomes
what is said of the call, and what happens to several at once is told once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from bridge.deepgram.configuring import Configured
from bridge.deepgram.exchange import AudioLost, Finished, Interrupted, Resumed, SessionEvent, Uncovered
from bridge.deepgram.journal import Request
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.session import Session


@dataclass(frozen=True, slots=True)
class Journals:
    """As one session's journal."""

    requests: Sequence[Request]
    """In the order in which they began."""
    counts: dict[str, int]
    """Of all channels together."""


class Channels:
    """What a call asks of its session, of all channels at once. Positions are samples of the call."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        """`sessions`: by channel; each hears that channel alone, and all have one meter."""
        self.sessions = sessions
        self._away: set[int] = set()
        self._told: set[tuple[int | None, str, str | None, bool]] = set()  # of this interruption
        self._origins: dict[int, str | None] = {}  # where each has been heard again
        self._finished: dict[int, Finished] = {}

    def __repr__(self) -> str:
        return f"<Channels away {sorted(self._away)} finished {sorted(self._finished)} {list(self.sessions)}>"

    @property
    def interruption(self) -> tuple[int | None, str] | None:
        """Status and reason, of the first channel that is not heard."""
        found = (session.interruption for session in self.sessions)
        return next((interruption for interruption in found if interruption), None)

    @property
    def settled(self) -> int:
        """How far every channel is covered by finals without a hole."""
        return min(session.settled for session in self.sessions)

    @property
    def holes(self) -> list[Uncovered]:
        """What finals have passed over and not covered, so far."""
        return _of_the_call((channel, session.holes) for channel, session in enumerate(self.sessions))

    @property
    def unsent(self) -> float:
        """Seconds of audio that have not been sent, of the channel with most of them."""
        return max(session.unsent for session in self.sessions)

    @property
    def latency(self) -> LatencyMeter:
        """Of all channels."""
        return self.sessions[0].latency

    @property
    def journal(self) -> Journals:
        """What all sockets were and said."""
        journals = [session.journal for session in self.sessions]
        counts: Counter[str] = Counter()
        for journal in journals:
            counts.update(journal.counts)
        requests = [request for journal in journals for request in journal.requests]
        return Journals(sorted(requests, key=lambda request: request.start), dict(counts))

    def receive(self, channel: int, event: SessionEvent) -> SessionEvent | None:
        """What one channel's session tells, as the call's; None where the call knows it, or is told later."""
        match event:
            case Interrupted():
                self._away.add(channel)
                return self._news(event)
            case Resumed():
                self._away.discard(channel)
                self._origins[channel] = event.origin
                if self._away or (event.attempt == 0 and set(self._origins.values()) != {event.origin}):
                    return None  # the call is where all its channels are
                self._told.clear()
                return event
            case AudioLost():
                return replace(event, channel=channel)
            case Finished():
                self._finished[channel] = event
                if len(self._finished) < len(self.sessions):
                    return None
                ends = sorted(self._finished.items())
                return Finished(tuple(_of_the_call((channel, end.uncovered) for channel, end in ends)))
            case Configured():
                return event
            case _:
                return structs.replace(event, channel=channel)

    def _news(self, event: Interrupted) -> Interrupted | None:
        """The same trouble at an origin is said once, not once a channel."""
        trouble = (event.status, event.reason, event.origin, event.retry)
        if trouble in self._told:
            return None
        self._told.add(trouble)
        return event


def _of_the_call(found: Iterable[tuple[int, Iterable[Uncovered]]]) -> list[Uncovered]:
    return [(channel, span) for channel, spans in found for _, span in spans]
