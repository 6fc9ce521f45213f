"""A carrier's stream as its call sees it: what it carries, when its first frame came, and where its audio goes."""

from collections.abc import Sequence
from typing import Protocol

from bridge.align.source import Source
from bridge.carriers.messages import Digit, Media
from bridge.events import EndReason, Track


class Receiver(Protocol):
    """What a stream is a stream of."""

    def receive_media(self, frames: Sequence[Media], stream: "Stream") -> int:
        """Frames that came together. Returns how many more like them complete a chunk; 0: something else is waited
        for."""

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""

    def end_stream(self, stream: "Stream", reason: EndReason, bad_messages: int) -> None:
        """No more comes of this stream; `bad_messages` of it could not be read."""


class Stream:
    """What the media handler gives a socket's messages to: they reach the call until the stream ends."""

    __slots__ = ("_call", "id", "late", "number", "source", "tracks")

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
            call.end_stream(self, reason, bad_messages)

    def release(self) -> None:
        """The call is over, whatever the stream still sends."""
        self._call = None
