"""How a stream arrives: by which carrier's path, with which checks, and whether it has been at another process."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bridge.call.beginnings import DIRECTLY, Coming
from bridge.call.relay import Said
from bridge.carriers.dialect import Carrier
from bridge.carriers.messages import Started


class StreamRefused(Exception):
    """The stream may not go on; the message is the reason in the close frame."""

    def __init__(self, reason: str, call_id: str | None = None) -> None:
        super().__init__(reason)
        self.call_id = call_id


@dataclass(frozen=True, slots=True)
class Mount:
    """A carrier, and the checks of its streams."""

    carrier: Carrier
    authenticate: Callable[[web.Request], None]
    """Checks the upgrade. Raises the HTTP error to answer with."""
    check_start: Callable[[Started], Started] = lambda started: started
    """Checks the `start` message. Returns the stream as it is let in; raises StreamRefused."""


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """How long a socket may be silent, in seconds."""

    start_timeout: float = 10.0
    """From the upgrade to `start`."""
    idle_timeout: float = 60.0
    """Without audio or a key, until the stream counts as lost; a live one sends fifty frames a second."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Of one stream at this process."""

    coming: Coming = DIRECTLY
    call_id: str | None = None
    """The carrier's, where another process that relays the stream has named it."""
    first_at: float | None = None
    """The loop's time when the first frame was there, at the other process."""
    again: tuple[Said, ...] = ()
    """What was read of it before it came back from another process."""

    def check(self, started: Started) -> None:
        """Raises StreamRefused for a stream of another call than it was relayed as."""
        if self.call_id not in (None, started.call_id):
            raise StreamRefused("the stream is of another call than it was relayed as", started.call_id)
