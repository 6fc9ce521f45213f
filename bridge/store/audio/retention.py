"""Letting recordings go when they are too old, or too many: a look now and then.

Each process looks at its own disk. Where several share a record, one at a time looks at the archive, for all of them.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from bridge.errors import StoreError
from bridge.store.audio.recordings import Recordings

log = logging.getLogger(__name__)

_PAUSE = 3600.0  # seconds between two looks

Chore = Callable[[str, float], AbstractAsyncContextManager[bool]]
"""As `Ownership.chore`."""


class Retention:
    """`async with Retention(…):` looks at once, and then every hour."""

    def __init__(
        self,
        recordings: Recordings,
        max_age: float | None,
        max_octets: int | None,
        wall: Callable[[], float],
        chore: Chore = lambda name, every: nullcontext(True),
    ) -> None:
        """`max_age`: seconds after the call. None: no bound. `wall` tells seconds since 1970. `chore`: whether this
        process looks at the archive now."""
        self._recordings = recordings
        self._max_age = max_age
        self._max_octets = max_octets
        self._wall = wall
        self._chore = chore

    async def __aenter__(self) -> "Retention":
        self._task = asyncio.create_task(self._run(), name="retention")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Let go of what may not stay. Raises `OSError`, and `StoreError` where no one says who looks at the archive:
        then there is the next time."""
        async with self._chore("recordings", _PAUSE) as everywhere:
            await self._recordings.sweep(self._wall(), self._max_age, self._max_octets, everywhere=everywhere)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except OSError as error:
                log.error("recordings cannot be looked through", extra={"reason": error.strerror})
            except StoreError as error:
                log.error("recordings cannot be looked through", extra={"reason": str(error)})
            await asyncio.sleep(_PAUSE)
