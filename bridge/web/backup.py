"""`GET /backup`: a whole copy of the record's database, as it is at one moment, while calls go on.

No other program can open the database while the bridge runs. The copy is made beside it, so the disk needs room for
two, and has no name any more when its first octet is sent: nothing is left of it, however the download ends.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from bridge.contract.operation import Answer, documented
from bridge.errors import StoreError
from bridge.web.access import Access
from bridge.web.http import HEADERS, refusal

_DATABASE = "application/vnd.sqlite3"

_PIECE = 256 * 1024  # octets


class BackupHandlers:
    """`GET /backup`: one at a time."""

    def __init__(self, copy: Callable[[Path], Awaitable[None]], data_dir: Path, access: Access) -> None:
        """`copy`: `ManagedStore.copy`."""
        self._copy = copy
        self._path = data_dir / "backup.part"
        self._access = access
        self._copying = False

    def routes(self) -> list[web.RouteDef]:
        """It requires a token or a session; a share link is not enough."""
        return [web.get("/backup", self._access.only(self.backup), allow_head=False)]

    @documented(
        "GET /backup",
        "getBackup",
        tag="operations",
        answers={200: Answer("The copy.", {_DATABASE: {"type": "string", "contentMediaType": _DATABASE}})},
        refuses={409: "Another copy is being made.", 503: "The record cannot be copied now."},
    )
    async def backup(self, request: web.Request) -> web.StreamResponse:
        """The copy, as a file for a download."""
        if self._copying:
            return refusal(409, "Another copy is being made.")
        self._copying = True
        try:
            file = await self._made()
        except StoreError as error:
            return refusal(503, f"The record cannot be copied: {error}.")
        finally:
            self._copying = False
        with file:
            return await _send(request, file)

    async def _made(self) -> BinaryIO:
        try:
            # What a process left that died over it is written over; transcripts of calls are for the owner only.
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            try:
                await self._copy(self._path)
                return self._path.open("rb")
            finally:
                self._path.unlink()
        except OSError as error:
            raise StoreError(f"cannot write {self._path}: {error.strerror}") from error


async def _send(request: web.Request, file: BinaryIO) -> web.StreamResponse:
    response = web.StreamResponse(headers=HEADERS)
    response.content_type = _DATABASE
    response.content_length = os.fstat(file.fileno()).st_size
    response.headers["Content-Disposition"] = 'attachment; filename="bridge.db"'
    try:
        await response.prepare(request)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            await response.write(piece)
    except ConnectionError:
        pass  # the client has left
    return response
