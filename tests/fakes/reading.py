"""The doors of the record on loopback, over a store that the test fills, and a reader of server-sent events."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.live import PULSE, Live
from bridge.rights import Reader, unlimited
from bridge.store.audio import Recordings
from bridge.store.audit import AuditFiles
from bridge.store.sessions import EndedSessions
from bridge.store.sqlite import SQLiteStore
from bridge.web.access import Access
from bridge.web.audit import AuditHandlers
from bridge.web.calls import CallHandlers
from bridge.web.feed import FeedHandlers, FeedPolicy
from tests.fakes import contract, words

TOKEN = "a-token-for-readers"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOW = words.STARTED_AT + 100.0


@asynccontextmanager
async def doors(
    path: Any,
    readers: Sequence[Reader] = tuple(unlimited((TOKEN,))),
    public_url: str | None = None,
    pulse: float = PULSE,
    policy: FeedPolicy | None = None,
    ended: EndedSessions | None = None,
) -> AsyncIterator[Any]:
    """A namespace: the store, the live feeds, the audit log, the folder of it all, the address, `now`."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SQLiteStore(path, ["webhook"]))
        place = SimpleNamespace(store=store, live=Live(store, pulse), folder=path, now=NOW)
        access = Access(readers, public_url, lambda: place.now, ended, index=store)

        calls = CallHandlers(
            store,
            access,
            endpoints=["webhook"],
            delete=store.delete,
            recordings=Recordings(path),
            wall=lambda: place.now,
        )
        place.door = calls
        feed = FeedHandlers(place.live, store, access, calls.events, Random(1), policy)
        app = web.Application()
        place.log = AuditFiles(path)
        place.audit = AuditHandlers(place.log, access, lambda: place.now)
        app.on_response_prepare.append(place.audit.note)
        app.add_routes([*place.audit.routes(), *access.routes(), *feed.routes(), *calls.routes()])
        server = TestServer(app)
        await server.start_server()
        stack.push_async_callback(server.close)
        stack.callback(place.live.close)
        place.origin = str(server.make_url("")).rstrip("/")
        yield place


@asynccontextmanager
async def reader(place: Any, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody with a token, or with other headers."""
    jar = aiohttp.CookieJar(unsafe=True)  # cookies for an address without a name
    async with aiohttp.ClientSession(place.origin, headers=headers or BEARER, cookie_jar=jar) as session:
        yield session


class Message(dict[str, Any]):
    """One server-sent event: its fields; `data` parsed."""


class Stream:
    """Reads server-sent events from a response, as the HTML Standard says."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0
        self.last_id = ""

    async def message(self) -> Message | None:
        """The next one with data; None at the end of the stream."""
        fields = Message()
        while line := (await self.response.content.readline()).decode():
            line = line.rstrip("\n")
            name, _, value = line.partition(":")
            if not line and "data" in fields:
                fields["data"] = json.loads(fields["data"])
                contract.look_at_message(fields["event"], fields["data"])
                return fields
            if not line:
                fields = Message()
            elif not name:
                self.comments += 1
            else:
                fields[name] = value.removeprefix(" ")
            if name == "id":
                self.last_id = fields["id"]
        return None

    async def until(self, kind: str) -> list[Message]:
        """All messages up to the first of this event type, and that."""
        messages = []
        while message := await self.message():
            messages.append(message)
            if message["event"] == kind:
                return messages
        raise AssertionError(f"no {kind} in {[message['event'] for message in messages]}")

    async def seqs(self, count: int) -> list[int]:
        """The `seq` of the next durable events."""
        found: list[int] = []
        while len(found) < count and (message := await self.message()):
            if "seq" in message["data"]:
                found.append(message["data"]["seq"])
        return found


@asynccontextmanager
async def stream(session: aiohttp.ClientSession, path: str, **headers: str) -> AsyncIterator[Stream]:
    """An open stream."""
    async with session.get(path, headers={"Accept": "text/event-stream", **headers}) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response)
