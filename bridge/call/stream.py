"""A carrier's stream and its hold on a call; a newer stream of the same call takes the hold away."""

from collections import Counter
from typing import Protocol

from bridge.carriers.messages import Digit, Media
from bridge.events import EndReason


class Receiver(Protocol):
    """What a stream is a stream of."""

    counters: Counter[str]

    def receive_media(self, media: Media) -> None:
        """A frame."""

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""

    def end_stream(self, reason: EndReason) -> None:
        """No more comes of the newest stream."""


class Stream:
    """What the media door gives a socket's messages to: they reach the call until the stream ends, or a newer one
    takes over.
    """

    __slots__ = ("_call", "late")

    def __init__(self, call: Receiver) -> None:
        self.late = 0.0
        """Seconds for which the first frame had to wait until the call was there."""
        self._call: Receiver | None = call

    def receive(self, message: Media | Digit) -> None:
        """Something the carrier sent."""
        if self._call is None:
            return
        if type(message) is Media:
            self._call.receive_media(message)
        elif type(message) is Digit:
            self._call.receive_digit(message)

    def end(self, reason: EndReason, bad_messages: int = 0) -> None:
        """The stream is over; `bad_messages` of it could not be read."""
        if self._call:
            call, self._call = self._call, None
            call.counters["bad_messages"] += bad_messages
            call.end_stream(reason)

    def release(self) -> None:
        """A newer stream has taken over."""
        self._call = None
