"""One socket of our Deepgram: it hears which frames have come, and says what a call of that length has said."""

import socket
from collections.abc import Callable
from time import monotonic

from bridge.deepgram.masking import apply_mask, frame
from scripts.benchmark.loop import Loop
from scripts.benchmark.media import Ending, ending
from scripts.benchmark.peers import Broken, read, unread, write
from scripts.benchmark.talk import Said, Talk
from scripts.benchmark.wire import BINARY, CLOSE, NORMAL_CLOSE, PING, PONG, TEXT, Unpacker, accept

_RATE = 16_000  # octets a second of both channels
_KEY_FIELD = b"sec-websocket-key:"


class Recognizer:
    """Which call a socket is for, the first chunk says."""

    def __init__(
        self,
        loop: Loop,
        stream: socket.socket,
        heard: Callable[[Ending, float], None],
        said: Callable[[tuple[int, int], float], None],
    ) -> None:
        """`heard`: told the end of each chunk; `said`: the tag of each final; and when."""
        self._loop, self._stream, self._heard, self._said = loop, stream, heard, said
        self._head: bytes | None = b""  # of the request, while it is not all there
        self._unpacker = Unpacker()
        self._octets = 0
        self._talk: Talk | None = None
        loop.add(stream, self._read)

    def _read(self) -> None:
        while data := read(self._stream):
            self._receive(data, monotonic())
            if not unread(self._stream):
                return
        if data is not None:
            self._loop.remove(self._stream)

    def _receive(self, data: bytes, now: float) -> None:
        if self._head is not None:
            data = self._open(data)
        for opcode, payload, key in self._unpacker.receive(data):
            if opcode == BINARY:
                self._hear(payload, key, now)
            else:
                self._answer(opcode, apply_mask(payload, key))

    def _open(self, data: bytes) -> bytes:
        """Answer the upgrade; returns what follows it."""
        assert self._head is not None
        self._head, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            return b""
        keys = [line for line in self._head.split(b"\r\n") if line.lower().startswith(_KEY_FIELD)]
        if not keys:
            raise Broken("the target asked Deepgram for something else than a stream")
        self._head = None
        fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\ndg-request-id: a1b2c3d4\r\nSec-WebSocket-Accept: "
        key = keys[0][len(_KEY_FIELD) :].strip()
        write(self._stream, b"HTTP/1.1 101 Switching Protocols\r\n" + fields + accept(key) + b"\r\n\r\n")
        return rest

    def _hear(self, chunk: bytes, key: bytes, now: float) -> None:
        self._octets += len(chunk)
        end = ending(chunk, key)
        if end is None:
            return
        self._heard(end, now)
        if self._talk is None:
            self._talk = Talk(end.call)
        self._say(self._talk.receive(self._octets / _RATE))

    def _say(self, messages: list[Said]) -> None:
        for data, tag in messages:
            if tag:
                self._said(tag, monotonic())
            write(self._stream, data)

    def _answer(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            write(self._stream, frame(PONG, payload))
        elif opcode == TEXT and b"CloseStream" in payload:
            self._say((self._talk or Talk(0)).finish(self._octets / _RATE))
            write(self._stream, frame(CLOSE, NORMAL_CLOSE))
