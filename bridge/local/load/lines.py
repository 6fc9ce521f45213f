"""The callers of a load: each has a line, on which it opens sockets and makes one call after the other.

What goes wrong with a call is told in the tally, not raised: the others go on.
"""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import ceil
from time import monotonic

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.protocol import State

from bridge.errors import BridgeError
from bridge.local import voice
from bridge.local.caller import CLOSE_TIMEOUT, frame, listen, refusal
from bridge.local.caller import Target as Address
from bridge.local.load.pacer import Pacer
from bridge.local.load.plan import PERIOD, Audio, Plan, Stream, is_this_machine
from bridge.local.load.tally import Played, Tally
from bridge.local.stream import CallerOptions
from bridge.local.wav import Recording

_OPENING = 20.0  # seconds that an upgrade may take
_FULL = 1 << 20  # octets that a server may leave unread
_REST = 1.0  # seconds before a line tries again after a failure: a server that refuses is not to be flooded


@dataclass(frozen=True, slots=True)
class Target:
    """Where to call."""

    url: str = ""
    """The media socket, `ws://` or `wss://`..."""
    voice: str | None = None
    """...or the voice webhook that names it for every call."""
    auth_token: str | None = None
    """Signs as Twilio does."""
    signed_url: str | None = None
    """What to sign where it is not the media socket's own address."""
    tls: ssl.SSLContext | None = None
    """For `wss://`: whom to trust; a context of its own for every call would take longer than the call."""
    elsewhere: bool = False
    """Another machine than this one may be called, if the voice webhook names it."""


async def play(plan: Plan, target: Target, recording: Recording, tally: Tally, pacer: Pacer) -> None:
    """Make all calls; returns when the last one has been played to its end."""
    lines = _Lines(plan, target, Audio(recording, plan.seconds), tally, pacer)
    async with asyncio.TaskGroup() as group:
        pacing = group.create_task(pacer.run())
        await asyncio.gather(*(group.create_task(lines.run(line)) for line in range(plan.calls)))
        pacing.cancel()


class _Lines:
    """What the lines share."""

    def __init__(self, plan: Plan, target: Target, audio: Audio, tally: Tally, pacer: Pacer) -> None:
        self._plan, self._target, self._audio, self._tally, self._pacer = plan, target, audio, tally, pacer
        self._origin = monotonic()
        self._numbers = count()

    async def run(self, line: int) -> None:
        """The calls of a line."""
        await asyncio.sleep(self._plan.begins(line))
        while True:
            failed = await self._call(line)
            if not self._plan.goes_on(monotonic() - self._origin):
                return
            if failed:
                await asyncio.sleep(_REST)

    async def _call(self, line: int) -> bool:
        """Returns whether the call failed."""
        url, options = self._target.url, CallerOptions()
        call = Played(options.call_id, self._plan.tracks(line)[0])
        try:
            if self._target.voice:
                url, options = await voice.ask(self._target.voice, self._target.auth_token)
                call.call_id = options.call_id
                if not (self._target.elsewhere or is_this_machine(url)):
                    call.error = "the voice webhook names a media socket on another machine: add --yes if it is meant"
        except BridgeError as error:
            call.error = str(error)
        self._tally.add(call)
        if call.error is None:
            for stream in self._plan.streams(line, next(self._numbers), self._audio, options):
                await asyncio.sleep(stream.after)
                await self._play(line, call, url, stream)
                if call.error is not None:
                    break
        return call.error is not None

    async def _play(self, line: int, call: Played, url: str, stream: Stream) -> None:
        address = Address(url, auth_token=self._target.auth_token, signed_url=self._target.signed_url)
        asked = monotonic()
        try:
            async with connect(
                url,
                additional_headers=address.headers,
                compression=None,
                ping_interval=None,
                open_timeout=_OPENING,
                close_timeout=CLOSE_TIMEOUT,
                proxy=None,
                ssl=self._target.tls if url.startswith("wss:") else None,
            ) as socket:
                self._tally.upgrades.add(monotonic() - asked)
                listener = asyncio.create_task(listen(socket))
                await self._send(line, call, stream, socket)
                await socket.close()
                self._tally.unexpected += await listener
        except (OSError, InvalidHandshake, InvalidURI) as error:  # a timeout is an OSError
            call.error = refusal(error)

    async def _send(self, line: int, call: Played, stream: Stream, socket: ClientConnection) -> None:
        now = monotonic()
        begins = self._origin + ceil((now - self._origin) / PERIOD) * PERIOD + self._plan.phase(line)
        if stream.start:
            call.away += begins - (call.began + stream.start)
        else:
            call.began = begins
        call.until = min(call.until, stream.faults.drop_after or call.until)
        frames: Iterator[tuple[float, bytes]] = ((due, frame(text)) for due, text in stream.messages())
        if not await self._pacer.play(frames, _Socket(socket), begins):
            call.error = "the bridge ended a call, or did not read it, before it was over"
        elif stream.breaks:
            socket.transport.abort()
        else:
            call.stopped = monotonic()


class _Socket:
    """Writes past the library's own `send`, which costs six times as much: without compression there is nothing to
    add."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def write(self, data: bytes) -> bool:
        """Send a frame; False if the socket is closed, or is not read."""
        transport = self._socket.transport
        if self._socket.state is not State.OPEN or transport.get_write_buffer_size() > _FULL:
            return False
        transport.write(data)
        return True
