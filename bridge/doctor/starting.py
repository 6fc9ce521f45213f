"""The checks that a server makes of itself: beside its start, which they neither hold up nor stop.

What they take is imported in a thread, by a server that listens already: a number is answered before they are there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bridge.config import Settings
from bridge.deepgram.origins import Origins

if TYPE_CHECKING:
    from bridge.doctor.looking import Looking

log = logging.getLogger("bridge.doctor")

SETTLE, AGAIN = 15.0, 30.0
"""Seconds until the public address is asked, and between two questions to an origin that refuses."""


class StartChecks:
    """`async with StartChecks(settings, origins):` while a server serves; nothing where BRIDGE_START_CHECKS is off."""

    def __init__(self, settings: Settings, origins: Origins, *, settle: float = SETTLE, again: float = AGAIN) -> None:
        """`origins`: those of the calls. `settle` and `again`, in seconds, as above."""
        self._settings = settings
        self._origins = origins
        self._settle = settle
        self._again = again
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<StartChecks {'at work' if self._task and not self._task.done() else 'done'}>"

    async def __aenter__(self) -> "StartChecks":
        if self._settings.bridge_start_checks:
            self._task = asyncio.create_task(_guarded(self._look), name="start checks")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        loaded = await asyncio.to_thread(_load)
        looking = loaded(self._settings, self._origins, self._settle, self._again)
        await asyncio.gather(_guarded(looking.around), _guarded(looking.watch_deepgram))


def _load() -> "type[Looking]":
    from bridge.doctor.looking import Looking

    return Looking


async def _guarded(work: Callable[[], Awaitable[None]]) -> None:
    """A fault of ours ends the checks, and nothing else."""
    try:
        await work()
    except Exception:
        log.exception("the checks of the start have failed")
