"""The object store, asked for all that the archive asks of it, with an object that is of no call."""

import time
from collections.abc import Awaitable, Callable

from bridge.doctor.judging.archive import Tried
from bridge.errors import StoreError
from bridge.store.archive.base import ArchiveError, Objects

FOLDER = ".bridge-doctor"
"""What stands in a call's place: the id of no call."""

_CONTENT = bytes(range(256)) * 16
_PART = slice(1000, 1010)


async def try_out(objects: Objects, name: str) -> Tried:
    """Write an object of that name, read it whole and in part, find it, and delete it, whatever else works."""
    key = f"{FOLDER}/{name}"

    async def read(start: int, stop: int) -> None:
        if await objects.read(key, start, stop - start) != _CONTENT[start:stop]:
            raise ArchiveError("it is not as it was written")

    async def find() -> None:
        if key not in [each.key async for piece in objects.list(FOLDER) for each in piece]:
            raise ArchiveError("it is not in the list")

    steps: dict[str, Callable[[], Awaitable[None]]] = {
        "written": lambda: objects.put(key, _CONTENT),
        "read": lambda: read(0, len(_CONTENT)),
        "read in part": lambda: read(_PART.start, _PART.stop),
        "listed": find,
        "deleted": lambda: objects.remove([key]),
    }
    begun, failed = time.perf_counter(), dict[str, str]()
    for step, do in steps.items():
        if "written" not in failed:
            try:
                await do()
            except StoreError as error:
                failed[step] = str(error)
    first = next(iter(failed), None)
    return Tried(time.perf_counter() - begun, first, failed.get(first or "", ""))
