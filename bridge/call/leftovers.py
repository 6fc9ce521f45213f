"""Kept audio that no one works on: what a process has left that is gone, and what was given up and is too old.

It is looked for on this disk and in the object store, and said what is to become of it; `backfill` does that. Where
several processes share a record, nothing of a call is touched before the call is this one's, and one process at a time
looks into the object store. Of a call whose last process is gone with its disk there may be an earlier one's audio
only: then what lacks words is told as a gap, and that audio goes.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime

from bridge.call import describe
from bridge.call.event_writer import EventWriter
from bridge.call.observed import Observed
from bridge.call.projection import NOT_TRANSCRIBED, Projection
from bridge.call.recovery import is_earlier, last_heard, read_projection, reopen_last
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
        offer: Callable[[str], object],
        finish: Callable[[str], Awaitable[None]],
        observed: Callable[[str], Observed] = lambda carrier: Observed(carrier, Counter()),
        *,
        keep: float,
        wall: Callable[[], float],
    ) -> None:
        """`owners`: say whose a call is, where there may be other processes. `keep`: seconds after the end of a call
        for which audio that was given up stays. `offer`: has a call transcribed. `finish`: its audio is needed no more.
        `observed`: a call of a carrier, as it is seen.
        """
        self._store = store
        self._audio = audio
        self._owners = owners
        self._keep = keep
        self._wall = wall
        self._offer = offer
        self._finish = finish
        self._observed = observed
        self._refused = False
        self._failed: set[str] = set()
        """Calls at which something failed in the last look; of some nothing is here any more that tells of them."""

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
        failed, self._failed = self._failed, set()
        await self._take_up_all(self._audio.kept(), here=True, first=first)
        await self._take_up_all(sorted(failed.difference(self._audio.kept())), here=False)
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
                self._failed.add(call_id)

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
        resumed = last_heard(projection, self._owners)
        mine = here and not (lacks and await self._is_earlier(call_id, resumed))
        if not await self._take(call_id, 0.0 if mine else ABSENT):
            if here and not lacks and await self._is_others(call_id):
                # They have made of it what can be made; what they did not have of it, they have told.
                log.warning("kept audio of a call that another process has is deleted", extra={"call_id": call_id})
                await (await self._audio.reopen(call_id)).remove()
            else:
                self._refused = True
        elif lacks and resumed and not await self._has_last(call_id, resumed):
            await self._lose(call_id, projection)
        elif lacks:
            self._offer(call_id)
        else:
            if too_old:
                log.info("kept audio is too old", extra={"call_id": call_id})
            await self._finish(call_id)

    async def _is_earlier(self, call_id: str, resumed: int) -> bool:
        """Whether what is here is of a process before the call's last."""
        if not resumed:
            return False
        file = await self._audio.reopen(call_id)
        file.close()
        return is_earlier(file, resumed)

    async def _has_last(self, call_id: str, resumed: int) -> bool:
        if self._audio.is_open(call_id):
            return True  # it is being transcribed
        if file := await reopen_last(self._audio, call_id, resumed):
            file.close()
        return file is not None

    async def _lose(self, call_id: str, projection: Projection) -> None:
        """Its last process has what its words were on its disk, and is gone. Should it come back, its audio stays for
        as long as any that was given up."""
        log.error("kept audio is lost", extra={"call_id": call_id, "reason": "its last process has not come back"})
        lack = self._observed(projection.started.get("carrier", "")).lack
        writer = EventWriter(call_id, self._store, self._wall, projection.seq, on_gap=lack)
        for stretch in projection.uncovered:
            writer.add(describe.gap(stretch, NOT_TRANSCRIBED))
        writer.commit()
        await writer.written()
        if writer.unkept:
            raise StoreError(f"the store did not keep {writer.unkept} events of call {call_id}")
        if await self._audio.has(call_id):
            await (await self._audio.reopen(call_id)).remove()
        if self._owners:
            await self._owners.leave_ended(call_id)

    async def _take(self, call_id: str, absent: float) -> bool:
        return self._owners is None or await self._owners.take_ended(call_id, absent) is not None

    async def _is_others(self, call_id: str) -> bool:
        return self._owners is not None and await self._owners.whose(call_id) is Whose.OTHERS


def ended_at(projection: Projection) -> float:
    """When a call ended, in seconds since 1970; 0: it has not."""
    return datetime.fromisoformat(projection.ended["ended_at"]).timestamp() if projection.ended else 0.0
