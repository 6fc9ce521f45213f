"""What a carrier is to the rest of the bridge: a descriptor, and a machine that reads its sockets.

A new carrier is a module beside this one that ends in a `Carrier`, and an entry in `web/carriers.py`, which says how
its secret is set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bridge.carriers.messages import Media, Message
from bridge.errors import RemoteProtocolError


class Dialect(Protocol):
    """Reads one socket. The time is the carrier's: in its messages, or counted in samples."""

    def receive_text(self, text: bytes) -> Sequence[Message]:
        """One text frame, in UTF-8: some audio, or something else. Raises RemoteProtocolError for what cannot be read:
        count it and go on."""

    def receive_media(self, texts: Sequence[bytes]) -> list[Media]:
        """The hot path: text frames that came together, as far as each is some audio and nothing is odd. The next one
        after these is for `receive_text`."""

    def receive_binary(self, data: bytes) -> Sequence[Message]:
        """One binary frame. Raises as `receive_text` does."""

    def receive_close(self, code: int | None) -> Sequence[Message]:
        """The socket is closed, with this code, or None where it broke. `Stopped` among the messages: that is how a
        stream of this carrier ends in order.
        """

    def data_to_send(self) -> Sequence[str | bytes]:
        """What the carrier must be answered now, each a frame; most are told nothing, ever."""


class TextDialect:
    """Of a carrier that sends text frames only, expects no answer, and ends a stream by a message: a socket that closes
    without it is lost, and the call may go on."""

    __slots__ = ()

    def receive_media(self, texts: Sequence[bytes]) -> list[Media]:
        """None at once."""
        return []

    def receive_binary(self, data: bytes) -> Sequence[Message]:
        """There are none."""
        raise RemoteProtocolError("a binary frame")

    def receive_close(self, code: int | None) -> Sequence[Message]:
        """Says nothing of the stream."""
        return ()

    def data_to_send(self) -> Sequence[str | bytes]:
        """Nothing, ever."""
        return ()


class Proof(Enum):
    """What an upgrade bears to show that it comes from the carrier, or from its owner's account there."""

    SIGNATURE = "signature"
    """The carrier's signature over the URL that it was given."""
    SECRET = "secret"
    """A secret that the owner has put into the URL, or the carrier sends as `Authorization`."""
    BASIC = "basic"
    """HTTP Basic: a user and a password."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier."""

    name: str
    """In events, and in the path."""
    dialect: Callable[[], Dialect]
    """Makes one per socket."""
    proof: Proof
    echoes_subprotocol: bool = False
    """Whether the client insists on the sub-protocol that it offers."""

    @property
    def path(self) -> str:
        """Where its sockets come to."""
        return f"/media/{self.name}"
