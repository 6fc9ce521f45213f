"""An object store, asked by the library `obstore`: S3 and what speaks like it, Google Cloud Storage, Azure, a folder.

The address is the operator's own setting, so it is not judged whether it may be dialled; the credentials are those that
the library finds in the environment, as the tools of each provider do. They, and the library's words of an error, which
may quote them, never leave this module: what went wrong is said in a sentence of ours.

Source: https://developmentseed.org/obstore/
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bridge.errors import ConfigError
from bridge.store.archive.base import ArchiveError, Found, NoObject

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PART = 5 * 2**20  # octets of a part of an upload: S3 takes no smaller ones
_PIECE = 2**20  # octets that are read or written at once
_LISTED = 1000  # objects of a list that come at once, as most stores send them
_DELETED = 10  # objects that are deleted at once: each by itself, since not every store can do several
_PATIENCE = 15.0  # seconds for an answer that is no upload
_RETRIES: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}

_MISSING = "there is no such object, or no such bucket"
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|The specified bucket does not exist")
"""What S3, Azure and Google call it."""


def open_objects(url: str) -> "StoredObjects":
    """The store at a URL of `BRIDGE_AUDIO_URL`; nothing is asked of it yet.

    Raises ConfigError where the library is not installed, or can make nothing of the URL.
    """
    try:
        from obstore import exceptions, store  # no one without an archive needs it
    except ImportError:
        raise ConfigError("needs obstore: pip install 'media-stream-bridge[objects]'") from None
    try:
        if url.startswith("file:"):
            return StoredObjects(store.LocalStore(unquote(urlsplit(url).path), mkdir=True, automatic_cleanup=True))
        # Options of a client would hide those that the environment has for it.
        made = store.from_url(url, retry_config=_RETRIES)
    except (exceptions.BaseError, OSError, ValueError, TypeError):
        raise ConfigError("the library can do nothing with this address and its settings in the environment") from None
    return StoredObjects(made)


class StoredObjects:
    """The `Objects` of one bucket, container or folder, below one prefix."""

    def __init__(self, store: "ObjectStore") -> None:
        import obstore

        self._store: Any = store
        self._obstore: Any = obstore

    async def put(self, key: str, content: bytes | Iterable[bytes]) -> None:
        """As in `Objects`. What is iterated goes up in parts, of which two are in memory."""
        watched = content if isinstance(content, bytes) else _Watched(content)
        try:
            with self._translated():
                await self._obstore.put_async(self._store, key, watched, chunk_size=_PART, max_concurrency=1)
        except ArchiveError:
            if isinstance(watched, _Watched) and watched.fault:
                raise watched.fault from None
            raise

    async def read(self, key: str, start: int, octets: int) -> bytes:
        """As in `Objects`."""
        with self._translated():
            async with asyncio.timeout(_PATIENCE):
                return bytes(await self._obstore.get_range_async(self._store, key, start=start, length=octets))

    async def fetch(self, key: str, to: Path) -> None:
        """As in `Objects`."""
        with self._translated():
            async with asyncio.timeout(_PATIENCE):
                found = await self._obstore.get_async(self._store, key)
            pieces = aiter(found.stream(min_chunk_size=_PIECE))
            with await asyncio.to_thread(to.open, "wb") as file:
                while piece := await self._next(pieces):
                    await asyncio.to_thread(file.write, piece)

    async def look(self, key: str) -> Found | None:
        """As in `Objects`."""
        try:
            with self._translated():
                async with asyncio.timeout(_PATIENCE):
                    return _found(await self._obstore.head_async(self._store, key))
        except NoObject:
            return None

    async def list(self, call_id: str | None = None) -> AsyncIterator[Sequence[Found]]:
        """As in `Objects`."""
        with self._translated():
            pieces = aiter(self._obstore.list(self._store, call_id, chunk_size=_LISTED))
            while piece := await self._next(pieces):
                yield [_found(each) for each in piece]

    async def remove(self, keys: Sequence[str]) -> None:
        """As in `Objects`."""
        for start in range(0, len(keys), _DELETED):
            await asyncio.gather(*(self._remove(key) for key in keys[start : start + _DELETED]))

    async def _remove(self, key: str) -> None:
        try:
            with self._translated():
                async with asyncio.timeout(_PATIENCE):
                    await self._obstore.delete_async(self._store, key)
        except NoObject:
            pass  # a folder says so, a bucket does not

    async def _next(self, pieces: AsyncIterator[Any]) -> Any:
        async with asyncio.timeout(_PATIENCE):
            return await anext(pieces, None)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors in our words."""
        errors = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError:
            raise NoObject(_MISSING) from None
        except TimeoutError:
            raise ArchiveError("the object store does not answer in time") from None
        except errors.UnauthenticatedError:
            raise ArchiveError("the object store does not know these credentials") from None
        except errors.PermissionDeniedError:
            raise ArchiveError("the object store does not let these credentials do that") from None
        except (errors.BaseError, ValueError) as error:
            if _NO_BUCKET.search(str(error)):  # what a list says of it is of no type of its own
                raise NoObject(_MISSING) from None
            raise ArchiveError("the object store cannot be reached, or fails") from None


class _Watched:
    """An iterable whose own fault is known, whatever the library makes of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.fault: OSError | None = None
        self._pieces = iter(pieces)

    def __iter__(self) -> "_Watched":
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except OSError as error:
            self.fault = error
            raise


def _found(meta: Any) -> Found:
    return Found(meta["path"], meta["size"])
