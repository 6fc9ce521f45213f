"""Letting recordings go when they are too old, or too many: a look now and then."""

import asyncio
import logging
from collections.abc import Callable

from bridge.store.audio.recordings import Recordings

log = logging.getLogger(__name__)

_PAUSE = 3600.0  # seconds between two looks


class Retention:
    """`async with Retention(…):` looks at once, and then every hour."""

    def __init__(
        self, recordings: Recordings, max_age: float | None, max_octets: int | None, wall: Callable[[], float]
    ) -> None:
        """`max_age`: seconds after the call. None: no bound. `wall` tells seconds since 1970."""
        self._recordings = recordings
        self._max_age = max_age
        self._max_octets = max_octets
        self._wall = wall

    async def __aenter__(self) -> "Retention":
        self._task = asyncio.create_task(self._run(), name="retention")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._recordings.sweep(self._wall(), self._max_age, self._max_octets)
            except OSError as error:
                log.error("recordings cannot be looked through", extra={"reason": error.strerror})
            await asyncio.sleep(_PAUSE)
