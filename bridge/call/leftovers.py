"""Kept audio that no one works on: what a process has left that is gone, and what was given up and is too old.

It is looked for on this disk and in the object store, and said what is to become of it; `backfill` does that. Where
several processes share a record, nothing of a call is touched before the call is this one's, and one process at a time
looks into the object store.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime

from bridge.call.projection import Projection
from bridge.call.recovery import read_projection
from bridge.errors import StoreError
from bridge.store.base import EventLog, Ownership, Whose
from bridge.store.kept import KeptAudio

log = logging.getLogger("bridge.backfill")

ALONE, SHARED = 3600.0, 600.0
"""Seconds between two looks, and where several processes share a record."""

ABSENT = 60.0
"""Seconds for a process that has died to come back, with more of the audio on its disk than is in the object store."""

_SOON = 3  # leases until the next look, where a call had an owner that may be gone by then


class Leftovers:
    """`look` at the start, and then after each `pause`."""

    def __init__(
        self,
        store: EventLog,
        audio: KeptAudio,
        owners: Ownership | None,
        *,
        keep: float,
        wall: Callable[[], float],
        offer: Callable[[str], object],
        finish: Callable[[str], Awaitable[None]],
    ) -> None:
        """`owners`: say whose a call is, where there may be other processes. `keep`: seconds after the end of a call
        for which audio that was given up stays. `offer`: has a call transcribed. `finish`: its audio is needed no more.
        """
        self._store = store
        self._audio = audio
        self._owners = owners
        self._keep = keep
        self._wall = wall
        self._offer = offer
        self._finish = finish
        self._refused = False

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        if self._owners is None or self._owners.lease is None:
            return ALONE
        return _SOON * self._owners.lease if self._refused else SHARED

    async def look(self, *, first: bool = False) -> None:
        """Take up what there is. A call that cannot be read costs no other. `first`: this process has just begun, so
        that audio on its disk of which there is no record is of no call that is about to begin."""
        self._refused = False
        await self._take_up_all(self._audio.kept(), here=True, first=first)
        try:
            async with self._chore(0.0 if first else SHARED) as ours:
                if ours:
                    await self._take_up_all(await self._audio.elsewhere(), here=False)
        except StoreError as error:
            log.error("cannot look for audio elsewhere", extra={"reason": str(error)})

    def _chore(self, every: float) -> AbstractAsyncContextManager[bool]:
        return self._owners.chore("kept audio", every) if self._owners else nullcontext(True)

    async def _take_up_all(self, calls: Iterable[str], *, here: bool, first: bool = False) -> None:
        for call_id in calls:
            try:
                await self._take_up(call_id, here=here, first=first)
            except StoreError as error:
                log.error("kept audio cannot go", extra={"call_id": call_id, "reason": str(error)})

    async def _take_up(self, call_id: str, *, here: bool, first: bool) -> None:
        """`here`: it is on this disk."""
        projection = await read_projection(self._store, call_id)
        if not projection.ended:
            if here and first and not projection.seq:
                await self._finish(call_id)
            return
        too_old = projection.given_up and ended_at(projection) + self._keep < self._wall()
        lacks = projection.uncovered and not too_old
        if lacks and projection.given_up:
            return
        if not await self._take(call_id, 0.0 if here else ABSENT):
            if here and not lacks and await self._is_others(call_id):
                # They have made of it what can be made; what they did not have of it, they have told.
                log.warning("kept audio of a call that another process has is deleted", extra={"call_id": call_id})
                await (await self._audio.reopen(call_id)).remove()
            else:
                self._refused = True
        elif lacks:
            self._offer(call_id)
        else:
            if too_old:
                log.info("kept audio is too old", extra={"call_id": call_id})
            await self._finish(call_id)

    async def _take(self, call_id: str, absent: float) -> bool:
        return self._owners is None or await self._owners.take_ended(call_id, absent) is not None

    async def _is_others(self, call_id: str) -> bool:
        return self._owners is not None and await self._owners.whose(call_id) is Whose.OTHERS


def ended_at(projection: Projection) -> float:
    """When a call ended, in seconds since 1970; 0: it has not."""
    return datetime.fromisoformat(projection.ended["ended_at"]).timestamp() if projection.ended else 0.0
