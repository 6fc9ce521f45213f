"""What a server does when it is to stop, within one deadline: calls are handed over, left or ended."""

import asyncio
from collections.abc import Awaitable, Callable

from bridge.call import CallRegistry, Services
from bridge.call.giving import Giving
from bridge.config import Settings
from bridge.live import Live
from bridge.standby import Standby, first
from bridge.store.handing import Succession
from bridge.store.succession import Holder
from bridge.web.media import MediaHandlers

_SHARE_OF_LAST_WORDS = 0.75  # of the time to stop; the rest is for delivering them

_SHARE_OF_HEARING = 0.4  # of the time to stop, at most: for the next process to hear the calls
_STARTING, _LOOK = 1.0, 0.02  # seconds for streams that have connected before, and between two looks at them
_WAITING = 1.0  # seconds for the streams of calls that were not this process's yet
_CARRIER_CLOSES = 2.0  # seconds for which a carrier that has stopped a stream gets to close its socket
_DELIVERIES = 2.0  # seconds that are left for them where another process waits to go on with them


class Stop:
    """What is done after SIGTERM, or `bridge drain`, and the one deadline for all of it."""

    def __init__(
        self, settings: Settings, registry: CallRegistry, services: Services, live: Live, media: MediaHandlers
    ) -> None:
        self.standby = Standby(settings.data_dir, registry)
        nodes = services.store.hand_overs
        self.giving = Giving(registry, services, one_by_one=nodes is not None, is_alone=lambda: self._is_alone)
        self.holder = Holder(settings.data_dir, on_drain=self.ask, others=nodes.others if nodes else None)
        self.succession: Succession = nodes or self.holder
        self.succession.on_hears = self.giving.hears
        self.failed = asyncio.Event()
        """The store could not be opened after all, or was closed."""
        self._settings = settings
        self._registry = registry
        self._live = live
        self._media = media
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._seconds = settings.bridge_stop_timeout
        self._ends: float | None = None
        self._finished = False

    @property
    def asked(self) -> bool:
        """Whether the process is to stop."""
        return self._asked.is_set()

    @property
    def begun(self) -> bool:
        """Whether no further call is taken."""
        return self._ends is not None or not self._registry.taking

    @property
    def _is_alone(self) -> bool:
        return not self.succession.has_successor

    def ask(self) -> None:
        """The process is to stop; asked again, it waits for no call that cannot be handed over."""
        (self._hurry if self._asked.is_set() else self._asked).set()

    async def wait_asked(self) -> None:
        """Until it is asked to stop, or has failed."""
        await first(self._asked.wait(), self.failed.wait())

    async def may_listen(self) -> bool:
        """As the standby's; False, too, if it is asked to stop before."""
        return await first(self._asked.wait(), self.standby.may_listen()) is True and not self._asked.is_set()

    async def give(self, stop_listening: Callable[[], Awaitable[None]]) -> None:
        """Let another process hear this one's calls, too. From then on this one takes no further call; without another
        process calls wait for the next one."""
        settings, registry, heard = self._settings, self._registry, False
        keeps, nodes = settings.bridge_stop == "keep", self.succession is not self.holder
        if keeps and nodes:  # those that are there take calls already, and what is sent by itself
            self.giving.leaving = True
            heard = await self.succession.let_listen()
        if settings.bridge_drain_timeout and not self.standby.is_waiting:
            registry.taking = not heard
            await self.giving.wait_for_others(settings.bridge_drain_timeout, self._hurry)
        self._begin()
        if keeps and not nodes:
            heard = await self.succession.let_listen()
        await stop_listening()
        if heard:
            await self._let_in()
            registry.taking = False
            elsewhere = self.giving.send_elsewhere(self._media.relayed)
            await asyncio.gather(self.giving.share(self.left() * _SHARE_OF_HEARING), elsewhere)

    async def _let_in(self) -> None:
        """The streams whose sockets are here already: a carrier sends a stream once."""
        clock = asyncio.get_running_loop().time
        ends = clock() + _STARTING
        while (self._media.starting or self._registry.openings) and clock() < ends:  # noqa: ASYNC110 - none says so
            await asyncio.sleep(_LOOK)

    async def finish_calls(self) -> None:
        """Leave or end every call. To be called while the sockets are still read: from the moment at which aiohttp
        shuts down it drops what carriers send, also on sockets that are open."""
        if self._finished:
            return
        self._finished = True
        self._begin()
        registry = self._registry
        finish = registry.end_all if self._settings.bridge_stop == "end" else registry.leave_all
        seconds = self.left() * _SHARE_OF_LAST_WORDS if self.standby.is_open else _WAITING
        streams = self.giving.streams()

        async def close_streams() -> None:
            await self.giving.stop(streams)
            if self.giving.has_stopped:
                await self._media.wait_closed(_CARRIER_CLOSES)
            await self._media.close()

        await finish(seconds, close_streams=close_streams)
        await self._live.finish()  # after the calls, so that their followers get the end
        if self.succession.has_successor:
            self._end_within(_DELIVERIES)

    def left(self) -> float:
        """Seconds until the deadline; all of them before the stop has begun."""
        return self._seconds if self._ends is None else max(0.0, self._ends - asyncio.get_running_loop().time())

    def _begin(self) -> None:
        if self._ends is None:
            self._end_within(self._seconds)

    def _end_within(self, seconds: float) -> None:
        self._ends = asyncio.get_running_loop().time() + min(self.left(), seconds)
