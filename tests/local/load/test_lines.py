"""Callers of a load against a media socket that only listens, and some that misbehave."""

import json

from aiohttp import web

from bridge.local.load.lines import Target, play
from bridge.local.load.pacer import Pacer
from bridge.local.load.plan import Faults, Plan
from bridge.local.load.tally import Tally
from bridge.local.wav import Recording
from tests.fakes.routes import serving
from twiml.signature import SIGNATURE_HEADER, sign_url

SPOKEN = Recording(bytes(range(250)) * 64, bytes(range(250, 0, -1)) * 64)


class Bridge:
    """Keeps the messages of every media socket; `refuses` so many of them, and ends a call after `most` messages."""

    def __init__(self, refuses=0, most=10_000):
        self.sockets, self.signatures = [], []
        self.refuses, self.most = refuses, most

    async def media(self, request):
        if self.refuses:
            self.refuses -= 1
            raise web.HTTPServiceUnavailable(text="full")
        socket, heard = web.WebSocketResponse(compress=False), []
        await socket.prepare(request)
        self.sockets.append(heard)
        self.signatures.append(request.headers.get(SIGNATURE_HEADER))
        async for message in socket:
            heard.append(json.loads(message.data))
            if len(heard) == self.most or heard[-1]["event"] == "stop":
                await socket.close()
        return socket

    async def voice(self, request):
        form = await request.post()
        stream = f'<Stream url="ws://{request.host}/media"><Parameter name="id" value="{form["CallSid"]}"/></Stream>'
        return web.Response(text=f"<Response><Start>{stream}</Start></Response>", content_type="text/xml")

    def starts(self):
        return [message["start"] for heard in self.sockets for message in heard if message["event"] == "start"]


async def made(bridge, plan, voice=False, **target):
    tally, pacer = Tally(), Pacer()
    routes = [web.get("/media", bridge.media), web.post("/voice", bridge.voice)]
    async with serving(*routes) as origin:
        media = origin.replace("http", "ws", 1) + "/media"
        given = Target(voice=f"{origin}/voice", **target) if voice else Target(media, **target)
        await play(plan, given, SPOKEN, tally, pacer)
    return tally, pacer, media


async def test_every_line_makes_a_call_of_its_own():
    bridge = Bridge()
    tally, pacer, media = await made(bridge, Plan(3, 0.1, ramp=0.03), auth_token="secret")

    assert {start["callSid"] for start in bridge.starts()} == set(tally.played) and len(tally.played) == 3
    assert (tally.started, tally.finished, tally.upgrades.count) == (3, 3, 3)
    assert {len(heard) for heard in bridge.sockets} == {3 + 2 * 5}
    assert pacer.late.count == 3 * 13
    assert set(bridge.signatures) == {sign_url("secret", media)}


async def test_a_call_whose_socket_breaks_comes_back():
    bridge = Bridge()
    tally, _, _ = await made(bridge, Plan(1, 0.5, faults=Faults(dropped=1.0, away=0.1)))
    first, second = bridge.sockets
    (call,) = tally.played.values()

    assert len({start["callSid"] for start in bridge.starts()}) == 1
    assert first[-1]["event"] == "media" and second[-1]["event"] == "stop"
    assert tally.finished == 1 and call.away >= 0.1
    assert call.until == len([1 for each in first if each["event"] == "media"]) / 2 * 0.02


async def test_a_line_calls_again_until_its_time_is_over():
    bridge = Bridge()
    tally, _, _ = await made(bridge, Plan(1, 0.06, minutes=0.2 / 60))

    assert tally.finished == len(tally.played) >= 2


async def test_a_refusal_is_told_and_stops_no_other_call():
    bridge = Bridge(refuses=1)
    tally, _, _ = await made(bridge, Plan(2, 0.06, ramp=0.04))

    assert tally.errors() == {"the server refused the call with 503: full": 1}
    assert (tally.started, tally.finished) == (1, 1)


async def test_a_call_that_the_bridge_ends_is_told():
    tally, _, _ = await made(Bridge(most=10), Plan(1, 1.0))

    assert tally.errors() == {"the bridge ended a call, or did not read it, before it was over": 1}
    assert (tally.started, tally.finished) == (1, 0)


async def test_the_voice_webhook_names_the_socket_of_each_call():
    bridge = Bridge()
    tally, _, _ = await made(bridge, Plan(2, 0.04), voice=True)

    assert [start["customParameters"]["id"] for start in bridge.starts()] == [s["callSid"] for s in bridge.starts()]
    assert tally.finished == 2 and set(tally.played) == {start["callSid"] for start in bridge.starts()}


async def test_a_voice_webhook_that_names_none_is_told():
    async def refuse(request):
        raise web.HTTPForbidden

    tally, pacer = Tally(), Pacer()
    async with serving(web.post("/voice", refuse)) as origin:
        await play(Plan(1, 0.04), Target(voice=f"{origin}/voice"), SPOKEN, tally, pacer)

    ((error, number),) = tally.errors().items()
    assert "answered 403 and no <Stream>" in error and number == 1
    assert tally.started == 0


async def test_a_voice_webhook_here_may_not_name_another_machine():
    async def name_another(request):
        text = '<Response><Start><Stream url="wss://calls.invalid/media"/></Start></Response>'
        return web.Response(text=text, content_type="text/xml")

    tally = Tally()
    async with serving(web.post("/voice", name_another)) as origin:
        await play(Plan(1, 0.04), Target(voice=f"{origin}/voice"), SPOKEN, tally, Pacer())

    assert list(tally.errors()) == [
        "the voice webhook names a media socket on another machine: add --yes if it is meant"
    ]
