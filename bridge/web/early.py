"""What a stream brings before its call is there: while a slow store makes it, or another process still has it."""

from collections.abc import Iterator

from bridge.audio import SAMPLE_RATE
from bridge.call.stream import Leads
from bridge.carriers.messages import Digit, Media

MESSAGES = 6144
"""Kept of a stream that was let in: a minute of both tracks. What comes then waits at the carrier, or is lost there."""

OCTETS = 1024 * 1024
"""Of their audio, at most."""


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
