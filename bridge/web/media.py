"""Handlers for media: a carrier's WebSocket is let in, read, and closed.

Authentication comes first: the upgrade is checked before the 101.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from aiohttp import WSCloseCode, web

from bridge.call import CallRefused, CallRegistry
from bridge.deepgram.delay import DelayMeter
from bridge.web.frames import MediaSocket, Together
from bridge.web.http import check_upgrade
from bridge.web.server import wait_for, work
from bridge.web.starting import Starting
from bridge.web.stream import CLOSE_WAIT, LARGEST_START, MediaPolicy, Mount, StreamReader, StreamRefused
from bridge.web.wakeups import Wakeups

log = logging.getLogger("bridge.media")

_LONGEST_REASON = 123  # octets that a close frame can hold


class MediaHandlers:
    """Accepts streams, and closes their sockets when the server stops."""

    def __init__(
        self, registry: CallRegistry, mounts: Sequence[Mount], policy: MediaPolicy, delay: DelayMeter | None = None
    ) -> None:
        """`delay`: of all calls' audio."""
        self._registry = registry
        self._mounts = mounts
        self._policy = policy
        self._sockets: set[MediaSocket] = set()
        self._starting: Starting[MediaSocket] = Starting()
        self._wakeups = Wakeups()
        self._together = Together(meter=delay)
        self._closed = asyncio.Event()
        """Set whenever a socket is."""
        self._closing: set[asyncio.Task[bool]] = set()

    @property
    def open(self) -> int:
        """Sockets of carriers."""
        return len(self._sockets)

    @property
    def starting(self) -> int:
        """Those of them that have not sent `start`."""
        return len(self._starting)

    def routes(self) -> list[web.RouteDef]:
        """Each carrier's path, with or without a slash, and the same with a secret after it."""
        return [
            web.get(mount.carrier.path + ending, partial(self._handle, mount))
            for mount in self._mounts
            for ending in ("", "/", "/{secret}")
        ]

    async def close(self) -> None:
        """Tell every carrier that the server is going away."""
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sockets))

    async def wait_closed(self, seconds: float) -> None:
        """Until the carriers have closed all sockets, for so long."""
        try:
            async with asyncio.timeout(seconds):
                while self._sockets:
                    self._closed.clear()
                    await self._closed.wait()
        except TimeoutError:
            pass  # then they are closed from here

    async def _handle(self, mount: Mount, request: web.Request) -> MediaSocket:
        mount.authenticate(request)
        carrier, clock = mount.carrier, asyncio.get_running_loop().time
        try:
            self._starting.check(self._registry.room, clock())
        except CallRefused as refusal:
            reason = self._registry.refusal or str(refusal)
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": reason})
            raise web.HTTPServiceUnavailable(text=f"{reason}\n") from None
        offered = request.headers.get("Sec-WebSocket-Protocol", "") if carrier.echoes_subprotocol else ""
        protocols = tuple(name.strip() for name in offered.split(",") if name.strip())
        socket = MediaSocket(
            self._together,
            compress=False,
            max_msg_size=LARGEST_START,
            timeout=1.0,
            protocols=protocols[:1],
            autoping=False,
        )
        check_upgrade(request, socket)
        await socket.prepare(request)
        self._sockets.add(socket)
        wait_for(request, self._policy.start_timeout + CLOSE_WAIT)
        if given_way := self._starting.enter(socket, self._registry.room, clock()):
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": "silent, and too many calls"})
            self._close_soon(given_way)

        def started() -> None:
            self._starting.leave(socket)
            work(request)

        reader = StreamReader(socket, mount, self._policy, self._registry, self._wakeups, started)
        try:
            await reader.run()
        except StreamRefused as refusal:
            log.warning(
                "stream refused",
                extra={"carrier": carrier.name, "call_id": refusal.call_id, "reason": str(refusal)},
            )
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=_reason(refusal))
        except CallRefused as refusal:
            about = {"carrier": carrier.name, "call_id": reader.call_id, "reason": str(refusal)}
            log.warning("stream refused", extra=about)
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=_reason(refusal))
        finally:
            self._sockets.discard(socket)
            self._closed.set()
            self._starting.leave(socket)
        return socket

    def _close_soon(self, socket: MediaSocket) -> None:
        task = asyncio.create_task(socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"no start message came"))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _reason(refusal: Exception) -> bytes:
    """As much of the reason as a close frame holds, cut between characters."""
    return str(refusal).encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
