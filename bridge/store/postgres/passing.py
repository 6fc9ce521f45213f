"""Requests for calls of other processes: rows in a table that is not logged, a NOTIFY, and a poll behind it.

What is decided is `asked`'s. A row is there for seconds, and nothing durable hangs on it: after a crash of the database
the table is empty, and who waits says that it does not know. What a request has changed is in the call's events.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection

from bridge.errors import StoreError
from bridge.store.passing import LARGEST, Answered, Answerer, NotPassed
from bridge.store.postgres import statements
from bridge.store.postgres.asked import Asked, Found, Inbox, Owner, Place, Step, Taken, refusal
from bridge.store.postgres.connections import Database
from bridge.store.postgres.node import CLOCK

log = logging.getLogger("bridge.store")

POLL, SHORT_POLL = 2.0, 0.5
"""Seconds between two looks for requests: where messages arrive, and where not."""

_LOOK = 0.5  # seconds between two looks for an answer, unless a message tells of it


class PostgresPassing:
    """`start`, and `close` at the end; `look` when another process says that there is something for this one."""

    def __init__(
        self,
        database: Database,
        node: str,
        *,
        wake: Callable[[str], object],
        hears: Callable[[], bool],
        counters: Counter[str],
        monotonic: Callable[[], float] = lambda: time.clock_gettime(CLOCK),
    ) -> None:
        """`wake` tells another process to look; `hears`: whether messages arrive here."""
        self._database = database
        self._node = node
        self._wake = wake
        self._hears = hears
        self._counters = counters
        self._now = monotonic
        self._inbox = Inbox()
        self._answerer: Answerer | None = None
        self._something = asyncio.Event()
        self._news = asyncio.Event()
        """Set once for all who wait for an answer, and another in its place."""
        self._server: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = False

    def __repr__(self) -> str:
        return f"<PostgresPassing carrying out {len(self._tasks)}>"

    def start(self) -> None:
        """Look for requests of others."""
        self._server = asyncio.create_task(self._serve(), name="requests of other processes")

    async def close(self) -> None:
        """What is not answered by now is not answered: its asker says that it does not know."""
        tasks = [*self._tasks, *([self._server] if self._server else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def answer_by(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def look(self) -> None:
        """There may be a request for this process, or an answer."""
        self._something.set()
        news, self._news = self._news, asyncio.Event()
        news.set()

    # At the process that was asked.

    async def ask(self, call_id: str, text: str) -> Answered | NotPassed:
        if len(text) > LARGEST:
            raise StoreError("the request is too long to be passed on")
        asked = Asked(self._node, self._now())
        became: Answered | NotPassed | Step = Step.PASS_ON
        while became is Step.PASS_ON:
            place = asked.place(await self._owner(call_id), self._now())
            became = place if isinstance(place, NotPassed) else await self._pass_on(asked, place, call_id, text)
        assert not isinstance(became, Step)
        self._counters["passed_on"] += isinstance(became, Answered)
        self._counters["not_passed_on"] += isinstance(became, NotPassed) and became is not NotPassed.HERE
        return became

    async def _owner(self, call_id: str) -> Owner | None:
        rows = await self._database.query(statements.OWNER_OF, (call_id,))
        return Owner(*rows[0]) if rows else None

    async def _pass_on(self, asked: Asked, place: Place, call_id: str, text: str) -> Answered | NotPassed | Step:
        key = {"call_id": call_id, "id": secrets.token_hex(8)}
        await self._place(place, {**key, "node": place.node, "asker": self._node, "text": text})
        try:
            became = await self._wait(asked, place, key)
            if became is not NotPassed.UNKNOWN:
                await self._database.query(statements.FORGET_REQUEST, key)
        except StoreError as error:
            extra = {"call_id": call_id, "reason": str(error)}
            log.warning("it is not known what became of a request", extra=extra)
            return NotPassed.UNKNOWN
        return became

    async def _place(self, place: Place, row: dict[str, Any]) -> None:
        """It expires when it would have, also where the database was away for a while."""
        until = self._now() + place.seconds

        async def insert(connection: AsyncConnection[Any]) -> None:
            await connection.execute(statements.PLACE_REQUEST, {**row, "seconds": until - self._now()})

        await self._database.ask(insert)

    async def _wait(self, asked: Asked, place: Place, key: dict[str, Any]) -> Answered | NotPassed | Step:
        while True:
            news = self._news
            rows = await self._database.query(statements.READ_REQUEST, key)
            found = Found(*rows[0]) if rows else None
            step = asked.look(found, self._now())
            if step is Step.WITHDRAW:
                if await self._database.query(statements.WITHDRAW_REQUEST, key):
                    return NotPassed.LATE
                continue  # it was taken in the last moment
            if step is not Step.WAIT:
                return step
            if found and not found.taken:
                self._wake(place.node)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await news.wait()

    # At the owner of a call.

    async def _serve(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL if self._hears() else SHORT_POLL):
                    await self._something.wait()
            self._something.clear()
            asked = self._now()
            try:
                rows = await self._database.query(statements.TAKE_REQUESTS, {"node": self._node})
            except StoreError as error:
                if not self._failing:
                    log.warning("requests of other processes cannot be read", extra={"reason": str(error)})
                self._failing = True
                await asyncio.sleep(SHORT_POLL)
                continue
            self._failing = False
            for taken in self._inbox.new([Taken(*row) for row in rows], asked):
                self._tasks.add(task := asyncio.create_task(self._carry_out(taken, asked)))
                task.add_done_callback(self._done)

    async def _carry_out(self, taken: Taken, asked: float) -> None:
        answer, refused = None, refusal(taken, asked, self._now())
        if refused is None:
            answer = await self._answerer(taken.call_id, taken.text) if self._answerer else None
            refused = "moved" if answer is None else None
        self._counters["carried_out"] += answer is not None
        values = {"call_id": taken.call_id, "id": taken.id, "answer": answer, "refused": refused}
        try:
            await self._database.query(statements.ANSWER_REQUEST, values)
        except StoreError as error:
            log.warning("a request was not answered", extra={"call_id": taken.call_id, "reason": str(error)})
        self._wake(taken.asker)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a request of another process failed", exc_info=error)
