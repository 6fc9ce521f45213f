"""How the process of a server treats its threads and its memory, and how late its event loop is."""

import asyncio
import gc
import sys

from bridge.histogram import MOMENTS, Histogram

_SHARE = 0.0005  # seconds
_SAMPLED = 0.1  # seconds between two looks at how late the event loop is
_YOUNG, _MIDDLE, _OLD = 2_000, 10, 2  # objects, and collections of what is younger, between two collections


def share_interpreter() -> None:
    """In a commit the store's thread waits for the interpreter several times; this bounds each wait."""
    sys.setswitchinterval(_SHARE)


def spare_collector() -> None:
    """What is there when a server starts stays as long as the process. A full collection would look at all of it, for a
    tenth of a second in which no call goes on. A call leaves one cycle of some four hundred objects behind, older than
    those that small collections look at: so a full one comes every hundred calls or so, and takes ten milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


class LoopDelay:
    """`async with LoopDelay() as delay:` samples how late the event loop calls what is due: for so long something has
    held it up. A timer every tenth of a second, whatever the number of calls."""

    def __init__(self) -> None:
        self.histogram = Histogram(MOMENTS)
        """Seconds."""
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "LoopDelay":
        self._loop = asyncio.get_running_loop()
        self._arm()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()

    def _arm(self) -> None:
        due = self._loop.time() + _SAMPLED
        self._timer = self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        self.histogram.add(self._loop.time() - due)
        self._arm()
