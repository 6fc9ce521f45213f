"""One epoll loop whose timers are exact to some microseconds; asyncio's tick in whole milliseconds.

A timer that fires late makes several calls send at once, and a server that is sent much at once has less to do.
"""

import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

_SLACK = Path("/proc/self/timerslack_ns")
_PRIORITY = 10


class Loop:
    """Sockets, each with what is to be called when it can be read."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting = (self._epoll.fileno(),)
        self._handlers: dict[int, Callable[[], None]] = {}

    def add(self, stream: socket.socket, readable: Callable[[], None]) -> None:
        """Call `readable` whenever there is something to read."""
        self._handlers[stream.fileno()] = readable
        self._epoll.register(stream.fileno(), select.EPOLLIN)

    def remove(self, stream: socket.socket) -> None:
        """Close a socket; its handler is not called any more."""
        if self._handlers.pop(stream.fileno(), None):
            self._epoll.unregister(stream.fileno())
        stream.close()

    def serve_until(self, due: float) -> None:
        """Serve the sockets until a moment of the monotonic clock."""
        while (left := due - monotonic()) > 0:
            # epoll waits whole milliseconds; select waits microseconds, for epoll as for any other file.
            if select.select(self._waiting, (), (), left)[0]:
                self.serve()

    def serve(self) -> None:
        """Serve what is there already."""
        for number, _ in self._epoll.poll(0):
            if handler := self._handlers.get(number):
                handler()

    def close(self) -> None:
        """Forget all sockets."""
        self._epoll.close()


@contextlib.contextmanager
def exact_timers() -> Iterator[None]:
    """Wake this process when its timers are due and before others, as far as we may; what it starts is not changed."""
    policy = os.sched_getscheduler(0)
    with contextlib.suppress(OSError):
        _SLACK.write_text("1")
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, os.sched_param(0))
        with contextlib.suppress(OSError):
            _SLACK.write_text("0")  # the default
