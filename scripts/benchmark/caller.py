"""One call as the carrier makes it: a WebSocket to the target, whose frames were made before."""

from collections.abc import Callable
from time import monotonic

from bridge.deepgram.masking import frame
from scripts.benchmark import media
from scripts.benchmark.delays import AudioDelays
from scripts.benchmark.loop import Loop
from scripts.benchmark.peers import Broken, connect, read, write
from scripts.benchmark.wire import CLOSE, PING, PONG, Unpacker

_NEVER = 2**60
_KEY = b"mask"


class Caller:
    """Opens the connection when it is made; `began` is the period of its first frame."""

    def __init__(
        self, loop: Loop, port: int, number: int, frames: tuple[list[bytes], list[bytes]], ready: Callable[[], int]
    ) -> None:
        """`ready`: called when the target has let us in; says in which period the audio begins."""
        self.delays = AudioDelays()
        self._loop, self._number, self._frames, self._ready = loop, number, frames, ready
        self._began = _NEVER
        self._leaving = False
        self._head: bytes | None = b""  # of the answer, while it is not all there
        self._unpacker = Unpacker()
        self._stream = connect(port)
        loop.add(self._stream, self._read)
        request = (
            f"GET /media/twilio HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        write(self._stream, request.encode())

    @property
    def began(self) -> bool:
        """Whether the target has let us in."""
        return self._began != _NEVER

    def play(self, track: int, period: int) -> float:
        """Send the frame of a period, if the call has begun; returns when."""
        number, now = period - self._began, monotonic()
        if number >= 0:
            self.delays.sending(track, now)
            write(self._stream, self._frames[track][number])
        return now

    def stop(self) -> None:
        """Say that the call is over; the target then closes the connection."""
        self._leaving = True
        write(self._stream, media.stop(self._number))

    def _read(self) -> None:
        data = read(self._stream)
        if data:
            data = self._open(data) if self._head is not None else data
            for opcode, payload, _ in self._unpacker.receive(data):
                self._answer(opcode, payload)
        elif data is not None:
            self._end()

    def _open(self, data: bytes) -> bytes:
        """Read the answer to the upgrade; returns what follows it."""
        assert self._head is not None
        self._head, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            return b""
        if not self._head.startswith(b"HTTP/1.1 101"):
            raise Broken(f"the target refused a call: {self._head[:80]!r}")
        self._head = None
        for message in media.opening(self._number):
            write(self._stream, message)
        self._began = self._ready()
        return rest

    def _answer(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            write(self._stream, frame(PONG, payload, _KEY))
        elif opcode == CLOSE:
            if self._leaving:
                write(self._stream, frame(CLOSE, payload, _KEY))
            self._end(payload[2:])

    def _end(self, reason: bytes = b"") -> None:
        self._loop.remove(self._stream)
        if not self._leaving:
            raise Broken(f"the target closed a call {reason.decode(errors='replace')}")
