"""Handlers for media: a carrier's WebSocket is let in, read, and closed.

Authentication comes first: the upgrade is checked before the 101.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from aiohttp import WSCloseCode, web

from bridge.call import CallRefused, CallRegistry
from bridge.web.frames import MediaSocket, Together
from bridge.web.server import wait_for, work
from bridge.web.starting import Starting
from bridge.web.stream import CLOSE_WAIT, LARGEST_START, MediaPolicy, Mount, StreamReader, StreamRefused
from bridge.web.wakeups import Wakeups

log = logging.getLogger("bridge.media")

_LONGEST_REASON = 123  # octets that a close frame can hold


class MediaHandlers:
    """Accepts streams, and closes their sockets when the server stops."""

    def __init__(self, registry: CallRegistry, mounts: Sequence[Mount], policy: MediaPolicy) -> None:
        self._registry = registry
        self._mounts = mounts
        self._policy = policy
        self._sockets: set[MediaSocket] = set()
        self._starting: Starting[MediaSocket] = Starting()
        self._wakeups = Wakeups()
        self._together = Together()
        self._closing: set[asyncio.Task[bool]] = set()

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
        await socket.prepare(request)
        self._sockets.add(socket)
        wait_for(request, self._policy.start_timeout + CLOSE_WAIT)
        if given_way := self._starting.enter(socket, self._registry.room, clock()):
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": "silent, and too many calls"})
            self._close_soon(given_way)

        def started() -> None:
            self._starting.leave(socket)
            work(request)

        try:
            await StreamReader(socket, mount, self._policy, self._registry, self._wakeups, started).run()
        except StreamRefused as refusal:
            log.warning(
                "stream refused",
                extra={"carrier": carrier.name, "call_id": refusal.call_id, "reason": str(refusal)},
            )
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=_reason(refusal))
        except CallRefused as refusal:
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": str(refusal)})
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=_reason(refusal))
        finally:
            self._sockets.discard(socket)
            self._starting.leave(socket)
        return socket

    def _close_soon(self, socket: MediaSocket) -> None:
        task = asyncio.create_task(socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"no start message came"))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _reason(refusal: Exception) -> bytes:
    """As much of the reason as a close frame holds, cut between characters."""
    return str(refusal).encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
