"""The page and the real doors of the record over a real store, for the page's tests: events are appended live,
connections cut, the server restarted on its port, sessions made old, all as the test says.
"""

import asyncio
import secrets
import shutil
import time
from random import Random

from aiohttp import web

from bridge.audio import interleave
from bridge.events import Event, timestamp
from bridge.live import Live
from bridge.local.sample import CALL
from bridge.local.wav import load_recording
from bridge.rights import unlimited
from bridge.store.audio import Recordings
from bridge.store.sqlite import SQLiteStore
from bridge.web.access import SESSION, Access
from bridge.web.calls import CallHandlers
from bridge.web.contract import ContractHandlers
from bridge.web.feed import FeedHandlers
from bridge.web.static import PageHandlers

TOKEN = "reader-token"
ENDPOINT = "webhook"


class Call:
    """The events of one call."""

    def __init__(self, call_id, started, *, direction="inbound", from_="+15550101000", to="+15550123000", audio=False):
        self.id = call_id
        self.started = started
        self.events = []
        self.audio = audio
        self.parameters = {}
        self.head = {"from_": from_, "to": to, "direction": direction}
        self.speakers = {"inbound": "caller", "outbound": "agent"}

    def append(self, data, at=None):
        """The next event, at this second of the call; what is not durable is not kept."""
        time = timestamp(self.started + (at if at is not None else getattr(data, "end", 0.0)))
        if not data.durable:
            return Event(self.id, None, f"{self.id}-{secrets.token_hex(4)}", time, data)
        seq = len(self.events) + 1
        self.events.append(Event(self.id, seq, f"{self.id}-{seq}", time, data))
        return self.events[-1]


class ReadingServer:
    """Serves what is in `folder`; the store stays open while nothing is served."""

    token = TOKEN
    readers = tuple(unlimited((TOKEN,)))

    def __init__(self, folder):
        self.folder = folder
        self.asked = []
        """(method, path, query, headers) of every request."""
        self.later = 0.0
        """Seconds by which the doors' clock is ahead."""
        self._streams = set()
        self._store = SQLiteStore(folder, [ENDPOINT])
        self._port = 0

    @property
    def origin(self):
        return f"http://127.0.0.1:{self._port}"

    @property
    def store(self):
        return self._store

    async def add(self, call):
        """All of a call, with its recording."""
        if call.audio:
            path = self.folder / "recordings" / call.id
            path.mkdir(parents=True)
            (path / f"{0:012d}.ulaw").write_bytes(interleave(*load_recording(CALL)))
        await self._store.append(call.events)

    async def append(self, call, data, at=None):
        """One more event."""
        event = call.append(data, at)
        await self._store.append(*(([event],) if data.durable else ([], [event])))

    async def start(self):
        def wall():
            return time.time() + self.later

        self._live = Live(self._store)
        readers = Access(self.readers, None, wall, index=self._store)
        recordings = Recordings(self.folder)
        calls = CallHandlers(
            self._store, readers, endpoints=[ENDPOINT], delete=self._delete, recordings=recordings, wall=wall
        )
        feed = FeedHandlers(self._live, self._store, readers, calls.events, Random(1))
        app = web.Application(middlewares=[self._watch])
        app.add_routes([*PageHandlers().routes(), *ContractHandlers().routes()])
        app.add_routes([*readers.routes(), *feed.routes(), *calls.routes()])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self):
        self._live.close()
        self.cut()
        await self._runner.cleanup()

    async def replace_record(self, folder):
        """Open another record in the place of this one, while nothing is served."""
        await self._store.__aexit__(None, None, None)
        self.folder, self._store = folder, SQLiteStore(folder, [ENDPOINT])
        await self._store.__aenter__()

    def cut(self):
        """Break every stream off, as a network does."""
        for transport in list(self._streams):
            transport.abort()

    def outlive_sessions(self):
        """Let so much time pass that everybody has to log in again."""
        self.later += SESSION + 1

    async def __aenter__(self):
        await self._store.__aenter__()
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()
        await self._store.__aexit__(None, None, None)

    async def _delete(self, call_id):
        await asyncio.to_thread(shutil.rmtree, self.folder / "recordings" / call_id, ignore_errors=True)
        return await self._store.delete(call_id)

    @web.middleware
    async def _watch(self, request, handler):
        self.asked.append((request.method, request.path, dict(request.query), dict(request.headers)))
        if not request.path.endswith(("/events", "/live")):
            return await handler(request)
        transport = request.transport
        self._streams.add(transport)
        try:
            return await handler(request)
        finally:
            self._streams.discard(transport)
