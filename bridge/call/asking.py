"""A call's questions to its carrier for a stream: each a task, so that the call waits for none."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from bridge.call.services import Services
from bridge.carriers.messages import Started
from bridge.events import Track


class Asking:
    """Made by a call, for itself."""

    def __init__(
        self,
        services: Services,
        call_id: str,
        started: Started,
        counters: Counter[str],
        on_none: Callable[[bool], None],
        known: Iterable[str] = (),
    ) -> None:
        """`started`: the stream that another is to be like. `on_none` is called where the carrier sends none now, and
        with True where it could not open one that it was to send. `known`: ids of streams that were there before."""
        self.failed = asyncio.Event()
        """Is set then."""
        self._services = services
        self._call_id = call_id
        self._started = started
        self._counters = counters
        self._on_none = on_none
        self._known = {started.stream_id, *known}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, tracks: tuple[Track, ...]) -> None:
        """Ask for a stream of these tracks."""
        self._tasks.add(task := asyncio.create_task(self._ask(tracks)))
        task.add_done_callback(self._tasks.discard)

    def attach(self, stream_id: str) -> None:
        """A stream is here: what the carrier complains of later is another matter."""
        self._known.add(stream_id)

    def complain(self, stream_id: str | None) -> None:
        """The carrier says that a stream of the call went wrong. One that was never here is one that was asked for, and
        has come to no process that could take it."""
        if stream_id and stream_id not in self._known:
            self._known.add(stream_id)
            self.failed.set()
            self._on_none(True)

    def cancel(self) -> None:
        """No answer is waited for any more."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, tracks: tuple[Track, ...]) -> None:
        if await self._services.ask_for_stream(self._call_id, self._started, tracks):
            self._counters["streams_asked_for"] += 1
        else:
            self._on_none(False)
