"""The reading API over calls in memory, for the page's tests: events are appended live, connections cut, the server
restarted on its port, sessions forgotten, all as the test says.
"""

import asyncio
import contextlib
import json
import secrets

from aiohttp import web

from bridge.events import Event, timestamp
from bridge.local.sample import CALL
from bridge.web.static import PageDoor

TOKEN = "reader-token"


class Call:
    """One call, live until an event ends it."""

    def __init__(self, call_id, started, *, direction="inbound", from_="+15550101000", to="+15550123000", audio=False):
        self.id = call_id
        self.started = started
        self.events = []
        self.interims = {}
        self.ended = None
        self.audio = audio
        self.figures = None
        self.delivery = {"state": "delivered", "cursor": 0, "attempts": 0, "reason": None}
        self.parameters = {}
        self.head = {"carrier": "twilio", "from": from_, "to": to, "direction": direction}
        self.speakers = {"inbound": "caller", "outbound": "agent"}
        self.listeners = set()

    @property
    def tip(self):
        return len(self.events)

    def append(self, data, at=None):
        """A durable event, or one that replaces the newest of its track."""
        time = timestamp(self.started + (at if at is not None else getattr(data, "end", 0.0)))
        if data.durable:
            seq = self.tip + 1
            event = Event(self.id, seq, f"{self.id}-{seq}", time, data)
            self.events.append((data, event.to_json()))
            self.interims.pop(getattr(data, "track", None), None)
        else:
            seq = None
            event = Event(self.id, None, f"{self.id}-{secrets.token_hex(4)}", time, data)
            self.interims[data.track] = (data, event.to_json())
        if data.type == "call.ended":
            self.ended = data
        for listener in self.listeners:
            listener.put_nowait((seq, data.type, event.to_json()))

    def summary(self):
        return {
            "id": self.id,
            **self.head,
            "speakers": self.speakers,
            "started_at": timestamp(self.started),
            "ended_at": self.ended.ended_at if self.ended else None,
            "active": self.ended is None,
            "duration": self.ended.duration if self.ended else None,
            "reason": self.ended.reason if self.ended else None,
            "seq": self.tip,
            "snippet": None,
            "talk": self.figures,
        }

    def details(self):
        return {
            **self.summary(),
            "parameters": self.parameters,
            "delivery": {**self.delivery, "cursor": self.tip},
            "figures": self.figures,
            "flush": self.ended.flush if self.ended else None,
            "missing": self.ended.missing if self.ended else None,
            "audio": {"available": self.audio and self.ended is not None, "url": f"/calls/{self.id}/audio.wav"},
        }

    def text(self):
        return [data.text for data, _ in self.events if data.type == "transcript.final"]


class ReadingServer:
    """Serves the page and what it reads."""

    def __init__(self, calls=()):
        self.calls = {call.id: call for call in calls}
        self.sessions = set()
        self.links = {}
        self.everything = set()
        self.streams = set()
        self.asked = []
        self._runner = None
        self._port = 0

    @property
    def origin(self):
        return f"http://127.0.0.1:{self._port}"

    def add(self, call):
        self.calls[call.id] = call
        for data, body in call.events:
            self.tell_all(call, 1, data.type, body)

    def append(self, call, data, at=None):
        """As `call.append`, and told on the stream of all calls."""
        call.append(data, at)
        if data.durable:
            self.tell_all(call, call.tip, data.type, call.events[-1][1])

    def tell_all(self, call, seq, kind, body):
        for listener in self.everything:
            listener.put_nowait((f"{call.id}:{seq}", kind, body))

    async def start(self):
        app = web.Application(middlewares=[self._guard])
        app.add_routes(PageDoor().routes())
        app.add_routes(
            [
                web.post("/login", self._login),
                web.get("/calls", self._list),
                web.get("/calls/live", self._live),
                web.get("/calls/{id}", self._details),
                web.delete("/calls/{id}", self._delete),
                web.get("/calls/{id}/events", self._events),
                web.get("/calls/{id}/audio.wav", self._audio),
                web.get("/calls/{id}/transcript.{kind}", self._transcript),
                web.post("/calls/{id}/links", self._link),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self):
        self.cut()
        await self._runner.cleanup()

    def cut(self):
        """Break every stream off, as a network does."""
        for transport in list(self.streams):
            transport.abort()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    # Who may read.

    @web.middleware
    async def _guard(self, request, handler):
        self.asked.append((request.method, request.path, dict(request.query), dict(request.headers)))
        public = request.path in ("/", "/login") or request.path.startswith("/static/")
        if public or request.cookies.get("session") in self.sessions:
            return await handler(request)
        link = self.links.get(request.query.get("access"))
        if link and link == request.match_info.get("id") and request.method == "GET":
            return await handler(request)
        return refusal(401, "This needs a token.")

    async def _login(self, request):
        if (await request.json()).get("token") != TOKEN:
            return refusal(401, "This token is not valid.")
        session = secrets.token_hex(8)
        self.sessions.add(session)
        response = web.json_response({})
        response.set_cookie("session", session, httponly=True, samesite="Strict")
        return response

    # What there is to read.

    async def _list(self, request):
        query = request.query
        found = sorted(self.calls.values(), key=lambda call: call.started, reverse=True)
        if "active" in query:
            found = [call for call in found if (call.ended is None) == (query["active"] == "true")]
        for name in ("from", "to"):
            if name in query:
                found = [call for call in found if query[name] in (call.head[name] or "")]
        if "before" in query:
            found = found[[call.id for call in found].index(query["before"]) + 1 :]
        listed = [(call, self._snippet(call, query.get("q"))) for call in found]
        listed = [(call, snippet) for call, snippet in listed if snippet is not False]
        limit = int(query.get("limit", 50))
        page = [{**call.summary(), "snippet": snippet} for call, snippet in listed[:limit]]
        return web.json_response({"calls": page, "next": page[-1]["id"] if len(listed) > limit else None})

    @staticmethod
    def _snippet(call, words):
        """The text with the words in it; None where nothing is looked for, False where it is not there."""
        if not words:
            return None
        return next(
            (text for text in call.text() if all(word in text.lower() for word in words.lower().split())), False
        )

    def _call(self, request):
        call = self.calls.get(request.match_info["id"])
        if call is None:
            raise web.HTTPNotFound(text='{"error": "There is no such call."}', content_type="application/json")
        return call

    async def _details(self, request):
        return web.json_response(self._call(request).details())

    async def _delete(self, request):
        del self.calls[self._call(request).id]
        return web.Response(status=204)

    async def _link(self, request):
        token = secrets.token_hex(8)
        self.links[token] = self._call(request).id
        expires = timestamp(self._call(request).started + (await request.json())["expires_in"])
        url = f"{self.origin}/?call={self._call(request).id}#access={token}"
        return web.json_response({"url": url, "token": token, "expires_at": expires})

    async def _transcript(self, request):
        call = self._call(request)
        return web.Response(text=f"{request.match_info['kind']}: {call.text()[0]}", content_type="text/plain")

    async def _audio(self, request):
        self._call(request)
        return web.FileResponse(CALL, headers={"Content-Type": "audio/wav"})

    # Streams.

    async def _events(self, request):
        call = self._call(request)
        after = int(request.headers.get("Last-Event-ID") or request.query.get("after") or 0)
        if call.ended and after >= call.tip:
            return web.Response(status=204)
        async with self._stream(request, call.listeners) as (response, queue):
            history = call.events[after:]
            await response.write(
                b"".join(message(data.type, body, seq) for seq, (data, body) in enumerate(history, after + 1))
            )
            for data, body in call.interims.values():
                await response.write(message(data.type, body))
            ended = call.ended
            while not ended:
                seq, kind, body = await queue.get()
                await response.write(message(kind, body, seq))
                ended = kind == "call.ended"
            await response.write(b"event: end\ndata: {}\n\n")
        return response

    async def _live(self, request):
        async with self._stream(request, self.everything) as (response, queue):
            for call in self.calls.values():
                if call.ended is None and call.events:
                    await response.write(message("call.started", call.events[0][1], f"{call.id}:1"))
            while True:
                event_id, kind, body = await queue.get()
                await response.write(message(kind, body, event_id))
        return response

    @contextlib.asynccontextmanager
    async def _stream(self, request, listeners):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        queue = asyncio.Queue()
        listeners.add(queue)
        transport = request.transport
        self.streams.add(transport)
        try:
            await response.prepare(request)
            await response.write(b": here\n\n")
            yield response, queue
        except ConnectionResetError:
            pass  # the reader left, or the test cut the line
        finally:
            listeners.discard(queue)
            self.streams.discard(transport)


def message(kind, body, event_id=None):
    """One server-sent event."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {kind}\ndata: {body}\n\n".encode()


def refusal(status, sentence):
    return web.Response(text=json.dumps({"error": sentence}), status=status, content_type="application/json")
