"""The outbox, as its users see it: how far each endpoint has got with each call. A protocol only."""

from typing import Protocol

from bridge.outbox import Backlog, Lane, LaneState, ParkedLane, Settlement, StuckLane


class Outbox(Protocol):
    """How far each endpoint has got with each call: a lane of each pair, with a lease and a cursor."""

    async def claim(
        self, endpoint: str, limit: int, *, lease: float, now: float, fresh_first: bool = False
    ) -> list[Lane]:
        """Lease lanes that are due for `lease` seconds, those that wait longest first.

        No lane ever has two holders. `fresh_first`: lanes that have not failed before those that have.
        """

    async def settle(self, lane: Lane, settlement: Settlement) -> bool:
        """Write down how a try went and give the lease back. False: it is another's, and nothing was written."""

    async def resume(self, endpoint: str, call_id: str | None = None, *, after: int | None = None) -> list[str]:
        """Make lanes due at once, parked ones too; their calls. One call's or all that have undelivered events.

        `after` (with a call id) moves the cursor: the events above it are sent again, in order. The holder of
        such a lane loses its lease. A call from before the endpoint gets its lane, if the endpoint gets calls like it.
        """

    async def parked(self, endpoint: str) -> list[ParkedLane]:
        """The dead letters of an endpoint."""

    async def delivery(self, endpoint: str, call_id: str) -> LaneState | None:
        """How far the delivery has got; None where the endpoint does not get this call."""

    async def deliveries(self, call_id: str) -> dict[str, LaneState]:
        """How far each endpoint has got that gets this call, or did before it was taken from the settings."""

    async def backlogs(self) -> list[Backlog]:
        """What is not delivered, by endpoint: those without any are left out, those not in the settings are not."""

    async def stuck(self, endpoint: str | None = None, *, limit: int = 200) -> list[StuckLane]:
        """Lanes whose last try failed, and dead letters, which come first; of one endpoint or of all."""

    async def since(self, time: str) -> list[tuple[str, int]]:
        """The calls that have events of `time` (as events write it) or later, and after which `seq` those begin."""

    async def named_url(self, endpoint: str) -> str | None:
        """Where an endpoint is that calls have named; None: there is no such one any more."""

    async def disabled(self, endpoint: str) -> str | None:
        """What `disable` was last told about the endpoint."""

    async def disable(self, endpoint: str, address: str | None) -> None:
        """Remember that the endpoint said it is gone, and at which address; None: it is in use again."""
