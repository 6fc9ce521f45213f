"""Does the errands of the archive: brings the audio that must outlive this disk to the object store, and takes it away.

What is there to do follows from the files alone, so that a process that dies at any moment has lost nothing: a
recording, and every file of kept audio, stays on the disk until its object is confirmed, and the next process finds it
there. Whether and why that fails is told in `trouble`, counted, and logged once a trouble.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from bridge.errors import StoreError
from bridge.store.archive.base import AUDIO, ArchiveError, Found, Objects, Recorded, recording_name
from bridge.store.archive.bringing import bring, has_recording, listed
from bridge.store.archive.errands import Errands
from bridge.store.archive.folders import files, folders
from bridge.store.archive.plan import Plan, may_bring, may_touch, plan
from bridge.store.archive.recording import ArchivedRecording, wav
from bridge.store.audio.segments import remove_folder
from bridge.store.audio.store import CALL_ID, FOLDER, RECORDINGS
from bridge.store.base import Ownership, Whose

log = logging.getLogger(__name__)

T = TypeVar("T")

GROWING = 10.0
"""Seconds from one look at the audio of a call that goes on to the next."""
_LOOK = 30.0  # seconds between two looks for recordings that others have put there
_FIRST = -3600.0  # kept audio goes before the recordings that wait; it may be all there is of some words
_PATIENCE = 60.0  # seconds for an errand of a call that is to be erased
_HASTE = 3.0  # seconds for what a call that goes on waits for


class Archive:
    """`async with Archive(…) as archive:`, around the audio store that uses it, on one event loop."""

    def __init__(
        self,
        objects: Objects,
        data_dir: Path,
        errands: Errands | None = None,
        *,
        owners: Ownership | None = None,
    ) -> None:
        """`owners`: asked before and after the objects of a call are written whose it is, where several processes share
        a record."""
        self.counters: Counter[str] = Counter()
        self.trouble: str | None = None
        """Why the object store does not do what it is asked; None: it does, as far as is known."""
        self._objects = objects
        self._audio = data_dir / FOLDER
        self._recordings = data_dir / RECORDINGS
        self._errands = errands or Errands()
        self._owners = owners
        self._there: dict[str, dict[str, int] | None] = {}
        """The objects of kept audio, with their octets, by call; None: there may be some."""
        self._terms: dict[str, tuple[int, bool]] = {}
        """What `keep` was last told of a call."""
        self._gone: set[str] = set()
        """Calls whose kept audio is to be deleted there."""
        self._unknown: set[str] = set()
        """Calls of recordings here that are in no record."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, str] = {}
        """Why errands fail by themselves, by call, as it was logged."""
        self._threads = ThreadPoolExecutor(2, "archive")  # own ones: a disk that hangs holds up no other's
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Archive":
        self._loop = asyncio.get_running_loop()
        self._watcher = asyncio.create_task(self._watch(), name="archive")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks.values(), *([self._watcher] if self._watcher else [])]
        self._watcher = None  # from here on nothing is begun
        if self._timer:
            self._timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def __repr__(self) -> str:
        return f"<Archive {self._errands!r} {dict(self.counters)}>"

    @property
    def waiting(self) -> int:
        """Calls of which something is to be done."""
        return self._errands.waiting

    async def drain(self, seconds: float, call_id: str | None = None) -> None:
        """Until nothing is left to do, for one call or for all, or the object store fails, or so many seconds are
        over."""
        ends = self._loop.time() + seconds
        while self._tasks and not self._errands.fails and (left := ends - self._loop.time()) > 0:
            if call_id and call_id not in self._errands:
                return
            await asyncio.wait(self._tasks.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if self.waiting and not call_id:
            log.warning("audio stays on this disk only", extra={"waiting": self.waiting, "reason": self.trouble})

    # What the stores of audio tell.

    def keep(self, call_id: str, settled: int = 0, *, grows: bool = False) -> None:
        """As in `AudioArchive`."""
        self._terms[call_id] = settled, grows
        self._there.setdefault(call_id, {})
        self._ask(call_id, GROWING if grows else _FIRST)

    def let_go(self, call_id: str) -> None:
        """As in `AudioArchive`."""
        self._terms.pop(call_id, None)
        if self._there.get(call_id, {}) != {} or self._errands.is_running(call_id):
            self._gone.add(call_id)
        self._ask(call_id)

    def left_here(self, call_id: str) -> None:
        """As in `AudioArchive`."""
        self._there[call_id] = None
        self._ask(call_id, _FIRST)

    # What they ask.

    async def has(self, call_id: str) -> bool:
        """As in `AudioArchive`; the answer does not wait long."""
        there: dict[str, int] | None = None
        try:
            async with asyncio.timeout(_HASTE):
                there = await listed(self._objects, call_id)
        except TimeoutError:
            raise ArchiveError("the object store does not answer in time") from None
        finally:
            if there != {}:  # else a call that goes on here would leave behind what there may be
                self._there.setdefault(call_id, there)
        return bool(there)

    async def restore(self, call_id: str, folder: Path) -> bool:
        """As in `AudioArchive`."""
        there = await listed(self._objects, call_id)
        if not there:
            return False
        await bring(self._objects, call_id, there, folder, self._in_thread)
        self._there[call_id] = there
        self.counters["restored"] += 1
        log.info("kept audio is here again", extra={"call_id": call_id, "files": len(there)})
        return True

    async def kept(self) -> list[str]:
        """As in `AudioArchive`."""
        found = set[str]()
        async for piece in self._objects.list():
            found.update(each.call_id for each in piece if each.name.startswith(AUDIO))
        return sorted(call_id for call_id in found if CALL_ID.fullmatch(call_id) and call_id not in self._there)

    async def recording(self, call_id: str) -> Recorded | None:
        """As in `AudioArchive`."""
        found = [each async for piece in self._objects.list(call_id) for each in piece if each.ended is not None]
        newest = max(found, key=lambda each: each.ended or 0.0, default=None)
        return ArchivedRecording(call_id, newest, self._objects) if newest else None

    async def recordings(self) -> AsyncIterator[Sequence[Found]]:
        """As in `AudioArchive`."""
        async for piece in self._objects.list():
            yield [each for each in piece if each.ended is not None and CALL_ID.fullmatch(each.call_id)]

    async def remove(self, recording: str) -> None:
        """As in `AudioArchive`."""
        await self._objects.remove([recording])
        self.counters["removed"] += 1

    async def erase(self, call_id: str) -> bool:
        """As in `AudioArchive`."""
        self._errands.drop(call_id)
        if task := self._tasks.get(call_id):
            # Not cancelled: an object that is on its way might arrive after the others are deleted.
            await asyncio.wait([task], timeout=_PATIENCE)
            self._errands.drop(call_id)
            if not task.done():
                raise ArchiveError(f"audio of {call_id} is still on its way to the object store")
        keys = [each.key async for piece in self._objects.list(call_id) for each in piece]
        await self._objects.remove(keys)
        self.counters["removed"] += len(keys)
        for known in (self._there, self._terms):
            known.pop(call_id, None)
        self._gone.discard(call_id)
        return bool(keys)

    # The errands.

    def _ask(self, call_id: str, after: float = 0.0) -> None:
        if self._watcher:
            self._errands.ask(call_id, self._loop.time(), after=after)
            self._begin()

    def _begin(self) -> None:
        """Begin what is to be begun, and wake up when more is."""
        for each in self._errands.data_to_send():
            self._tasks[each.call_id] = asyncio.create_task(self._do(each.call_id), name=f"archive {each.call_id}")
        due = self._errands.get_timer()
        if due == (self._timer.when() if self._timer else None):
            return  # calls that go on in an outage say four times a second that they do
        if self._timer:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._wake, due)

    def _wake(self, due: float) -> None:
        self._timer = None
        self._errands.handle_timer(max(due, self._loop.time()))  # the loop may be early
        self._begin()

    async def _do(self, call_id: str) -> None:
        asked, reason, alone = False, "a fault of the bridge", True
        try:
            whose = await self._whose(call_id)
            asked = await self._bring_recording(call_id, whose)
            asked = await self._bring_audio(call_id, whose) or asked
            reason = ""
        except ArchiveError as error:
            reason, alone = str(error), False
        except StoreError as error:
            reason = str(error)  # the record cannot say whose the call is
        except OSError as error:
            reason = error.strerror or "it cannot be read"
        finally:
            self._tasks.pop(call_id, None)
            self._conclude(call_id, asked, reason, alone)

    def _conclude(self, call_id: str, asked: bool, reason: str, alone: bool) -> None:
        if not self._watcher:
            return  # cut off, because the process stops
        now = self._loop.time()
        if not reason:
            self._errands.done(call_id, now, asked=asked)
            self._faults.pop(call_id, None)
        else:
            self.counters["failures"] += 1
            self._errands.failed(call_id, now, alone=alone)
            if alone and self._faults.get(call_id) != reason:
                self._faults[call_id] = reason
                log.error("audio cannot be brought to the object store", extra={"call_id": call_id, "reason": reason})
        trouble = reason if reason and not alone else self.trouble if self._errands.fails else None
        if trouble and trouble != self.trouble:
            log.error("the object store fails", extra={"reason": trouble, "waiting": self.waiting})
        if self.trouble and not trouble:
            log.info("the object store works again", extra={"waiting": self.waiting})
        self.trouble = trouble
        self._begin()

    async def _bring_recording(self, call_id: str, whose: Whose) -> bool:
        """A finished recording goes there, and leaves this disk once it is confirmed; whether anything was asked."""
        if whose is Whose.UNKNOWN:
            self._unknown.add(call_id)
            return False  # it is not for us to say that it is of no use
        folder = self._recordings / call_id
        try:
            file = await self._in_thread(wav, folder)
        except FileNotFoundError:
            return False
        if file and not may_bring(whose):
            log.warning("recording is another process's to make", extra={"call_id": call_id})
        elif file and not (self._owners and await has_recording(self._objects, call_id, file.octets)):
            key = f"{call_id}/{recording_name(file.ended, self._owners.owner if self._owners else '')}"
            await self._objects.put(key, file.pieces)
            found = await self._objects.look(key)
            if found is None or found.octets != file.octets:
                raise ArchiveError("an object is not there as it was written")
            self._count(file.octets)
            if not folder.is_dir() or not may_bring(await self._whose(call_id)):  # deleted, or taken over, meanwhile
                await self._objects.remove([key])
            else:
                log.info("recording is in the object store", extra={"call_id": call_id})
        await self._in_thread(remove_folder, folder)
        return file is not None

    async def _bring_audio(self, call_id: str, whose: Whose) -> bool:
        """Have the objects of kept audio as its files are; whether anything was asked."""
        gone = call_id in self._gone
        if not may_touch(whose, gone=gone):
            self._gone.discard(call_id)
            self._there.pop(call_id, None)
            return False
        known = self._there.get(call_id, {})
        there = await listed(self._objects, call_id) if known is None else known
        local = {} if gone else await self._in_thread(files, self._audio / call_id)
        settled, grows = self._terms.get(call_id, (0, False))
        todo = plan(local, there, settled=settled, grows=grows, gone=gone)
        if todo.put or todo.remove:
            self._there[call_id] = None  # until all is done: what fails may have been done all the same
        for name in todo.put:
            if octets := await self._put(call_id, name):
                there[name] = octets
        if todo.put and await self._whose(call_id) is Whose.UNKNOWN:  # deleted meanwhile
            todo = Plan([], [*todo.put, *todo.remove])
        await self._objects.remove([f"{call_id}/{AUDIO}{name}" for name in todo.remove])
        self.counters["removed"] += len(todo.remove)
        self._there[call_id] = {name: octets for name, octets in there.items() if name not in todo.remove}
        if gone:
            self._gone.discard(call_id)
        if not self._there[call_id] and not local:
            del self._there[call_id]
        return bool(known is None or todo.put or todo.remove)

    async def _put(self, call_id: str, name: str) -> int:
        """One file; how many octets that were."""
        try:
            content = await self._in_thread((self._audio / call_id / name).read_bytes)
        except FileNotFoundError:
            return 0  # settled meanwhile
        await self._objects.put(f"{call_id}/{AUDIO}{name}", content)
        self._count(len(content))
        return len(content)

    def _count(self, octets: int) -> None:
        self.counters["objects"] += 1
        self.counters["octets"] += octets

    def _in_thread(self, function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return self._loop.run_in_executor(self._threads, function, *arguments)

    async def _whose(self, call_id: str) -> Whose:
        return await self._owners.whose(call_id) if self._owners else Whose.OURS

    async def _watch(self) -> None:
        """Recordings come from imports, and from processes before this one, too."""
        while True:
            try:
                for call_id in await self._in_thread(folders, self._recordings):
                    if call_id not in self._unknown:
                        self._ask(call_id)
            except OSError as error:
                log.error("cannot look for recordings", extra={"reason": error.strerror})
            await asyncio.sleep(_LOOK)
