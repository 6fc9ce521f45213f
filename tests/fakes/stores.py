"""The stores that the contract suites run on, and the questions that several of them ask."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.outbox import Lane
from bridge.store import CallFilter, CallIndex, EventLog, KeptAudio, ManagedStore, Outbox, Query
from bridge.store.archive.archive import Archive
from bridge.store.archive.base import Objects
from bridge.store.archive.objects import StoredObjects, open_objects
from bridge.store.audio import AudioStore
from bridge.store.audio.store import FOLDER
from bridge.store.sqlite import SQLiteStore
from tests.fakes import postgres
from tests.fakes.objects import MemoryObjects

Open = Callable[..., AbstractAsyncContextManager[ManagedStore]]
"""Opens the store of this test; after closing, opens it again with what it kept, as another process would."""

STORES: dict[str, Callable[[Path], Open]] = {
    "sqlite": lambda path: lambda endpoints=("webhook",), **kw: SQLiteStore(path, endpoints, **kw),
    "postgres": lambda path: postgres.fresh(),
}
"""A new store adds itself here and passes, or is no store."""

NAMES = [name if name == "sqlite" else pytest.param(name, marks=pytest.mark.postgres) for name in STORES]
"""For the parameters of a test; that of PostgreSQL runs by itself."""


@asynccontextmanager
async def _archived(path: Path, objects: MemoryObjects, *, forgets: bool = False) -> AsyncIterator[KeptAudio]:
    async with Archive(objects, path) as archive:
        async with AudioStore(path, limit=2**30, archive=archive) as audio:
            yield audio
        await archive.drain(10.0)
    if forgets:
        shutil.rmtree(path / FOLDER)


AUDIO_STORES: dict[str, Callable[[Path], Callable[[], AbstractAsyncContextManager[KeptAudio]]]] = {
    "files": lambda path: lambda: AudioStore(path, limit=2**30),
    "archived files": lambda path: partial(_archived, path, MemoryObjects()),
    "an archive alone": lambda path: partial(_archived, path, MemoryObjects(), forgets=True),
}
"""Likewise, for kept audio; the last one's disk is lost with each process that closes it."""


OBJECT_STORES: dict[str, Callable[[Path], Objects]] = {
    "fake": lambda path: MemoryObjects(),
    "folder": lambda path: open_objects(f"file://{path}/a%20bucket"),
    "memory": lambda path: _in_memory(),
}
"""Likewise, for object stores, each of them empty."""


def _in_memory() -> Objects:
    from obstore.store import MemoryStore

    return StoredObjects(MemoryStore())


async def claim(store: Outbox, limit: int = 10, *, now: float = 0.0, endpoint: str = "webhook") -> list[Lane]:
    return await store.claim(endpoint, limit, lease=60.0, now=now)


async def seqs(store: EventLog, call_id: str = "CA1", after: int = 0) -> list[int]:
    return [event.seq for event in await store.read(Query(call_id), after)]


async def found(store: CallIndex, before: str | None = None, limit: int = 50, **wanted: Any) -> list[str]:
    return [call.row.id for call in await store.find(CallFilter(**wanted), before=before, limit=limit)]
