"""The carrier's part of one call, against nodes that come and go: it dials once, and again only where it is asked.

A phone call goes on while nobody transcribes it: a stream that comes later begins where the call has got to. Twilio
gives a stream that cannot be opened one try, and so does this; the first is tried for a while, as a call that finds no
one is sent on by the next answer to its webhook. Of a stream that fails it says so at the address for that, once.
"""

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.protocol import State

from bridge.audio import SAMPLE_RATE
from bridge.carriers.parameters import TOKEN
from bridge.events import TRACKS
from bridge.local.caller import frame
from bridge.local.stream import CallerFaults, CallerOptions, Timed, messages
from bridge.local.wav import Recording
from tests.chaos.nodes.oracle import Line, Talk
from tests.chaos.scenario import FRAME, CallPlan
from tests.chaos.speech import Speech

_PAUSE = 0.2  # seconds between two tries of the first stream
_PATIENCE = 30.0  # seconds for which it is tried
_OPENS = 10.0  # seconds that one try may take
_UNOPENED = 0x1000  # the number of the first stream that cannot be opened
_LAST = 0.2  # seconds before a call's end in which no stream is worth the while
_PARAMETERS = {"direction": "inbound", "from": "+15550101", "to": "+15550123"}


class Exchange(Protocol):
    """What a phone knows of the nodes."""

    def address(self, asked_by: int | None) -> int:
        """The port for a new stream, which a node has asked for."""

    def node_of(self, port: int, local_port: int) -> int | None:
        """Where a connection from a port of ours to that one has arrived; None: nowhere."""

    async def complain(self, call_id: str, stream_id: str, error: str) -> bool:
        """Say that a stream has failed; whether a node has noted it."""


class Phone:
    """Made for one call; `talk` is complete after `play`."""

    def __init__(self, plan: CallPlan, speech: Speech, exchange: Exchange) -> None:
        self.plan = plan
        self.talk = Talk(plan.call_id, speech.words(plan))
        self.problems: list[str] = []
        self.behind = 0.0
        """The most that a frame went out after it was due, in seconds."""
        self.begun: float | None = None
        """The loop's time at which the first frame began to be spoken."""
        self.asked: list[float] = []
        """The loop's times at which a node asked for a stream."""
        self._sound = speech.sound(plan)
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._tasks: asyncio.TaskGroup | None = None
        self._stopped: set[str] = set()
        self._failures = 0
        self._token: dict[str, str] = {}

    async def play(self) -> None:
        """From the first frame to the end of the phone call; a node that is dead must not hold it up."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._first())
        self._tasks = None

    def ask(self, tracks: tuple[str, ...], parameters: Mapping[str, str], asked_by: int | None) -> bool:
        """A node asks for a stream; whether one comes."""
        self.asked.append(self._loop.time())
        assert self.plan.asked is not None
        if self.begun is None or self._tasks is None or self._left < self.plan.asked + _LAST:
            return False
        # From now on the call takes no stream without one.
        self._token = {name: value for name, value in parameters.items() if name == TOKEN}
        self._tasks.create_task(self._again(tracks, parameters, asked_by))
        return True

    def stop(self, stream_id: str) -> bool:
        """A node wants a stream stopped; whether there is such a stream."""
        self._stopped.add(stream_id)
        return any(line.stream_id == stream_id for line in self.talk.lines)

    @property
    def _left(self) -> float:
        assert self.begun is not None
        return self.begun + self.plan.seconds - self._loop.time()

    async def _first(self) -> None:
        until = self._loop.time() + _PATIENCE
        while self.begun is None or self._left > _LAST:
            if socket := await self._dial(None):
                line = await self._stream(socket, TRACKS, _PARAMETERS)
                if line.end > line.start or line.cause != "closed":
                    break
            if self._loop.time() > until:
                self.problems.append("no node took the call")
                return
            await asyncio.sleep(_PAUSE)
        if self.begun is not None:
            await asyncio.sleep(self._left)  # as long as the phone call lasts a node may ask for a stream

    async def _again(self, tracks: tuple[str, ...], parameters: Mapping[str, str], asked_by: int | None) -> None:
        assert self.plan.asked is not None
        await asyncio.sleep(self.plan.asked)
        if socket := await self._dial(asked_by):
            await self._stream(socket, tracks, parameters)
        else:
            self._failures += 1
            await self._complain(self._stream_id(_UNOPENED + self._failures), "31920 handshake error")

    async def _complain(self, stream_id: str, error: str) -> None:
        if await self._exchange.complain(self.plan.call_id, stream_id, error):
            self.talk.failed.append(stream_id)

    def _stream_id(self, number: int) -> str:
        return f"MZ{self.plan.call_id[2:26]}{number:08x}"

    async def _dial(self, asked_by: int | None) -> tuple[ClientConnection, int] | None:
        port = self._exchange.address(asked_by)
        try:
            socket = await connect(
                f"ws://127.0.0.1:{port}/media/twilio",
                compression=None,
                ping_interval=None,
                open_timeout=_OPENS,
                close_timeout=1.0,
                proxy=None,
            )
        except (OSError, WebSocketException, TimeoutError):
            return None
        node = self._exchange.node_of(port, socket.local_address[1])
        assert node is not None
        return socket, node

    async def _stream(
        self, dialed: tuple[ClientConnection, int], tracks: tuple[str, ...], given: Mapping[str, str]
    ) -> Line:
        socket, node = dialed
        if self.begun is None:
            self.begun = self._loop.time()
        first = math.ceil((self._loop.time() - self.begun) / FRAME)
        line = self._line(node, first, tracks)
        begin = round(first * FRAME * SAMPLE_RATE)
        options = CallerOptions(
            self.plan.call_id,
            line.stream_id,
            parameters={**given, **self._token},
            tracks=tracks,
            first_ms=self.plan.first_ms,
            seed=self.plan.seed + first,
        )
        left = Recording(self._sound.inbound[begin:], self._sound.outbound[begin:])
        ends = None if self.plan.stops else self.plan.seconds - (first + 0.5) * FRAME
        faults = CallerFaults(wobble_ms=self.plan.wobble_ms, drop_after=ends)
        try:
            await self._send(socket, messages(left, options, faults), line, first)
        finally:
            if line.cause == "stopped":
                await socket.close()
            socket.transport.abort()
            await socket.wait_closed()
        if line.cause == "closed" and line.end > line.start:
            await self._complain(line.stream_id, "31921 close error")
        return line

    async def _send(self, socket: ClientConnection, timed: Iterator[Timed], line: Line, first: int) -> None:
        """Every message when it is due, until the socket is gone or the carrier is told to stop."""
        assert self.begun is not None
        begins = self.begun + first * FRAME
        line.cause = "stopped" if self.plan.stops else "cut"
        for due, text in timed:
            wait = begins + due - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if socket.state is not State.OPEN:
                line.cause = "closed"
                line.closed_at = self._loop.time() - self.begun
                break
            if line.stream_id in self._stopped:
                socket.transport.write(frame(json.dumps({"event": "stop", "streamSid": line.stream_id, "stop": {}})))
                line.cause = "stopped"
                break
            self.behind = max(self.behind, self._loop.time() - begins - due)
            socket.transport.write(frame(text))
            line.end = (first + round(due / FRAME)) * FRAME

    def _line(self, node: int, first: int, tracks: tuple[str, ...]) -> Line:
        line = Line(
            self._stream_id(len(self.talk.lines)), node, first * FRAME, first * FRAME, tuple(map(TRACKS.index, tracks))
        )
        self.talk.lines.append(line)
        return line
