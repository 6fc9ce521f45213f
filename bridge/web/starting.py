"""The media sockets that have not sent `start`: a machine without a socket.

Each takes the place of a call, since it may become one. A carrier sends `start` at once, so when there is no place left
the socket that has been silent longest gives way to a new one, unless it is as good as new itself.
"""

from typing import Generic, TypeVar

from bridge.call import CallRefused

S = TypeVar("S")


class Starting(Generic[S]):
    """Sockets, the oldest first."""

    def __init__(self, patience: float = 1.0) -> None:
        """`patience`: seconds after which a socket may have to give way."""
        self._patience = patience
        self._since: dict[S, float] = {}

    def __repr__(self) -> str:
        return f"<Starting {len(self._since)} sockets>"

    def __len__(self) -> int:
        return len(self._since)

    def check(self, room: int, now: float) -> None:
        """Whether one more may come. `room`: for how many streams there is a place. Raises CallRefused."""
        oldest = next(iter(self._since.values()), now)
        if len(self._since) >= room and (room <= 0 or now - oldest < self._patience):
            raise CallRefused("too many calls at once")

    def enter(self, socket: S, room: int, now: float) -> S | None:
        """A socket is here, and has not started. Returns the one that gives way to it, if one must."""
        self._since[socket] = now
        if len(self._since) <= room:
            return None
        first = next(iter(self._since))
        self.leave(first)
        return first

    def leave(self, socket: S) -> None:
        """It has started, or is gone."""
        self._since.pop(socket, None)
