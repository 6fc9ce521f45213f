"""The stores that the contract suites run on, and the questions that several of them ask."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from bridge.outbox import Lane
from bridge.store import CallFilter, CallIndex, EventLog, KeptAudio, ManagedStore, Outbox, Query
from bridge.store.audio import AudioStore
from bridge.store.sqlite import SQLiteStore

Open = Callable[..., AbstractAsyncContextManager[ManagedStore]]
"""Opens the store of this test; after closing, opens it again with what it kept, as another process would."""

STORES: dict[str, Callable[[Path], Open]] = {
    "sqlite": lambda path: lambda endpoints=("webhook",), **kw: SQLiteStore(path, endpoints, **kw),
}
"""A new store adds itself here and passes, or is no store."""

AUDIO_STORES: dict[str, Callable[[Path], Callable[[], AbstractAsyncContextManager[KeptAudio]]]] = {
    "files": lambda path: lambda: AudioStore(path, limit=2**30),
}
"""Likewise, for kept audio."""


async def claim(store: Outbox, limit: int = 10, *, now: float = 0.0, endpoint: str = "webhook") -> list[Lane]:
    return await store.claim(endpoint, limit, lease=60.0, now=now)


async def seqs(store: EventLog, call_id: str = "CA1", after: int = 0) -> list[int]:
    return [event.seq for event in await store.read(Query(call_id), after)]


async def found(store: CallIndex, before: str | None = None, limit: int = 50, **wanted: Any) -> list[str]:
    return [call.row.id for call in await store.find(CallFilter(**wanted), before=before, limit=limit)]
