"""A record on its way: copied call by call, then compared with what it was copied from.

Everything may be broken off at any moment, by `kill -9` too, and begun again: what is there already is left alone, what
has changed here since is written again, and what is gone here goes there. The tables stay closed until all of it has
been found to be the same; only then the record here is left for good, and after that they are opened.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from bridge.errors import StoreError
from bridge.store.files import MOVED
from bridge.store.moving.rows import LANE, NUMBER, Fingerprint, Piece, Row, comparable, hashed
from bridge.store.moving.source import Source, moved
from bridge.store.moving.target import Target, connected
from bridge.store.sqlite import FILENAME

KINDS = ("calls", "events", "texts", "lanes", "endpoints")
"""What is counted; a text is what the full-text index has of a final."""

MOST_SHOWN = 20
"""Differences that are told one by one."""

T = TypeVar("T")

Tell = Callable[[str, int, int], object]
"""What is done, how many calls it is done with, and of how many."""


@dataclass(slots=True)
class Moved:
    """What came of it."""

    before: bool = False
    """All of it was there before, and nothing was done."""
    copied: int = 0
    """Calls that were written this time."""
    shift: int = 0
    """By how much the positions in the log of all calls are later than they were."""
    here: Counter[str] = field(default_factory=Counter)
    """How many there are of each of `KINDS`."""
    there: Counter[str] = field(default_factory=Counter)
    hash_here: str = ""
    """Of the hashes of all calls, in the order in which they began."""
    hash_there: str = ""
    different: int = 0
    """Calls and endpoints that are not there, or not the same."""
    shown: list[str] = field(default_factory=list)
    """The first of these."""

    @property
    def is_same(self) -> bool:
        """Whether all of it is there, and nothing else of it."""
        return not self.different and self.here == self.there and self.hash_here == self.hash_there

    def differs(self, what: str) -> None:
        """Something is not the same."""
        self.different += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(what)


async def move(data_dir: Path, url: str, tell: Tell) -> Moved:
    """Copy the record of a folder into the database at `url`, and compare it; where it is the same there, it is left
    here. Raises `StoreError`, also as `StoreInUse` and `StoreDamaged`."""
    if before := moved(data_dir):
        return await _ended(data_dir, url, before)
    source = await asyncio.to_thread(Source, data_dir)
    try:
        async with connected(url) as connection:
            target = Target(connection, source.id)
            if not await target.begin():
                raise StoreError(f"this record was copied before: it is at DATABASE_URL, and {data_dir} is not used")
            return await _Move(source, target, tell).run()
    finally:
        await asyncio.to_thread(source.close)


async def _ended(data_dir: Path, url: str, source: str) -> Moved:
    """The last step again, which may have been broken off."""
    async with connected(url) as connection:
        target = Target(connection, source)
        if not await target.is_known():
            mark = (data_dir / FILENAME).with_suffix(MOVED)
            raise StoreError(f"this record was moved into another database; to copy it once more, delete {mark}")
        await target.finish()
    return Moved(before=True)


class _Move:
    """One run."""

    def __init__(self, source: Source, target: Target, tell: Tell) -> None:
        self._source = source
        self._target = target
        self._tell = tell
        self._done = Moved(shift=target.shift)

    async def run(self) -> Moved:
        if self._target.shift:
            await self._refuse_what_both_have()
        await self._target.reserve(self._source.position)
        if self._target.resumes:
            await self._drop_what_is_gone()
        async for calls in self._batches("copied"):
            lanes = await asyncio.to_thread(self._source.lanes, calls)
            self._done.copied += await self._target.put(calls, lanes, self._pieces)
        async for endpoints in _stepped(self._source.endpoints()):
            await self._target.put_endpoints(endpoints)
        await self._target.order()
        await self._compare()
        if self._done.is_same:
            await asyncio.to_thread(self._source.leave)
            await self._target.finish()
        return self._done

    async def _refuse_what_both_have(self) -> None:
        """Before anything is written."""
        try:
            async for calls in self._batches("looked for"):
                await self._target.refuse([call[0] for call in calls])
        except StoreError:
            await self._target.give_up()
            raise

    async def _drop_what_is_gone(self) -> None:
        """A process may have gone on with the record since a copy of it was begun."""
        async for ids in self._target.copied():
            await self._target.drop(await asyncio.to_thread(self._source.absent, ids))

    async def _compare(self) -> None:
        here, there = sha256(), sha256()
        async for calls in self._batches("compared"):
            for one, other in await self._prints(calls):
                here.update(one)
                there.update(other)
        async for endpoints in _stepped(self._source.endpoints()):
            await self._compare_endpoints(endpoints)
        done = self._done
        done.hash_here, done.hash_there = here.hexdigest(), there.hexdigest()
        done.there["calls"], done.there["events"] = await self._target.totals()

    async def _prints(self, calls: list[Row]) -> list[tuple[bytes, bytes]]:
        """The hashes of these calls, here and there; one that is not there has none."""
        shift, target, done, ids = self._target.shift, self._target, self._done, [call[0] for call in calls]
        lanes = await asyncio.to_thread(self._source.lanes, calls)
        lanes_there = await target.lanes(ids)
        here = {
            call[0]: Fingerprint(comparable(call, shift), (lane[: len(LANE)] for lane in lanes[call[0]]))
            for call in calls
        }
        there = {id: Fingerprint(call, lanes_there[id]) for id, call in (await target.calls(ids)).items()}
        texts, same = Counter[str](), Counter[str]()
        async for piece in self._pieces(calls):
            for row in hashed(piece.events):
                here[row[0]].add(row)
            texts.update(row[0] for row in piece.speech)
            same += await target.same_speech(piece.speech)
            done.here["events"] += len(piece.events)
        async for row in target.events(ids):
            if row[0] in there:
                there[row[0]].add(row)
        texts_there = await target.speech(ids)
        wrong = {}
        for call_id in ids:
            if call_id not in there:
                wrong[call_id] = f"call {call_id} is not there"
            elif bytes(here[call_id]) != bytes(there[call_id]):
                wrong[call_id] = f"call {call_id} is not the same"
            elif not texts[call_id] == same[call_id] == texts_there[call_id]:
                wrong[call_id] = f"the words of call {call_id} are not the same in the index"
        for what in wrong.values():
            done.differs(what)
        await target.drop(list(wrong))  # the next try copies them once more
        done.here += Counter(calls=len(calls), texts=texts.total(), lanes=sum(map(len, lanes.values())))
        done.there += Counter(texts=texts_there.total(), lanes=sum(map(len, lanes_there.values())))
        return [(bytes(here[id]), bytes(there[id]) if id in there else b"") for id in ids]

    async def _compare_endpoints(self, rows: list[Row]) -> None:
        there = {row[0]: row for row in await self._target.endpoints([row[0] for row in rows])}
        self._done.here["endpoints"] += len(rows)
        self._done.there["endpoints"] += len(there)
        for row in rows:
            known = there.get(row[0])
            if known is None or (known != row and not self._target.shift):
                self._done.differs(f"endpoint {row[0]} is not the same")

    async def _batches(self, doing: str) -> AsyncIterator[list[Row]]:
        """All calls, some at a time; it is told when something is done with them."""
        after, done = -1, 0
        while calls := await asyncio.to_thread(self._source.calls, after, self._target.shift):
            yield calls
            after, done = calls[-1][NUMBER], done + len(calls)
            self._tell(doing, done, self._source.count)

    def _pieces(self, calls: list[Row]) -> AsyncIterator[Piece]:
        return _stepped(self._source.pieces(calls, self._target.shift))


async def _stepped(items: Iterator[T]) -> AsyncIterator[T]:
    """What blocks, item by item in a thread."""
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item
