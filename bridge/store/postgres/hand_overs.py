"""Live calls that go from one node to another: who stops, who hears which call, and what is left of it, by rows.

A word by NOTIFY says that there is something new in these, and a look now and then stands behind it. What a node leaves
carries the epoch under which it had the call: what a stalled one leaves too late is no one's.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from bridge.errors import StoreError
from bridge.store.kept import Left
from bridge.store.postgres.connections import Database
from bridge.store.postgres.statements import IS_ABANDONED

log = logging.getLogger("bridge.store")

_LOOK, _LOOK_IDLE = 0.5, 5.0  # seconds between two looks at the rows; where nothing is waited for

LARGEST = 512 * 1024
"""Octets of what is left of a call."""

_OTHERS = """
    SELECT count(*) FROM bridge.node WHERE id <> %(node)s AND NOT leaving AND expires_at > clock_timestamp()"""

_TAKE_NONE = "UPDATE bridge.node SET leaving = true WHERE id = %(node)s RETURNING id"

_LET_LISTEN = f"WITH own AS ({_TAKE_NONE}) {_OTHERS}"

# An owner that does not stop says at once whether it has a stream of the call itself; one of an older version never.
_HAD_BY_OTHERS = f"""
    SELECT carrier_call_id, leaving FROM bridge.call JOIN bridge.node ON node.id = owner
    WHERE carrier_call_id = ANY(%(calls)s) AND owner <> %(node)s AND ended_at IS NULL AND NOT ({IS_ABANDONED})
    AND (leaving OR %(asks)s OR EXISTS (
        SELECT 1 FROM bridge.hand_over WHERE hand_over.call_id = call.id AND heard_by = %(node)s
        AND hand_over.since > clock_timestamp() - 1.5 * %(lease)s * interval '1 second'))"""

# Who hears it first has it, while it is there.
_HEAR = """
    INSERT INTO bridge.hand_over (call_id, heard_by)
    SELECT id, %(node)s FROM bridge.call WHERE carrier_call_id = ANY(%(calls)s) AND ended_at IS NULL
    ORDER BY id COLLATE "C"
    ON CONFLICT (call_id) DO UPDATE SET heard_by = excluded.heard_by, since = excluded.since
    WHERE NOT EXISTS (
        SELECT 1 FROM bridge.node
        WHERE node.id = hand_over.heard_by AND NOT leaving AND expires_at > clock_timestamp())
    RETURNING call_id"""

_HEARD = """
    SELECT carrier_call_id FROM bridge.hand_over
    JOIN bridge.call ON call.id = call_id JOIN bridge.node ON node.id = heard_by
    WHERE owner = %(node)s AND ended_at IS NULL AND NOT leaving AND expires_at > clock_timestamp()"""

_KEEP_CALL = """
    UPDATE bridge.hand_over SET heard_by = NULL
    WHERE call_id IN (SELECT id FROM bridge.call WHERE carrier_call_id = %(call_id)s AND owner = %(node)s)
    RETURNING call_id"""

_LEAVE_CALL = """
    INSERT INTO bridge.hand_over (call_id, epoch, note, start, audio)
    SELECT id, epoch, %(note)s, %(start)s, %(audio)s FROM bridge.call
    WHERE id = %(call_id)s AND owner = %(node)s AND ended_at IS NULL
    ON CONFLICT (call_id) DO UPDATE SET epoch = excluded.epoch, note = excluded.note, start = excluded.start,
        audio = excluded.audio, since = excluded.since
    RETURNING call_id"""

_LEFT = "SELECT epoch, note, start, audio FROM bridge.hand_over WHERE call_id = %s"

_FORGET_LEFT = "DELETE FROM bridge.hand_over WHERE call_id = %s RETURNING call_id"


class PostgresHandOvers:
    """A part of `PostgresStore`, which has the database."""

    def __init__(self, database: Database, node: str, lease: float, *, tell: Callable[[], object]) -> None:
        """`tell` has the others look at the rows."""
        self.on_hears: Callable[[str], bool] = lambda call_id: False
        self.has_successor = False
        self._database = database
        self._own = {"node": node, "lease": lease}
        self._stops = False
        self._tell = tell
        self._waiting: dict[str, asyncio.Event] = {}
        """Calls, by the carrier's id, with an event that is set once no other process is about to let go of them."""
        self._heard: set[str] = set()
        """Those of them that are heard here, and of which that is to be said."""
        self._attending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._news = asyncio.Event(), asyncio.Event()

    def __repr__(self) -> str:
        return f"<PostgresHandOvers {'stops, ' if self._stops else ''}{len(self._waiting)} calls are waited for>"

    def start(self) -> None:
        """From now on other nodes may ask for calls that have no stream here."""
        self._listening = asyncio.create_task(self._listen(), name="store hand-overs")

    def look(self) -> None:
        """There may be something new."""
        for news in self._news:
            news.set()

    async def close(self) -> None:
        """No one waits any more."""
        tasks = [task for task in (self._attending, self._listening) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for left in self._waiting.values():
            left.set()

    # The owner.

    async def others(self) -> int:
        ((count,),) = await self._database.query(_OTHERS, self._own)
        return int(count)

    async def take_none(self) -> None:
        await self._database.query(_TAKE_NONE, self._own)

    async def let_listen(self) -> bool:
        try:
            ((others,),) = await self._database.query(_LET_LISTEN, self._own)
        except StoreError as error:
            log.warning("no other process is told that this one stops", extra={"reason": str(error)})
            return False
        self.has_successor = others > 0
        self._stops = True
        self._news[0].set()
        return self.has_successor

    async def _listen(self) -> None:
        """Learn which calls others hear; of a node that stops, whether there are any that do not."""
        known: set[str] = set()
        while True:
            with suppress(StoreError):  # the store says what is wrong with it
                if self._stops:
                    self.has_successor = await self.others() > 0
                heard = {call_id for (call_id,) in await self._database.query(_HEARD, self._own)}
                known &= heard
                for call_id in sorted(heard - known):
                    if self.on_hears(call_id) or self._stops:
                        known.add(call_id)
                    else:
                        await self._database.query(_KEEP_CALL, {**self._own, "call_id": call_id})
                        self._tell()
            await _wait(self._news[0], _LOOK if self._stops else _LOOK_IDLE)

    async def leave(self, record_id: str, left: Left) -> bool:
        note = json.dumps(left.note)
        if len(note) + len(left.audio) > LARGEST:
            raise StoreError("too much is to be left of the call")
        values = {**self._own, "call_id": record_id, "note": note, "start": left.start, "audio": left.audio}
        return bool(await self._database.query(_LEAVE_CALL, values))

    # The node that goes on.

    async def wait_left(self, call_id: str, wait_heard: Callable[[str], Awaitable[object]]) -> bool:
        stops = (await self._had_by_others([call_id], asks=True)).get(call_id)
        if stops is None:
            return False
        log.info("a call of another process is heard", extra={"call_id": call_id})
        left = self._waiting[call_id] = asyncio.Event()
        if not stops:
            self._heard.add(call_id)  # it is had as soon as the other has no stream: no place has to be found
        hearing = asyncio.create_task(self._hear(call_id, wait_heard))
        if self._attending is None or self._attending.done():
            self._attending = asyncio.create_task(self._attend(), name="store hand-overs")
        try:
            await left.wait()
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            self._waiting.pop(call_id, None)
            self._heard.discard(call_id)
        return True

    async def left(self, record_id: str, epoch: int) -> Left | None:
        found = await self._database.query(_LEFT, (record_id,))
        if found:
            # An answer that is lost must not lose what was left: it is deleted by itself, in time too.
            with suppress(StoreError):
                await self._database.query(_FORGET_LEFT, (record_id,))
        for left_with, note, start, audio in found:
            if left_with == epoch - 1:
                return Left(json.loads(note), start, audio)
        return None

    async def _hear(self, call_id: str, wait_heard: Callable[[str], Awaitable[object]]) -> None:
        await wait_heard(call_id)
        self._heard.add(call_id)
        self._news[1].set()

    async def _attend(self) -> None:
        """Say what is heard here, and learn what was let go of, while anything is waited for."""
        while self._waiting:
            heard, self._heard = self._heard & self._waiting.keys(), set()
            asked = list(self._waiting)
            try:
                if heard and await self._database.query(_HEAR, {**self._own, "calls": list(heard)}):
                    self._tell()
                had = await self._had_by_others(asked)
            except StoreError:
                self._heard |= heard  # the store says what is wrong with it, and it is tried again
            else:
                for call_id in self._waiting.keys() & set(asked) - had.keys():
                    self._waiting[call_id].set()
            await _wait(self._news[1], _LOOK)

    async def _had_by_others(self, calls: Iterable[str], *, asks: bool = False) -> dict[str, bool]:
        """Those that another node has, and whether that stops. `asks`: those too of one that was not told anything."""
        values = {**self._own, "calls": list(calls), "asks": asks}
        return dict(await self._database.query(_HAD_BY_OTHERS, values))


async def _wait(news: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
    news.clear()
