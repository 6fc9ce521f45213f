"""Which record a stream begins that is of no call here: the call's first, a further one, or none.

Where several processes have one record its call may be another's: then that one takes the stream, too, or has just
begun the record that this one was about to. One that cannot be reached, or does not take it, is passed over: better a
further record than no transcript.
"""

import logging
from dataclasses import dataclass

from bridge.call import describe
from bridge.call.services import Services
from bridge.call.stream import CallRefused
from bridge.carriers.messages import Started
from bridge.store.base import CallFilter
from bridge.store.relaying import Keeper, Keepers

log = logging.getLogger("bridge.call")


class NotHere(CallRefused):
    """This process does not have the call, or lets go of it: a stream that was relayed here goes back."""


class KeptElsewhere(CallRefused):
    """Another process takes the stream."""

    def __init__(self, keeper: Keeper, started: Started, since: float) -> None:
        """`since`: as `Coming`'s."""
        super().__init__("another process has the call")
        self.keeper = keeper
        self.started = started
        self.since = since


@dataclass(frozen=True, slots=True)
class Coming:
    """How a stream comes here."""

    relayed: bool = False
    """Another process relays it to this one, as its call is here."""
    passed_over: frozenset[str] = frozenset()
    """The processes that have its call, or may have it, and do not take the stream."""
    since: float | None = None
    """It was relayed to another process before: since when it is here, in seconds since 1970."""


DIRECTLY = Coming()


@dataclass(frozen=True, slots=True)
class Beginning:
    """A record that begins."""

    record_id: str
    before: str | None
    """The record of the same call before it."""
    started: Started
    """Its first stream, with what the record before was to have."""


class Beginnings:
    """Chooses them."""

    def __init__(self, services: Services, keepers: Keepers | None) -> None:
        """`keepers`: None where no other process has the record."""
        self._services = services
        self._keepers = keepers

    async def look_elsewhere(self, started: Started, coming: Coming, *, again: bool = True) -> None:
        """Raises `KeptElsewhere` where another process takes the streams of the call, `NotHere` for a stream that was
        relayed: it is not relayed again, and begins nothing. `again`: there may be one by now. Raises StoreError."""
        if coming.relayed:
            raise NotHere("the call is not here")
        keeper = await self._keepers.find(started.call_id) if self._keepers and again else None
        if keeper and keeper.node not in coming.passed_over:
            raise self._kept_by(keeper, started, coming)

    async def choose(self, started: Started, came: float, coming: Coming, *, waited: bool) -> Beginning:
        """`came`: the wall clock at the beginning of the stream. `waited`: until another process let go. Raises
        `CallRefused`, `KeptElsewhere` and StoreError."""
        call_id = started.call_id
        newest = await self._services.store.find(CallFilter(carrier_call_id=call_id), limit=1)
        if newest and (reason := describe.superseded(newest[0], started, came, waited=waited)):
            raise CallRefused(reason)
        if newest and coming.since and (newest[0].row.ended_at or 0.0) > coming.since:
            raise CallRefused("the call has ended at the process that heard it")
        before = newest[0].row.id if newest else None
        record_id = describe.further_record(before, call_id) if before else call_id
        while keeper := await self._begun_elsewhere(record_id):
            if keeper.url and keeper.node not in coming.passed_over:
                raise self._kept_by(keeper, started, coming)
            before, record_id = record_id, describe.further_record(record_id, call_id)
        if coming.passed_over:
            log.warning("a stream that no process takes has a record of its own", extra={"call_id": record_id})
        return Beginning(record_id, before, await self._services.as_before(started, before))

    def _kept_by(self, keeper: Keeper, started: Started, coming: Coming) -> KeptElsewhere:
        return KeptElsewhere(keeper, started, coming.since or self._services.clock.wall())

    async def _begun_elsewhere(self, record_id: str) -> Keeper | None:
        return await self._keepers.begin(record_id) if self._keepers else None
