"""What the object store has of one call: kept audio, which is brought to this disk, and recordings."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from bridge.store.archive.base import AUDIO, ArchiveError, Objects
from bridge.store.archive.folders import make_empty
from bridge.store.archive.plan import is_audio

_FETCHED = 8  # files that are fetched at once, of a megabyte each

InThread = Callable[..., Awaitable[Any]]
"""Calls what blocks, with its arguments."""


async def listed(objects: Objects, call_id: str) -> dict[str, int]:
    """The objects of a call's kept audio, by the names of their files, with their octets. Raises `ArchiveError`."""
    found = [each async for piece in objects.list(call_id) for each in piece]
    names = {each.name.removeprefix(AUDIO): each.octets for each in found if each.name.startswith(AUDIO)}
    return {name: octets for name, octets in names.items() if is_audio(name)}


async def has_recording(objects: Objects, call_id: str, octets: int) -> bool:
    """Whether there is a recording of a call that has no fewer octets. Raises `ArchiveError`."""
    found = [each async for piece in objects.list(call_id) for each in piece]
    return any(each.ended is not None and each.octets >= octets for each in found)


async def bring(objects: Objects, call_id: str, there: Mapping[str, int], folder: Path, in_thread: InThread) -> None:
    """Put the objects `there` of a call into a folder that is not there; it is whole, or not there. Raises
    `ArchiveError`."""
    part = folder.with_name(f".{call_id}")
    try:
        await in_thread(make_empty, part)
        names = list(there)
        for first in range(0, len(names), _FETCHED):
            some = names[first : first + _FETCHED]
            fetching = (_fetch(objects, call_id, name, part, there[name]) for name in some)
            for outcome in await asyncio.gather(*fetching, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        await in_thread(part.rename, folder)
    except OSError as error:
        raise ArchiveError(f"the audio of {call_id} cannot be brought here: {error.strerror}") from None
    finally:
        await in_thread(shutil.rmtree, part, True)


async def _fetch(objects: Objects, call_id: str, name: str, folder: Path, octets: int) -> None:
    await objects.fetch(f"{call_id}/{AUDIO}{name}", folder / name)
    if (folder / name).stat().st_size != octets:
        raise ArchiveError(f"the audio of {call_id} is not as it was")
