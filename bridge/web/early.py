"""What a stream brings before its call is there: while a slow store makes it, or another process still has it."""

import asyncio
from collections.abc import Iterator

from bridge.audio import SAMPLE_RATE
from bridge.call.openings import Openings
from bridge.call.stream import Leads, Stream
from bridge.carriers.messages import Digit, Media

MESSAGES = 6144
"""Kept of a stream that was let in: a minute of both tracks. What comes then waits at the carrier, or is lost there."""

OCTETS = 1024 * 1024
"""Of their audio, at most."""

_BURST = 25  # messages from which on they are a burst
_OTHERS = 0.02  # seconds that the call's other streams get to begin before a burst, from the last that did
_MOST_WAITS = 100  # for them, a piece's pause each
_PIECE, _BETWEEN = 5, 0.005  # messages of a burst handed over at a time, and seconds between two times
_BEHIND = 0.3  # seconds by which a stream may be late and count as up to date


class Early:
    """Of one stream, in the order in which it came."""

    def __init__(self) -> None:
        self.messages: list[Media | Digit] = []
        self.leads: Leads | None = None
        """None: no frame came."""
        self._octets = 0

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Media | Digit]:
        return iter(self.messages)

    @property
    def is_full(self) -> bool:
        """Whether no more is to be read for now."""
        return len(self.messages) >= MESSAGES or self._octets >= OCTETS

    def add(self, message: Media | Digit, now: float) -> None:
        """One more, which came `now`."""
        self.messages.append(message)
        if type(message) is Media:
            self._octets += len(message.payload)
            lead = now - message.at / 1000 - len(message.payload) / SAMPLE_RATE
            self.leads = Leads(*self.leads[:1], min(self.leads.least, lead)) if self.leads else Leads(lead, lead)

    @property
    def is_burst(self) -> bool:
        """Whether it is so much that other streams must be waited for, and wait."""
        return len(self) > _BURST and self.leads is not None

    async def feed(self, stream: Stream, openings: Openings, call_id: str, first_at: float | None) -> None:
        """Hand all of it over. A burst, as after a restart, goes in pieces, and all streams of the call begin together:
        one may bring the other track of the same time, and would find its place taken. `first_at`: the loop's time when
        the first frame came."""
        clock, burst = asyncio.get_running_loop().time, self.is_burst
        for _ in range(_MOST_WAITS if burst else 0):
            await asyncio.sleep(_BETWEEN)
            if not openings.is_gathering(call_id, _OTHERS):
                break
        stream.late = 0.0 if first_at is None else clock() - first_at
        messages = stream.join(self.messages, self.leads, clock())
        for place in range(0, len(messages), _PIECE):
            if burst and place:
                await asyncio.sleep(_BETWEEN)
            for message in messages[place : place + _PIECE]:
                stream.receive(message)

    def is_behind(self, message: Media | Digit | None, now: float) -> bool:
        """Whether a message after a burst has waited until that was handed over, and more like it may wait."""
        if type(message) is not Media or self.leads is None:
            return message is not None
        return now - self.leads.least - message.at / 1000 - len(message.payload) / SAMPLE_RATE > _BEHIND
