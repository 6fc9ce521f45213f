"""Everything wired together, in this process, with all its peers on loopback."""

import asyncio
import contextlib
import json
from urllib.parse import urlsplit

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge import app
from bridge.errors import ConfigError
from bridge.local.deepgram import Faults
from bridge.local.receiver import Fault, Receiver
from tests.fakes import frames
from tests.fakes.proxy import Proxy
from tests.fakes.running import AUDIO, SCRIPT, TWILIO_TOKEN, WEBHOOK_SECRET, bridge, deepgram, record, settings
from twiml import signature


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def receiver():
    async with Receiver(WEBHOOK_SECRET) as webhook:
        yield webhook


@pytest.fixture
def configured(tmp_path, server, receiver):
    return settings(tmp_path, server.url, webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET)


async def play(origin, call=frames.CALL, stop=True, parameters=None):
    async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio", compression=None) as socket:
        await socket.send(frames.start(call=call, parameters=parameters))
        for message in frames.talk(*AUDIO):
            await socket.send(message)
        if stop:
            await socket.send(frames.stop())


def ended(receiver, call=frames.CALL):
    return any(event["type"] == "call.ended" for event in receiver.events(call))


def text(receiver, track, call=frames.CALL):
    return " ".join(
        event["data"]["text"]
        for event in receiver.events(call)
        if event["type"] == "transcript.final" and event["data"]["track"] == track
    )


def spoken(channel):
    return " ".join(word.text for word in SCRIPT.channels[channel])


async def test_a_call_becomes_transcripts_at_the_webhook(configured, receiver):
    async with bridge(configured) as origin:
        await play(origin, parameters={"direction": "inbound", "from": "+15550101"})
        await receiver.until(lambda: ended(receiver))

    assert text(receiver, "inbound") == spoken(0)
    assert text(receiver, "outbound") == spoken(1)
    assert receiver.seqs(frames.CALL) == list(range(1, len(receiver.events(frames.CALL)) + 1))
    assert receiver.order.violations == []
    assert receiver.counters["unverified"] == 0


async def test_stopping_delivers_the_last_words_first(configured, server, receiver):
    async with contextlib.AsyncExitStack() as stack:
        async with bridge(configured.model_copy(update={"bridge_stop": "end"})) as origin:
            url = f"{origin.replace('http', 'ws', 1)}/media/twilio"
            socket = await stack.enter_async_context(connect(url, compression=None))
            await socket.send(frames.start())
            for message in frames.talk(*AUDIO):
                await socket.send(message)
            async with asyncio.timeout(60):
                while not server.connections or len(server.connections[0].audio) < 2 * len(AUDIO[0]) - 2000:
                    await asyncio.sleep(0.01)
        # The bridge was left, and so stopped, in mid-call.
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1001

    assert receiver.events(frames.CALL)[-1]["type"] == "call.ended"
    assert text(receiver, "inbound") == spoken(0)


async def test_what_a_stop_could_not_deliver_waits_for_the_next_start(configured, receiver):
    await receiver.go_down()
    async with bridge(configured) as origin:
        await play(origin)
    await receiver.come_up()
    async with bridge(configured):
        await receiver.until(lambda: ended(receiver))

    assert text(receiver, "inbound") == spoken(0)
    assert receiver.seqs(frames.CALL) == list(range(1, len(receiver.events(frames.CALL)) + 1))


async def test_a_call_that_cannot_be_delivered_does_not_hold_up_another(configured, receiver):
    receiver.faults.append(Fault(status=500, call_id="CA1"))
    async with bridge(configured) as origin:
        await asyncio.gather(play(origin, "CA1"), play(origin, "CA2"))
        await receiver.until(lambda: ended(receiver, "CA2"))

    assert receiver.events("CA1") == []
    assert text(receiver, "inbound", "CA2") == spoken(0)


async def test_a_slow_webhook_gets_everything_in_batches(configured, receiver):
    receiver.faults.append(Fault(delay=0.3))
    async with bridge(configured) as origin:
        await play(origin)
        await receiver.until(lambda: ended(receiver))

    assert text(receiver, "inbound") == spoken(0)
    assert len(receiver.deliveries) < len(receiver.events(frames.CALL))


async def test_interims_come_when_asked_for_and_carry_no_seq(configured, receiver):
    async with bridge(configured.model_copy(update={"webhook_interim": True})) as origin:
        async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio", compression=None) as socket:
            await socket.send(frames.start())
            for index, message in enumerate(frames.talk(*AUDIO)):
                await socket.send(message)
                if index % 100 == 99:  # a second: let the interims through
                    await asyncio.sleep(0.05)
            await socket.send(frames.stop())
        await receiver.until(lambda: ended(receiver))
    interims = [e for e in receiver.calls[frames.CALL].interims if e["type"] == "transcript.interim"]

    assert interims
    assert all("seq" not in event for event in interims)
    finals = {event["data"]["segment_id"] for event in receiver.events(frames.CALL) if "segment_id" in event["data"]}
    assert {event["data"]["segment_id"] for event in interims} <= finals


async def test_deepgrams_refusal_is_told_at_the_webhook(configured, server, receiver):
    server.faults = Faults(refuse=402)
    hasty = {"bridge_backfill_timeout": 0.0, "bridge_flush_timeout": 0.5}
    async with bridge(configured.model_copy(update=hasty)) as origin:
        await play(origin)
        await receiver.until(lambda: [event["type"] for event in receiver.events(frames.CALL)][-1:] == ["audio.gap"])
    types = [event["type"] for event in receiver.events(frames.CALL)]
    interrupted = receiver.events(frames.CALL)[types.index("transcription.interrupted")]["data"]

    assert "credits" in interrupted["reason"]
    assert (interrupted["status"], interrupted["retry"]) == (402, False)
    assert interrupted["request_id"]
    assert types[-3:] == ["call.ended", "audio.gap", "audio.gap"]
    assert receiver.events(frames.CALL)[-3]["data"]["flush"] == "timed_out"


class TestTwiml:
    @pytest.fixture
    def public(self, configured):
        return configured.model_copy(
            update={
                "twilio_signature": "strict",
                "twilio_auth_token": app_secret(TWILIO_TOKEN),
                "public_url": "https://calls.example.com",
                "bridge_require_token": True,
            }
        )

    async def post(self, origin, path, form):
        signed = signature.sign_form(TWILIO_TOKEN, f"https://calls.example.com{path}", form)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{origin}{path}", data=form, headers={"X-Twilio-Signature": signed}) as response,
        ):
            return response.status, await response.text()

    async def test_what_the_voice_webhook_answers_opens_the_media_door(self, public, receiver):
        from xml.etree import ElementTree

        form = {"CallSid": frames.CALL, "From": "+15550101", "To": "+15550123", "Direction": "inbound"}
        async with bridge(public) as origin:
            status, xml = await self.post(origin, "/twiml/voice", form)
            stream = ElementTree.fromstring(xml).find("./Start/Stream")
            parameters = {item.get("name"): item.get("value") for item in stream.iter("Parameter")}
            signed = signature.sign_url(TWILIO_TOKEN, stream.get("url"))
            local = origin.replace("http", "ws", 1) + urlsplit(stream.get("url")).path
            async with connect(local, additional_headers={"x-twilio-signature": signed}) as socket:
                await socket.send(frames.start(parameters=parameters))
                for message in frames.talk(*AUDIO):
                    await socket.send(message)
                await socket.send(frames.stop())
            await receiver.until(lambda: ended(receiver))
        started = receiver.events(frames.CALL)[0]["data"]

        assert status == 200
        assert (started["from"], started["to"], started["direction"]) == ("+15550101", "+15550123", "inbound")
        assert started["speakers"] == {"inbound": "caller", "outbound": "callee"}
        assert parameters["bridge.token"] not in json.dumps(receiver.events(frames.CALL))

    @pytest.mark.parametrize("told_first", [True, False])
    async def test_a_stream_that_closes_without_stop_and_is_said_to_have_stopped_ends_its_call_at_once(
        self, public, receiver, told_first
    ):
        form = {"CallSid": frames.CALL, "StreamSid": frames.STREAM, "StreamEvent": "stream-stopped"}
        upgrade = {"x-twilio-signature": signature.sign_url(TWILIO_TOKEN, "wss://calls.example.com/media/twilio")}
        patient = public.model_copy(update={"bridge_grace": 60.0, "bridge_require_token": False})
        async with bridge(patient) as origin:
            url = f"{origin.replace('http', 'ws', 1)}/media/twilio"
            async with connect(url, additional_headers=upgrade, compression=None) as socket:
                await socket.send(frames.start())
                for message in frames.talk(*AUDIO):
                    await socket.send(message)
                await receiver.until(lambda: receiver.events(frames.CALL))
                if told_first:
                    await self.post(origin, "/twiml/stream-status", form)
            if not told_first:
                async with asyncio.timeout(60):
                    while not ended(receiver):
                        await self.post(origin, "/twiml/stream-status", form)
                        await asyncio.sleep(0.02)
            await receiver.until(lambda: ended(receiver))

        assert receiver.events(frames.CALL)[-1]["data"]["reason"] == "stopped"
        assert text(receiver, "inbound") == spoken(0)

    async def test_a_streams_error_reaches_the_webhook(self, public, receiver):
        form = {
            "CallSid": "CA9",
            "StreamSid": "MZ9",
            "StreamName": "MZ9",
            "AccountSid": "AC1",
            "StreamEvent": "stream-error",
            "StreamError": "handshake failed",
            "Timestamp": "2026-11-20T00:09:39.602648368Z",
        }
        async with bridge(public) as origin:
            await self.post(origin, "/twiml/stream-status", form)
            await receiver.until(lambda: ended(receiver, "CA9"))

        assert [event["type"] for event in receiver.events("CA9")] == ["call.started", "stream.failed", "call.ended"]


def app_secret(value):
    from pydantic import SecretStr

    return SecretStr(value)


def test_settings_that_cannot_work_stop_the_build(tmp_path):
    with pytest.raises(ConfigError):
        app.build(settings(tmp_path, "ws://x", webhook_url="https://x.example", webhook_secret="whsec_short"))


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_used_stops_the_build(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "socks5://corp:s3cret@proxy:1080")
    with pytest.raises(ConfigError, match=f"^{name} must be http://") as refused:
        app.build(settings(tmp_path, "wss://x.example"))

    assert "s3cret" not in str(refused.value)


async def test_everything_that_goes_out_goes_through_the_proxy(tmp_path, server, receiver, monkeypatch):
    server.faults = Faults(first=1, drop_after=4.0)
    ports = {f"{name}.invalid": urlsplit(peer.url).port for name, peer in (("deepgram", server), ("hook", receiver))}
    async with Proxy(ports) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # for the carrier, which goes by another rule
        configured = settings(
            tmp_path,
            "ws://deepgram.invalid",
            webhook_url=receiver.url.replace(f"127.0.0.1:{ports['hook.invalid']}", "hook.invalid"),
            webhook_secret=WEBHOOK_SECRET,
        )
        async with bridge(configured) as origin:
            await play(origin)
            await receiver.until(lambda: ended(receiver))

    assert text(receiver, "inbound") == spoken(0)
    hosts = {(method, urlsplit(target).hostname or target) for method, target in proxy.asked}
    assert hosts == {("CONNECT", "deepgram.invalid:80"), ("POST", "hook.invalid")}


async def test_without_a_webhook_the_record_is_kept_all_the_same(tmp_path, server):
    async with bridge(settings(tmp_path, server.url)) as origin:
        await play(origin)

    assert (await record(tmp_path, frames.CALL))[-1].type == "call.ended"


async def test_a_stop_takes_no_longer_than_it_may(configured, server, receiver):
    """Deepgram never finishes, and the webhook never answers."""
    server.faults = Faults(metadata=False, close=False)
    receiver.faults = [Fault(delay=60.0)]
    hasty = configured.model_copy(update={"bridge_stop_timeout": 1.0, "bridge_flush_timeout": 60.0})
    async with contextlib.AsyncExitStack() as stack:
        origin = await stack.enter_async_context(bridge(hasty))
        socket = await stack.enter_async_context(connect(f"{origin.replace('http', 'ws', 1)}/media/twilio"))
        await socket.send(frames.start())
        for message in frames.talk(*AUDIO):
            await socket.send(message)
        await server.connection(0)
        began = asyncio.get_running_loop().time()
        await stack.aclose()
    assert asyncio.get_running_loop().time() - began < 30.0
