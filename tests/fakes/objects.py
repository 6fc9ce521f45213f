"""An object store in memory that fails when it is told to, and says what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from bridge.store.archive.base import ArchiveError, Found, NoObject


class MemoryObjects:
    """As `Objects`."""

    def __init__(self) -> None:
        self.fails: str | None = None
        """Why everything fails now."""
        self.refuses: set[str] = set()
        """Keys that are not deleted."""
        self.asked: list[str] = []
        """The operations, with their keys, in order."""
        self.objects: dict[str, bytes] = {}
        self.open = asyncio.Event()
        """Unset: writing takes until it is set."""
        self.open.set()
        self.writing = 0
        """Objects that are being written."""

    @property
    def contents(self) -> dict[str, bytes]:
        """In order."""
        return dict(sorted(self.objects.items()))

    async def put(self, key: str, content: bytes | Iterable[bytes]) -> None:
        self._ask("put", key)
        self.writing += 1
        try:
            await self.open.wait()
            whole = content if isinstance(content, bytes) else b"".join(content)
            self._check()
            self.objects[key] = whole
        finally:
            self.writing -= 1

    async def read(self, key: str, start: int, octets: int) -> bytes:
        self._ask("read", key)
        return self._content(key)[start : start + octets]

    async def fetch(self, key: str, to: Path) -> None:
        self._ask("fetch", key)
        to.write_bytes(self._content(key))

    async def look(self, key: str) -> Found | None:
        self._ask("look", key)
        return self._found(key) if key in self.objects else None

    async def list(self, call_id: str | None = None) -> AsyncIterator[Sequence[Found]]:
        self._ask("list", call_id or "")
        keys = [key for key in self.objects if call_id is None or key.startswith(f"{call_id}/")]
        for key in keys:  # one at a time: in pieces
            yield [self._found(key)]

    async def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._ask("remove", key)
            if key in self.refuses:
                raise ArchiveError("the object store does not let these credentials do that")
            self.objects.pop(key, None)

    def _ask(self, what: str, key: str) -> None:
        self.asked.append(f"{what} {key}".strip())
        self._check()

    def _check(self) -> None:
        if self.fails:
            raise ArchiveError(self.fails)

    def _content(self, key: str) -> bytes:
        if key not in self.objects:
            raise NoObject("there is no such object, or no such bucket")
        return self.objects[key]

    def _found(self, key: str) -> Found:
        return Found(key, len(self.objects[key]))
