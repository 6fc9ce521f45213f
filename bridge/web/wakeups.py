"""When the process is woken for a media socket: the low-water marks of all of them, set where the kernel has such.

`low_water` says what a mark is to be. A mark that is not reached in time is taken back, by one timer for all sockets:
what has come of a chunk is then read after all. Linux only; encrypted octets are not counted.
"""

import asyncio
import socket
import sys
from collections.abc import Sequence
from math import inf

from bridge.carriers.messages import Media
from bridge.web.low_water import LowWater

_SWEEP = 0.03  # seconds between two looks at what is late
_FORGET = 0.9  # of a lag, from one look to the next
_HAS_MARKS = sys.platform == "linux"


class Wakeup:
    """Of one socket; close it, or the socket stays open."""

    def __init__(self, wakeups: "Wakeups", transport: asyncio.BaseTransport) -> None:
        self.late_at = inf
        """The loop's time when less than the mark is to be read, too."""
        self._wakeups = wakeups
        self._low_water = LowWater()
        self._mark = 1  # as the kernel has it
        # The transport's own stand-in makes a socket of it at every call.
        self._socket = socket.fromfd(transport.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM)

    def read(self, octets: int, frames: Sequence[Media], lacking: int, now: float) -> None:
        """As the machine's."""
        machine = self._low_water
        machine.read(octets, frames, lacking, now - self._wakeups.lag)
        self.late_at = now + machine.patience if machine.mark > 1 else inf
        if machine.mark != self._mark:
            self._set(machine.mark)

    def give_up(self) -> None:
        """Read what there is."""
        self._low_water.give_up()
        self.late_at = inf
        self._set(1)

    def close(self) -> None:
        """Let go of the socket."""
        self._wakeups.forget(self)
        self._socket.close()

    def _set(self, mark: int) -> None:
        self._mark = mark
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, mark)


class Wakeups:
    """All of them."""

    def __init__(self) -> None:
        self._open: set[Wakeup] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.lag = 0.0
        """Seconds by which this process has been late of late: no mark is to blame for those."""

    @property
    def sweeping(self) -> bool:
        """Whether the timer runs."""
        return self._timer is not None

    def open(self, transport: asyncio.BaseTransport | None) -> Wakeup | None:
        """For a socket that will bring audio; None where there are no marks, or it is closed already."""
        if not _HAS_MARKS or transport is None or transport.is_closing() or transport.get_extra_info("sslcontext"):
            return None
        wakeup = Wakeup(self, transport)
        self._open.add(wakeup)
        if self._timer is None:
            self._sweep(asyncio.get_running_loop().time())
        return wakeup

    def forget(self, wakeup: Wakeup) -> None:
        """A socket is closed."""
        self._open.discard(wakeup)

    def _sweep(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.lag = max(now - due, self.lag * _FORGET)
        self._timer = loop.call_at(now + _SWEEP, self._sweep, now + _SWEEP) if self._open else None
        for wakeup in [wakeup for wakeup in self._open if wakeup.late_at <= now]:
            wakeup.give_up()
