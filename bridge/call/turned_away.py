"""Streams that were turned away because the record could not be read: the carrier is asked for them once more.

A carrier opens a stream once. Of a call that has begun elsewhere the process that has it asks again, once the carrier
complains; of one that has begun nowhere only this process knows, which is cut off from the record. A balancer
sends the next stream to another one, as this one does not count as ready.
"""

import asyncio
import logging
from collections import Counter

from bridge.call import describe
from bridge.call.services import Services
from bridge.carriers.messages import Started
from bridge.events import TRACKS

log = logging.getLogger("bridge.call")

PAUSE = 2.0
"""Seconds for a balancer to see that this process is not ready."""

_LONGEST = 16.0  # seconds between two tries, each of which takes twice as long as the one before
_TRIES = 4
_REMEMBERED = 1000  # calls


class TurnedAway:
    """Made with the registry."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tries: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<TurnedAway {len(self._tries)} calls>"

    def ask(self, started: Started) -> None:
        """A stream was turned away, and its call may have no other."""
        if not started.asked and started.carrier in self._services.reforks:
            self._tasks.add(task := asyncio.create_task(self._ask(started)))
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """The process stops."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, started: Started) -> None:
        call_id = started.call_id
        while (tries := self._tries[call_id]) < _TRIES:
            self._remember(call_id)
            await asyncio.sleep(min(_LONGEST, PAUSE * 2**tries))
            if await self._services.ask_for_stream(
                call_id, started, describe.tracks(started) or TRACKS, has_call=False
            ):
                return

    def _remember(self, call_id: str) -> None:
        """That it was tried once more; the oldest are forgotten."""
        self._tries[call_id] += 1
        while len(self._tries) > _REMEMBERED:
            del self._tries[next(iter(self._tries))]
