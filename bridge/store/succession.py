"""Two processes with one `DATA_DIR` in turn: the one that has it, and a successor that waits until it lets go.

They talk over a socket in the folder, one line at a time. Who may open it is its owner, as with all that lies there.

    successor   the other asks to be it; the answer is `welcome`, or `taken`
    listen      what calls send from now on is the successor's to hear; it answers `listening`
    hears ID    the successor hears this call, by the carrier's id
    successors  someone asks whether there is one; the answer is their number
    drain       someone asks the process to stop, as by SIGTERM; the answer is `draining`

Once the one that has the folder has let go it closes the connection. A process that dies closes it too, so neither
waits for one that is not there. Where the system has no such sockets, or the folder's path is too long for one, there
are no successors: the next process takes over what the one before has left.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bridge.errors import StoreError

log = logging.getLogger(__name__)

FILENAME = "succession"

_ANSWER = 5.0  # seconds for which an answer is waited for
_LOOK = 0.1  # seconds between two questions whether there is a successor
_LONGEST = 256  # octets of a line


class Holder:
    """The process that has `DATA_DIR`: `open` once it has, `close` once it has let go."""

    def __init__(
        self,
        data_dir: Path,
        *,
        on_hears: Callable[[str], bool] = lambda call_id: False,
        on_drain: Callable[[], object] = lambda: None,
        others: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        """`on_hears` is told, by the carrier's id, of each call that the successor hears. `on_drain`: the process is to
        stop. `others`: how many processes go on with its calls without its folder; it has no successor then."""
        self.on_hears = on_hears
        self.on_drain = on_drain
        self._others = others
        self._folder = data_dir
        self._server: asyncio.Server | None = None
        self._peers: set[asyncio.StreamWriter] = set()
        self._talks: set[asyncio.Task[None]] = set()
        self._successor: asyncio.StreamWriter | None = None
        self._listening = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Holder {self._folder} {'with a' if self.has_successor else 'without'} successor>"

    @property
    def has_successor(self) -> bool:
        """Whether another process waits for the folder."""
        return self._successor is not None

    async def open(self) -> None:
        """From now on others may ask. What a process that died has left there is replaced."""
        listening = _socket()
        if listening is None:
            return
        try:
            with _reached(self._folder) as path:
                path.unlink(missing_ok=True)
                listening.bind(str(path))
                path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._talk, sock=listening, limit=_LONGEST)
        except OSError as error:
            listening.close()
            log.warning("no process can wait for this one's calls", extra={"reason": error.strerror or str(error)})

    async def close(self) -> None:
        """Those who wait may go on."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._peers:
            writer.close()
        if self._talks:
            await asyncio.wait(self._talks)
        self._server = None

    async def let_listen(self) -> bool:
        """Have the successor listen where this process does. Whether it does by now."""
        if self._successor is None:
            return False
        _say(self._successor, "listen")
        try:
            async with asyncio.timeout(_ANSWER):
                await self._listening.wait()
        except TimeoutError:
            return False
        return self.has_successor

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._talks.add(task)
        self._peers.add(writer)
        try:
            while line := await _hear(reader):
                await self._take(line, writer)
        finally:
            if self._successor is writer:
                self._successor = None
                self._listening.set()  # nothing more is to be waited for
            self._peers.discard(writer)
            self._talks.discard(task)
            writer.close()

    async def _take(self, line: str, writer: asyncio.StreamWriter) -> None:
        match line.split():
            case ["successor"]:
                taken = self.has_successor or self._others is not None
                _say(writer, "taken" if taken else "welcome")
                if not taken:
                    self._successor = writer
                    self._listening.clear()
            case ["listening"] if writer is self._successor:
                self._listening.set()
            case ["hears", call_id] if writer is self._successor:
                self.on_hears(call_id)
            case ["successors"]:
                _say(writer, str(await self._count()))
            case ["drain"]:
                _say(writer, "draining")
                self.on_drain()
            case _:
                log.warning("a process that waits says what is not understood")

    async def _count(self) -> int:
        """The processes that would go on with this one's calls."""
        if self._others is None:
            return int(self.has_successor)
        try:
            return await self._others()
        except StoreError:
            return 0  # the store says what is wrong with it, and the question comes again


class Successor:
    """A process that waits for `DATA_DIR`; made by `stand_by`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.let_listen = asyncio.Event()
        """Set when this process is to listen where the other one does, and when the other one is gone."""
        self._reader = reader
        self._writer = writer

    async def wait_gone(self) -> None:
        """Until the other process has let go."""
        while line := await _hear(self._reader):
            if line == "listen":
                self.let_listen.set()
        self.let_listen.set()
        self._writer.close()

    def listening(self) -> None:
        """This process does."""
        _say(self._writer, "listening")

    def hears(self, call_id: str) -> None:
        """It hears a call."""
        _say(self._writer, f"hears {call_id}")

    def close(self) -> None:
        """It waits no more."""
        self._writer.close()


async def stand_by(data_dir: Path) -> Successor | None:
    """Wait for the process that has `DATA_DIR`; None: it has a successor, knows none, or there is none."""
    found = await _dial(data_dir)
    if found is None:
        return None
    reader, writer = found
    if await _ask(reader, writer, "successor") == "welcome":
        return Successor(reader, writer)
    writer.close()
    return None


async def drain(data_dir: Path, patience: float = 0.0) -> None:
    """Have the process that has `DATA_DIR` stop, and wait until it has let go. Raises StoreError if there is none.

    `patience`: seconds for which a successor is waited for, without which nothing is stopped then; 0: it needs none.
    """
    found = await _dial(data_dir)
    if found is None:
        raise StoreError(f"no bridge that can be asked has {data_dir}")
    reader, writer = found
    try:
        ends = asyncio.get_running_loop().time() + patience
        while patience and await _ask(reader, writer, "successors") in ("", "0"):
            if asyncio.get_running_loop().time() > ends:
                raise StoreError(f"no second bridge waits for the calls of the one that has {data_dir}")
            await asyncio.sleep(_LOOK)
        if await _ask(reader, writer, "drain") != "draining":
            raise StoreError(f"the bridge that has {data_dir} does not answer")
        while await _hear(reader):
            pass
    finally:
        writer.close()


async def _dial(data_dir: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    dialling = _socket()
    if dialling is None:
        return None
    try:
        dialling.setblocking(False)
        with _reached(data_dir) as path:
            await asyncio.get_running_loop().sock_connect(dialling, str(path))
        return await asyncio.open_unix_connection(sock=dialling, limit=_LONGEST)
    except OSError:
        dialling.close()
        return None


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: str) -> str:
    """The answer; empty if none comes in time."""
    _say(writer, question)
    try:
        async with asyncio.timeout(_ANSWER):
            return await _hear(reader)
    except TimeoutError:
        return ""


def _say(writer: asyncio.StreamWriter, line: str) -> None:
    if not writer.is_closing():
        writer.write(f"{line}\n".encode())


async def _hear(reader: asyncio.StreamReader) -> str:
    """The next line; empty at the end, also where it makes no sense."""
    try:
        return (await reader.readline()).decode("ascii", "replace").strip()
    except (OSError, ValueError):  # it is gone, or says too much at once
        return ""


def _socket() -> socket.socket | None:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) if hasattr(socket, "AF_UNIX") else None


@contextlib.contextmanager
def _reached(folder: Path) -> Iterator[Path]:
    """The path of the socket in a folder. A socket's path has a hundred characters at most: on Linux the folder is
    reached by a short one. Raises OSError."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        yield folder / FILENAME
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptors / str(descriptor) / FILENAME
    finally:
        os.close(descriptor)
