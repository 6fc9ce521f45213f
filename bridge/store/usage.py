"""What the disk holds, and what of it is dead letters: looked up now and then, so that a scrape waits for no disk."""

import asyncio
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from bridge.errors import StoreError
from bridge.outlets import pattern_of
from bridge.store.audio import Recordings
from bridge.store.outbox import Outbox

log = logging.getLogger(__name__)

_PAUSE = 15.0  # seconds between two looks
_SELDOM = 40  # looks between two at all recordings, of which there may be a hundred thousand


class Usage:
    """`async with Usage(…) as usage:` looks at once, and then every quarter of a minute. Figures are octets, but for
    counts; None is not known, or not any more."""

    def __init__(
        self,
        data_dir: Path,
        database: str | None,
        outbox: Outbox,
        endpoints: Sequence[str],
        recordings: Recordings,
        *,
        pause: float = _PAUSE,
    ) -> None:
        """`database`: how the names of its files begin; None: it is elsewhere. `endpoints`: whose dead letters are
        counted, also if there are none."""
        self.free: int | None = None
        """What the process may still write."""
        self.disk: int | None = None
        """All of the disk that `data_dir` is on."""
        self.database: int | None = None
        """With the write-ahead log; None where it is elsewhere."""
        self.recordings: int | None = None
        """How many there are, by the last look; every ten minutes."""
        self.recorded: int | None = None
        """Octets of them."""
        self.dead_letters: dict[str, int] = {}
        """Calls whose delivery was given up, by the endpoint's name in the settings, even if it was taken from them."""
        self._data_dir = data_dir
        self._name = database
        self._outbox = outbox
        self._endpoints = tuple(endpoints)
        self._kept = recordings
        self._pause = pause
        self._failed = False

    async def __aenter__(self) -> "Usage":
        self._task = asyncio.create_task(self._run(), name="usage")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def __repr__(self) -> str:
        return f"<Usage free {self.free} database {self.database} recordings {self.recordings}>"

    async def _run(self) -> None:
        looks = 0
        while True:
            try:
                await self._look()
                if looks % _SELDOM == 0:
                    self.recordings, self.recorded = await self._kept.size()
                self._failed = False
            except (OSError, StoreError) as error:
                self._forget()
                if not self._failed:
                    reason = error.strerror if isinstance(error, OSError) else str(error)
                    log.warning("what the disk holds cannot be seen", extra={"reason": reason})
                self._failed = True
            looks += 1
            await asyncio.sleep(self._pause)

    async def _look(self) -> None:
        self.disk, self.free, self.database = await asyncio.to_thread(self._measure)
        parked = dict.fromkeys(self._endpoints, 0)
        for backlog in await self._outbox.backlogs():
            name = pattern_of(backlog.endpoint) or backlog.endpoint
            parked[name] = parked.get(name, 0) + backlog.parked
        self.dead_letters = parked

    def _measure(self) -> tuple[int, int, int | None]:
        """In a thread. Raises `OSError`."""
        usage = shutil.disk_usage(self._data_dir)
        files = self._data_dir.glob(f"{self._name}*")
        octets = sum(file.stat().st_size for file in files) if self._name else None
        return usage.total, usage.free, octets

    def _forget(self) -> None:
        self.free = self.disk = self.database = None
