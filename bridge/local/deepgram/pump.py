"""The open WebSocket: what arrives goes into the session, what it says goes onto the wire when due.

Decides nothing. A recognizer that takes its time works in a thread; the next message is read when it is done,
so the order is kept and a slow recognizer slows its client down instead of piling up audio.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import WSMsgType, web
from websockets.frames import CloseCode, Frame, Opcode

from bridge.local.deepgram.connection import Connection
from bridge.local.deepgram.outputs import Abort, Close, Output
from bridge.local.deepgram.session import Session, State

T = TypeVar("T", bytes, str)

log = logging.getLogger(__name__)

MAX_BACKLOG = 1000
"""Messages that may wait for a client who does not read; then nothing is read from it either."""


@dataclass(frozen=True, slots=True)
class PumpOptions:
    """How sockets are served."""

    executor: Executor | None
    """Where recognizers work; None: right here, because they are quick."""
    remember: bool
    """Whether what passes is kept in the `Connection`."""
    goodbye: float
    """Seconds that a client has to answer a close."""


class Pump:
    """Two tasks: one reads and feeds, one says what there is to say."""

    def __init__(
        self,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        session: Session,
        connection: Connection,
        options: PumpOptions,
    ) -> None:
        self._ws, self._transport, self._session = ws, transport, session
        self._connection, self._options = connection, options
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        """The session may have something to say."""
        self._room = asyncio.Event()
        """Something was sent."""
        self._released = asyncio.Event()
        """A reader that was told to stop may go on, because the end is near."""
        self._busy = False
        """The session is in the hands of a thread."""
        self._mute = False
        """Nothing will be sent any more."""
        self._warned = False
        self._patience: asyncio.TimerHandle | None = None
        """The close has been sent, and is waited for in return: all that is read is skipped up to it."""

    async def run(self) -> None:
        """Serve the socket until it is closed by either side, or lost."""
        connection = self._connection
        connection.session, connection.line = self._session, self
        connection.opened_at, code = self._loop.time(), int(CloseCode.ABNORMAL_CLOSURE)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(), name=f"local deepgram {connection.index}")
                code = await self._read()
                writer.cancel()
                self._transport.close()
        finally:
            self._session.release()
            connection.closed_at, connection.close_code = self._loop.time(), code
            if self._patience:
                self._patience.cancel()
            if connection.recording:
                connection.recording.close()

    def abort(self) -> None:
        """Cut the TCP connection."""
        self._transport.abort()
        self._released.set()

    def close(self, code: int, reason: str) -> None:
        """Close the WebSocket, from outside."""
        self._session.close(code, reason, self._loop.time())
        self._released.set()
        self._wake.set()

    # The reader

    async def _read(self) -> int:
        """Read up to the client's close; its code."""
        while True:
            if not self._session.reads or self._session.backlog > MAX_BACKLOG:
                await self._pause()
            message = await self._ws.receive()
            if message.type is WSMsgType.CLOSE:
                return self._answer_goodbye(message.data)
            if message.type is WSMsgType.PING:
                await self._answer_ping(message.data)
                continue
            if message.type is WSMsgType.PONG:
                continue
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return self._ws.close_code or CloseCode.ABNORMAL_CLOSURE
            if self._patience:
                continue
            if message.type is WSMsgType.BINARY:
                await self._receive_binary(message.data)
            else:
                await self._receive_text(message.data)
            if self._session.state is not State.OPEN and self._connection.recording:
                # Before the client is told the name of the file.
                self._connection.recording.close()
            if self._session.backlog:
                self._wake.set()

    async def _answer_ping(self, data: bytes) -> None:
        self._session.receive_ping(self._loop.time())
        try:
            await self._ws.pong(data)
        except ConnectionError:
            # The client is gone, and the next read tells.
            pass

    async def _pause(self) -> None:
        if not self._session.reads:
            await self._released.wait()
        while self._session.backlog > MAX_BACKLOG and not self._mute:
            self._room.clear()
            await self._room.wait()

    async def _receive_binary(self, data: bytes) -> None:
        connection, now = self._connection, self._loop.time()
        if self._options.remember:
            connection.audio += data
            connection.arrivals.append((now, len(data)))
        if connection.recording and self._session.state is State.OPEN:
            connection.recording.write(data)
        await self._feed(self._session.receive_binary, data, now)
        if self._session.too_fast and not self._warned:
            self._warned = True
            log.warning("audio comes faster than the service allows", extra=self._names())

    async def _receive_text(self, text: str) -> None:
        now = self._loop.time()
        if self._options.remember:
            self._connection.texts.append(text)
            self._connection.text_times.append(now)
        await self._feed(self._session.receive_text, text, now)

    async def _feed(self, receive: Callable[[T, float], None], message: T, now: float) -> None:
        if self._options.executor is None:
            receive(message, now)
            return
        self._busy = True
        try:
            await self._loop.run_in_executor(self._options.executor, receive, message, now)
        finally:
            self._busy = False
        self._session.worked(self._loop.time())
        # The writer may have left the session alone meanwhile.
        self._wake.set()

    # The writer

    async def _write(self) -> None:
        while True:
            self._wake.clear()
            deadline = None
            if not self._busy:
                self._session.handle_timer(self._loop.time())
                for output in self._session.data_to_send(self._loop.time()):
                    self._mute = self._mute or not await self._send(output)
                self._room.set()
                if self._mute:
                    return
                deadline = self._session.get_timer()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _send(self, output: Output) -> bool:
        """Put it onto the wire; False: nothing can follow."""
        match output:
            case Close(code, reason):
                log.info("closing", extra={**self._names(), "code": code, "reason": reason})
                self._released.set()
                self._say_goodbye(code, reason)
                # Never answered: the reader learns that the socket is lost.
                self._patience = self._loop.call_later(self._options.goodbye, self._transport.abort)
                return False
            case Abort():
                log.info("dropping the connection, as asked", extra=self._names())
                self.abort()
                return False
            case text:
                if self._options.remember:
                    self._connection.sent.append((self._loop.time(), text))
                try:
                    await self._ws.send_str(text)
                except ConnectionError:
                    # The client is gone; the reader is about to learn it too.
                    return False
                return True

    def _say_goodbye(self, code: int | None, reason: str = "") -> None:
        """Our part of the closing handshake. Past aiohttp's own `close`, which waits for no client while another task
        reads, and which knows no close without a code."""
        payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
        if not self._transport.is_closing():  # a client that closes and leaves at once
            self._transport.write(Frame(Opcode.CLOSE, payload).serialize(mask=False))

    def _answer_goodbye(self, code: int) -> int:
        """The client's close has come, with that code; 0: without one."""
        if not self._patience:
            self._say_goodbye(code or None)
        return code or CloseCode.NO_STATUS_RCVD

    def _names(self) -> dict[str, object]:
        return {"connection": self._connection.index, "request_id": self._connection.request_id}
