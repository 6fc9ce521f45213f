"""Servers in this process that hand live calls over, and a carrier that plays one call in its own time."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge import app
from bridge.audio import silence
from bridge.events import TRACKS
from bridge.local.stream import CallerOptions, messages
from bridge.local.wav import Recording
from bridge.web.server import listen
from tests.fakes import postgres
from tests.fakes.running import AUDIO, WEBHOOK_SECRET, free_port, settings
from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest

CALL = "CA" + "7" * 32
PUBLIC_URL = "https://bridge.example"
TOKEN = "t" * 32
ENDS = 6.5
"""Seconds of the call: neither channel says anything from 6.7 on for a while."""


@dataclass
class Phone(FakeTwilioRest):
    """The carrier: one call, with as many streams as it is asked for."""

    calls: set[str] = field(default_factory=lambda: {CALL})
    port: int = 0
    """Where the next stream goes: as a balancer has it."""
    ends: float = ENDS
    streams: dict[str, asyncio.Event] = field(default_factory=dict)
    """Each by its id, with an event that stops it."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    begun: float = 0.0
    starts: list[float] = field(default_factory=list)
    """Seconds of the call at which each stream has begun."""
    closes: list[int | None] = field(default_factory=list)
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: the first stream's socket is lost."""
    told: int = 0
    """Where it is told that a stream could not be opened; from then on streams go there, too."""
    quiet: float = 0.0
    """Seconds before anyone says anything."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of its upgrades."""
    tracks: list[tuple[str, ...]] = field(default_factory=list)
    """Those that each stream has."""

    def play(self, tracks=TRACKS, **parameters):
        """One more stream of the call, from where it has got to."""
        now = asyncio.get_running_loop().time()
        self.begun = self.begun or now
        name = f"MZ{len(self.streams):032x}"
        self.streams[name] = asyncio.Event()
        self.starts.append(now - self.begun)
        self.tracks.append(tuple(tracks))
        number = len(self.starts) - 1
        self.tasks.append(asyncio.create_task(self._play(name, number, parameters, self.port, tuple(tracks))))

    async def _play(self, name, number, parameters, port, tracks):
        options = CallerOptions(CALL, name, parameters=parameters, tracks=tracks)
        url = f"ws://127.0.0.1:{port}/media/twilio"
        try:
            async with connect(url, compression=None, additional_headers=self.headers) as socket:
                now = asyncio.get_running_loop().time()  # no frame waits for the socket
                self.begun = self.begun if number else now
                first = round((now - self.begun) / 0.02)
                self.starts[number] = first * 0.02
                quiet, ends = silence(round(self.quiet * 8000)), round((self.quiet + self.ends) * 8000)
                left = Recording(*((quiet + track)[first * 160 : ends] for track in AUDIO))
                with contextlib.suppress(ConnectionClosed):  # the process was killed
                    await self._say(socket, name, first, messages(left, options))
            self.closes.append(socket.close_code)
        except ConnectionRefusedError:
            await self._complain(name, "31920 handshake error")

    async def _complain(self, name, error):
        self.port = self.told
        form = {"CallSid": CALL, "StreamSid": name, "StreamEvent": "stream-error", "StreamError": error}
        async with ClientSession(raise_for_status=True) as http:
            await http.post(f"http://127.0.0.1:{self.told}/twiml/stream-status", data=form)

    async def _say(self, socket, name, first, said):
        last = ""
        for due, text in said:
            await asyncio.sleep(self.begun + first * 0.02 + due - asyncio.get_running_loop().time())
            last = text
            if self.streams[name].is_set():
                break
            if self.cut.is_set() and not first:
                socket.transport.abort()
                return
            await socket.send(text)
        if '"stop"' not in last:
            await socket.send(json.dumps({"event": "stop", "streamSid": name, "stop": {"callSid": CALL}}))

    async def _create_stream(self, request):
        form = await request.post()
        keys = [key.removesuffix(".Name") for key in form if key.endswith(".Name")]
        await asyncio.sleep(0.1)  # a carrier takes a little longer
        asked = str(form.get("Track", "both_tracks")).removesuffix("_track")
        tracks = (asked,) if asked in TRACKS else TRACKS
        self.play(tracks, **{str(form[f"{key}.Name"]): str(form[f"{key}.Value"]) for key in keys})
        return await super()._create_stream(request)

    def stop(self, call, stream):
        self.streams[stream].set()
        return True


class Server:
    """A bridge, as `serve` has it."""

    def __init__(self, configured):
        self.configured = configured
        self.application = app.build(configured)
        self.stopping = self.application[app.STOPPING]
        self.stack = contextlib.AsyncExitStack()

    async def listen(self):
        where, connections = (self.configured.host, self.configured.port), self.application[app.CONNECTIONS]
        stop = self.stopping
        self.site = await listen(self.stack, self.application, connections, *where, may_share=stop.may_listen)
        self.stopping.standby.listening.set()

    async def stop(self):
        await self.stopping.give(self.site.stop)
        await self.stopping.finish_calls()
        await self.stack.aclose()


def given(server, receiver, phone, **more):
    """The settings of a node with a record in PostgreSQL, whose carrier is this one."""
    return {
        "database_url": postgres.server().url,
        "webhook_url": receiver.url,
        "webhook_secret": WEBHOOK_SECRET,
        "public_url": PUBLIC_URL,
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": AUTH_TOKEN,
        "twilio_signature": "strict" if phone.headers else "off",
        "bridge_twilio_api": phone.url,
        "bridge_read_tokens": TOKEN,
        "bridge_stop_timeout": 60.0,
        "bridge_grace": 30.0,
        **more,
    }


@contextlib.asynccontextmanager
async def node(folder, server, receiver, phone, **more):
    """In this process, listening at a port of its own."""
    one = Server(settings(folder, server.url, port=free_port(), **given(server, receiver, phone, **more)))
    await one.listen()
    try:
        yield one
    finally:
        await one.stop()


def has_ended(receiver):
    """Whether the webhook knows that the call has."""
    return any(event["type"] == "call.ended" for event in receiver.events(CALL))


def words_of(events, channel):
    """What finals say of a channel: starts and words, in order."""
    finals = [event["data"] for event in events if event["type"] == "transcript.final"]
    return sorted((w["start"], w["word"]) for final in finals if final["channel"] == channel for w in final["words"])
