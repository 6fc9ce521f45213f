"""Handlers for media: a carrier's WebSocket is let in, read, and closed.

Authentication comes first: the upgrade is checked before the 101.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import WSCloseCode, web

from bridge.call import CallRefused, CallRegistry
from bridge.call.beginnings import Coming, KeptElsewhere, NotHere
from bridge.call.relay import State
from bridge.carriers.dialect import Carrier
from bridge.carriers.messages import Started
from bridge.deepgram.delay import DelayMeter
from bridge.egress import Egress
from bridge.web.arriving import Arrival, MediaPolicy, Mount, StreamRefused
from bridge.web.frames import MediaSocket, Together
from bridge.web.http import check_upgrade
from bridge.web.relay import Relays
from bridge.web.server import wait_for, work
from bridge.web.starting import Starting
from bridge.web.stream import CLOSE_WAIT, LARGEST_START, StreamReader
from bridge.web.wakeups import Wakeups

log = logging.getLogger("bridge.media")

_LONGEST_REASON = 123  # octets that a close frame can hold


class MediaHandlers:
    """Accepts streams, and closes their sockets when the server stops."""

    def __init__(
        self,
        registry: CallRegistry,
        mounts: Sequence[Mount],
        policy: MediaPolicy,
        delay: DelayMeter | None = None,
        *,
        key: str | None = None,
        egress: Egress | None = None,
    ) -> None:
        """`delay`: of all calls' audio. `key`: as `Relays` has it; `egress`: the way to other processes."""
        self._registry = registry
        self._mounts = mounts
        self._policy = policy
        self._sockets: set[MediaSocket] = set()
        self._starting: Starting[MediaSocket] = Starting()
        self._wakeups = Wakeups()
        self._together = Together(meter=delay)
        self._relays = Relays(key, egress or Egress({}), registry.counters)
        self._closed = asyncio.Event()
        """Set whenever a socket is."""
        self._closing: set[asyncio.Task[bool]] = set()

    @property
    def open(self) -> int:
        """Sockets of carriers."""
        return len(self._sockets)

    @property
    def relayed(self) -> list[Started]:
        """Those of them that another process hears."""
        return list(self._relays.going_on.values())

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

    def relayed_routes(self) -> list[web.RouteDef]:
        """The same for streams that other processes relay to this one, and for no other."""
        return [
            web.get(route.path, partial(self._handle_relayed, route.handler))
            for route in self.routes()
            if isinstance(route, web.RouteDef)
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

    async def _handle_relayed(self, handle: Any, request: web.Request) -> web.StreamResponse:
        if self._relays.call_of(request) is None:
            raise web.HTTPNotFound
        response: web.StreamResponse = await handle(request)
        return response

    async def _handle(self, mount: Mount, request: web.Request) -> MediaSocket:
        relayed = self._relays.call_of(request)
        mount.authenticate(request)
        carrier = mount.carrier
        self._check_place(carrier, relayed)
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
        now = asyncio.get_running_loop().time()
        if relayed is None and (given_way := self._starting.enter(socket, self._registry.room, now)):
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": "silent, and too many calls"})
            self._close_soon(given_way)
        try:
            await self._read(socket, mount, request, relayed)
        finally:
            self._sockets.discard(socket)
            self._closed.set()
            self._starting.leave(socket)
        return socket

    def _check_place(self, carrier: Carrier, relayed: str | None) -> None:
        """Whether one more stream may come: of a call here, or one for which there is room. Raises HTTPConflict, and
        HTTPServiceUnavailable."""
        if relayed is not None:
            if not self._registry.takes(relayed):
                raise web.HTTPConflict(text="The call is not here.")
            return
        try:
            self._starting.check(self._registry.room, asyncio.get_running_loop().time())
        except CallRefused as refusal:
            reason = self._registry.refusal or str(refusal)
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": reason})
            raise web.HTTPServiceUnavailable(text=f"{reason}\n") from None

    async def _read(self, socket: MediaSocket, mount: Mount, request: web.Request, relayed: str | None) -> None:
        """Read a stream, here or at the process that has its call, until it is over or refused."""
        call_id = relayed
        try:
            arrival = Arrival()
            if relayed is not None:
                first_at = await self._relays.read_preface(socket, self._policy.start_timeout)
                arrival = Arrival(Coming(relayed=True), relayed, first_at)
            while True:
                reader = self._reader(socket, mount, request, arrival)
                try:
                    await reader.run()
                    break
                except KeptElsewhere as kept:
                    relay = await self._relays.relay(socket, request, kept, reader.read)
                    if relay.state is not State.BACK:
                        break
                    passed_over = arrival.coming.passed_over | ({kept.keeper.node} if relay.failed else set())
                    arrival = Arrival(Coming(passed_over=passed_over, since=kept.since), again=tuple(relay.left()))
                finally:
                    call_id = reader.call_id or call_id
        except StreamRefused as refusal:
            about = {"carrier": mount.carrier.name, "call_id": refusal.call_id, "reason": str(refusal)}
            log.warning("stream refused", extra=about)
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=_reason(refusal))
        except CallRefused as refusal:
            about = {"carrier": mount.carrier.name, "call_id": call_id, "reason": str(refusal)}
            log.warning("stream refused", extra=about)
            goes_back = relayed is not None and isinstance(refusal, NotHere)
            code = WSCloseCode.GOING_AWAY if goes_back else WSCloseCode.TRY_AGAIN_LATER
            await socket.close(code=code, message=_reason(refusal))

    def _reader(self, socket: MediaSocket, mount: Mount, request: web.Request, arrival: Arrival) -> StreamReader:
        def started() -> None:
            self._starting.leave(socket)
            work(request)

        return StreamReader(socket, mount, self._policy, self._registry, self._wakeups, started, arrival)

    def _close_soon(self, socket: MediaSocket) -> None:
        task = asyncio.create_task(socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"no start message came"))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _reason(refusal: Exception) -> bytes:
    """As much of the reason as a close frame holds, cut between characters."""
    return str(refusal).encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
