"""Deleting a call: everything that is kept of it, wherever that is.

The record goes last, so that a deletion that was interrupted can be repeated.
"""

import logging

from bridge.call.backfill import Backfill
from bridge.errors import StoreError
from bridge.store.audio import Recordings
from bridge.store.base import CallIndex
from bridge.store.kept import KeptAudio

log = logging.getLogger("bridge.eraser")


class Eraser:
    """Deletes a call's record, its kept audio, its recording, and the work that is being done on them."""

    def __init__(self, store: CallIndex, audio: KeptAudio, recordings: Recordings, backfill: Backfill) -> None:
        self._store = store
        self._audio = audio
        self._recordings = recordings
        self._backfill = backfill

    async def erase(self, call_id: str, *, more: bool = False) -> bool:
        """Forget a call that has ended; False: there is none of that id. `more`: as in `CallIndex.delete`.

        What is on its way to a webhook arrives there. Raises StoreError for a call that is going on.
        """
        rows = await self._store.calls(call_id=call_id)
        if not rows:
            return False
        if rows[0].ended_at is None:
            raise StoreError(f"call {call_id} is going on")
        await self._backfill.cancel(call_id)
        await self._audio.flush()  # what it left may still be on its way to being closed
        if self._audio.is_open(call_id):
            raise StoreError(f"the audio of call {call_id} is still being closed")
        if call_id in self._audio.kept():
            await (await self._audio.reopen(call_id)).remove()
        await self._recordings.remove(call_id)
        log.info("call deleted", extra={"call_id": call_id})
        return await self._store.delete(call_id, more=more)
