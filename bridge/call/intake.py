"""Takes records into the store that were made outside of the process that has it (`handover` says how they come).

The server looks for them all the time; a command that finds no server looks once, with the store in its own hands.
Whatever is taken in is durable before its file goes, and a second time it changes nothing.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from bridge.call import describe, handover
from bridge.errors import RemoteProtocolError, StoreError
from bridge.events import TranscriptFinal
from bridge.redaction.muting import muted
from bridge.spans import Span
from bridge.store.audio.segments import mute
from bridge.store.audio.store import CALL_ID, RECORDINGS
from bridge.store.base import CallIndex, EventLog

log = logging.getLogger("bridge.import")

_LOOK = 0.5  # seconds between two looks
_TROUBLE = 60.0  # the same, where that cannot be seen


class IntakeStore(EventLog, CallIndex, Protocol):
    """The parts of a store that take records in."""


class Intake:
    """`async with Intake(…)` looks until it is left; `look` alone does it once."""

    def __init__(self, store: IntakeStore, data_dir: Path, *, wall: Callable[[], float], mute: bool = False) -> None:
        """`wall` tells seconds since 1970. `mute`: recordings are silent where words were taken out."""
        self._mute = mute
        self._store = store
        self._folder = data_dir / handover.FOLDER
        self._recordings = data_dir / RECORDINGS
        self._wall = wall
        self._watcher: asyncio.Task[None] | None = None
        self._waiting: dict[str, str] = {}
        """What could not be taken in at the last look, and why, which is said once."""

    async def __aenter__(self) -> "Intake":
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def look(self) -> None:
        """Take in what is there, and answer what is asked. Raises OSError where the folder cannot be used."""
        ways: dict[str, Settle] = {
            handover.PART: self._complete,
            handover.RECORD: self._take,
            handover.ASK: self._answer,
        }
        there = await asyncio.to_thread(_listed, self._folder)
        names = {path.name for path in there}
        self._waiting = {name: reason for name, reason in self._waiting.items() if name in names}
        for suffix, settle in ways.items():
            for path in there:
                if path.suffix == suffix:
                    await self._settle(path, settle)

    async def _watch(self) -> None:
        while True:
            pause = _LOOK
            try:
                await self.look()
            except OSError as error:
                log.error("cannot look for imports", extra={"reason": error.strerror})
                pause = _TROUBLE
            await asyncio.sleep(pause)

    async def _settle(self, path: Path, settle: "Settle") -> None:
        """One file; what is no record goes aside, what cannot be kept now stays. It does not cost the others."""
        try:
            try:
                await settle(path)
            except RemoteProtocolError as error:
                log.error("no record", extra={"call_id": path.stem, "reason": str(error)})
                await asyncio.to_thread(path.rename, path.with_suffix(handover.REFUSED))
        except FileNotFoundError:
            pass  # its writer has taken it back
        except StoreError as error:
            self._waits(path, str(error))
        except OSError as error:
            self._waits(path, error.strerror or "it cannot be read")

    def _waits(self, path: Path, reason: str) -> None:
        if self._waiting.get(path.name) != reason:
            log.error("not taken in", extra={"call_id": path.stem, "reason": reason})
        self._waiting[path.name] = reason

    async def _complete(self, path: Path) -> None:
        if await asyncio.to_thread(handover.complete, path, self._wall()):
            log.warning("completed what was left behind", extra={"call_id": path.stem})
            await self._take(path.with_suffix(handover.RECORD))

    async def _take(self, path: Path) -> None:
        terms, events = await asyncio.to_thread(handover.read, path)
        # In one commit: half of it would be a call that goes on, and that another process would adopt.
        await self._store.append(events, deliver=terms.deliver)
        finals = [event.data for event in events if isinstance(event.data, TranscriptFinal)] if self._mute else []
        spans = muted(each for final in finals for each in describe.redacted(final))
        await asyncio.to_thread(self._keep_audio, path.with_suffix(handover.AUDIO), path.stem, spans)
        await asyncio.to_thread(path.unlink)
        log.info("taken in", extra={"call_id": path.stem, "events": len(events)})

    def _keep_audio(self, audio: Path, call_id: str, spans: Sequence[tuple[int, Span]]) -> None:
        if audio.exists():
            if spans:
                mute(audio, 0, spans)
            folder = self._recordings / call_id
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            audio.rename(folder / f"{0:012d}.ulaw")

    async def _answer(self, path: Path) -> None:
        try:
            asked = msgspec.json.decode(await asyncio.to_thread(path.read_bytes), type=list[str])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise RemoteProtocolError("a question is a list of calls") from None
        known = [call_id for call_id in asked if await self._store.calls(call_id=call_id, limit=1)]
        await asyncio.to_thread(handover.put, path.with_suffix(handover.KNOWN), json.dumps(known))
        await asyncio.to_thread(path.unlink)


class Settle(Protocol):
    """Does what a file asks for."""

    async def __call__(self, path: Path) -> None: ...


def _listed(folder: Path) -> list[Path]:
    """The files that are named as such, in the order of their names; who reads from a pipe may wait for ever."""
    try:
        return sorted(
            path for path in folder.iterdir() if path.suffix and CALL_ID.fullmatch(path.stem) and path.is_file()
        )
    except FileNotFoundError:
        return []  # nothing has ever been imported
