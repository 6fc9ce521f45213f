"""The bad day that everybody has at once, and each call's own faults at Deepgram's and the webhook's.

Turns the windows and faults of a scenario into what `LocalDeepgram` and `Receiver` can be told; decides nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from bridge.local.deepgram import NO_FAULTS, Faults, LocalDeepgram
from bridge.local.receiver import Fault, Receiver
from tests.chaos.scenario import Scenario, Window

Until = Callable[[float], Awaitable[None]]
"""Waits until a moment of the run."""

_POSTED = (Faults(refuse=503), Faults(refuse=429), Faults(drop_after=0.0), Faults(delay=0.5))
_POSTED_RATE = 0.2


class LiveFaults:
    """What befalls each socket: what the window says, or else what its call's plan has for the next one.

    Stands in the place of a server's `Faults`, which only know how many sockets there have been in all.
    """

    def __init__(self, server: LocalDeepgram, plans: Mapping[str, Sequence[Faults]]) -> None:
        """`plans`: faults of the first sockets of each call."""
        self.refuse: int | None = None
        """The status that everybody is refused with now."""
        self.refused = 0
        self._server = server
        self._plans = plans
        self._seen: Counter[str] = Counter()

    def of_connection(self, index: int) -> Faults:
        """The faults of the server's next socket."""
        if self.refuse:
            self.refused += 1
            return Faults(refuse=self.refuse)
        query = next((dict(c.query) for c in reversed(self._server.connections) if c.index == index), {})
        # A further record of a call has a number behind the call's id.
        call_id = query.get("extra", "").removeprefix("call_id:").partition("-")[0]
        place, plan = self._seen[call_id], self._plans.get(call_id, ())
        self._seen[call_id] += 1
        faults = plan[place] if place < len(plan) else NO_FAULTS
        self.refused += faults.refuse is not None
        return faults


class PostedFaults:
    """What befalls each pre-recorded request, as far as a seed can say: nobody knows whose it is before it is read."""

    def __init__(self, live: LiveFaults, seed: int) -> None:
        self._live = live
        self._chance = Random(f"{seed} posted")

    def of_connection(self, index: int) -> Faults:
        """The faults of the server's next request."""
        if self._live.refuse:
            return Faults(refuse=self._live.refuse)
        return self._chance.choice(_POSTED) if self._chance.random() < _POSTED_RATE else NO_FAULTS


class Weather:
    """Both servers under a scenario."""

    def __init__(self, scenario: Scenario, deepgram: LocalDeepgram, receiver: Receiver) -> None:
        self.live = LiveFaults(deepgram, {call.call_id: call.connections for call in scenario.calls})
        self.cuts = 0
        """Sockets to Deepgram that were cut, all at once."""
        deepgram.faults = self.live  # type: ignore[assignment]
        deepgram.request_faults = PostedFaults(self.live, scenario.seed)  # type: ignore[assignment]
        receiver.faults += [replace(fault, call_id=call.call_id) for call in scenario.calls for fault in call.webhook]
        self._scenario, self._deepgram, self._receiver = scenario, deepgram, receiver

    async def blow(self, until: Until) -> None:
        """Through all windows, to the end of the last."""
        await asyncio.gather(
            *(self._deepgrams(window, until) for window in self._scenario.deepgram),
            *(self._webhooks(window, until) for window in self._scenario.webhook),
        )

    async def _deepgrams(self, window: Window, until: Until) -> None:
        await until(window.begins)
        match window.kind:
            case "cut":
                self._cut()
            case "down":
                self._cut()
                await self._deepgram.stop()
                await until(window.ends)
                await self._deepgram.start()
            case status:
                self.live.refuse = int(status)
                await until(window.ends)
                self.live.refuse = None

    def _cut(self) -> None:
        for connection in list(self._deepgram.connections):
            self.cuts += 1
            connection.drop()

    async def _webhooks(self, window: Window, until: Until) -> None:
        await until(window.begins)
        if window.kind == "down":
            await self._receiver.go_down()
            await until(window.ends)
            await self._receiver.come_up()
            return
        fault = Fault(delay=0.7) if window.kind == "slow" else Fault(status=500)
        self._receiver.faults.insert(0, fault)
        await until(window.ends)
        self._receiver.faults.remove(fault)
