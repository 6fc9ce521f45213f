"""What other processes with the same record do to calls that this one has: they delete them, or take them over.

A word of a deletion that gets lost is made up for by the next start, which finds kept audio that is in no record. That
a call was taken over is learnt from the store, which refuses what this process says of it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack

from bridge.call.backfill import Backfill
from bridge.call.registry import CallRegistry
from bridge.errors import StoreError
from bridge.store.audio import Recordings
from bridge.store.base import Hint, LiveBus
from bridge.store.kept import KeptAudio

log = logging.getLogger("bridge.call")


class Others:
    """`async with Others(…):` follows them."""

    def __init__(
        self, store: LiveBus, audio: KeptAudio, recordings: Recordings, backfill: Backfill, registry: CallRegistry
    ) -> None:
        self._store = store
        self._audio = audio
        self._recordings = recordings
        self._backfill = backfill
        self._registry = registry
        self._watching = ExitStack()

    async def __aenter__(self) -> "Others":
        hints = self._watching.enter_context(self._store.watch("deletions", "losses"))
        self._task = asyncio.create_task(self._follow(hints), name="others")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._watching.close()

    async def _follow(self, hints: AsyncIterator[Hint]) -> None:
        async for hint in hints:
            if hint.call_id and hint.topic == "losses":
                self._lose(hint.call_id)
            elif hint.call_id:
                await self._drop(hint.call_id)

    def _lose(self, call_id: str) -> None:
        """It goes on elsewhere, in the same record: here no one hears it any more, nor asks the carrier for it."""
        call = self._registry.of_record(call_id)
        if call and call.reason is None:
            log.warning("call goes on at another process", extra={"call_id": call_id})
            call.end("bridge_restarted")  # which no record says

    async def _drop(self, call_id: str) -> None:
        """What this disk has of it goes; of this process's own deletions nothing is left by now."""
        await self._backfill.cancel(call_id)
        try:
            if self._audio.is_open(call_id):
                await self._audio.flush()  # it may be on its way to being closed
            kept = call_id in self._audio.kept()
            if kept:
                await (await self._audio.reopen(call_id)).remove()
            if await self._recordings.drop(call_id) or kept:
                log.info("audio of a deleted call is gone", extra={"call_id": call_id})
        except StoreError as error:
            log.error("audio of a deleted call stays", extra={"call_id": call_id, "reason": str(error)})
