"""A carrier's stream as its call sees it: what it carries, when its first frame came, and where its audio goes."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bridge.align.source import Source
from bridge.audio import SAMPLE_RATE
from bridge.carriers.messages import Digit, Media
from bridge.errors import BridgeError
from bridge.events import EndReason, Track
from bridge.traces import NO_SPAN


class CallRefused(BridgeError):
    """A stream may not come in now; the message is the reason."""


class StreamDenied(CallRefused):
    """A stream may not come in at all."""


class Leads(NamedTuple):
    """The clock at a stream's timestamp 0."""

    first: float
    """By its first frame."""
    least: float
    """By the frame that came with the least delay."""


class Receiver(Protocol):
    """What a stream is a stream of."""

    def receive_media(self, frames: Sequence[Media], stream: "Stream") -> int:
        """Frames that came together. Returns how many more like them complete a chunk; 0: something else is waited
        for."""

    def join(self, frames: Sequence[Media], stream: "Stream", leads: Leads) -> Sequence[Media]:
        """The first frames of a stream. Returns those that are to be received."""

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""

    def end_stream(self, stream: "Stream", reason: EndReason, bad_messages: int) -> None:
        """No more comes of this stream; `bad_messages` of it could not be read."""


class Stream:
    """What the media handler gives a socket's messages to: they reach the call until the stream ends."""

    __slots__ = ("_call", "id", "is_lost", "late", "number", "source", "span", "tracks")

    def __init__(self, call: Receiver, number: int, stream_id: str, tracks: Sequence[Track]) -> None:
        """`number`: counts the streams of the call, whatever the carrier calls them. `tracks`: those that it is to
        carry, as far as the carrier says so.
        """
        self.number = number
        self.id = stream_id
        self.tracks = tuple(tracks)
        self.late = 0.0
        """Seconds for which the first frame had to wait until the call was there."""
        self.source: Source | None = None
        """Its place in the aligner, from the first frame on."""
        self.span = NO_SPAN
        """Of the call's trace."""
        self.is_lost = False
        """The call is another process's: the carrier is to send that its audio."""
        self._call: Receiver | None = call

    def __repr__(self) -> str:
        return f"<Stream {self.id} {'/'.join(self.tracks)}>"

    @property
    def is_over(self) -> bool:
        """Whether the call wants nothing more of it."""
        return self._call is None

    def receive_media(self, frames: Sequence[Media]) -> int:
        """The frames that one read of the socket has brought, at least one. Returns how many more like them complete a
        chunk of audio; 0: something else is waited for."""
        return self._call.receive_media(frames, self) if self._call else 0

    def join(self, messages: Sequence[Media | Digit], leads: Leads | None, now: float) -> list[Media | Digit]:
        """What came before the call was there; `leads`: None if no frame did. Returns what is to be received of it."""
        if self._call is None or leads is None:
            return list(messages)
        frames = [message for message in messages if type(message) is Media]
        joined = self._call.join(frames, self, leads)
        if joined is frames:
            return list(messages)
        first = next(iter(joined), None)
        self.late = max(0.0, now - leads.first - first.at / 1000 - len(first.payload) / SAMPLE_RATE) if first else 0.0
        return [*(message for message in messages if type(message) is Digit), *joined]

    def receive(self, message: Media | Digit) -> None:
        """Something the carrier sent."""
        if type(message) is Media:
            self.receive_media((message,))
        elif type(message) is Digit and self._call:
            self._call.receive_digit(message)

    def end(self, reason: EndReason, bad_messages: int = 0) -> None:
        """The stream is over; `bad_messages` of it could not be read."""
        if self._call:
            call, self._call = self._call, None
            self.span.note({"bridge.reason": reason, "bridge.bad_messages": bad_messages})
            self.span.end()
            call.end_stream(self, reason, bad_messages)

    def release(self, *, lost: bool = False) -> None:
        """The call is over, whatever the stream still sends. `lost`: here only."""
        self._call, self.is_lost = None, lost
        self.span.end()
