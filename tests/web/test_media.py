"""The media door over a real socket, with frames that a test spoils as it likes."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from bridge.call import CallRegistry
from bridge.carriers.twilio import TWILIO
from bridge.clock import SystemClock
from bridge.store.sqlite import SQLiteStore
from bridge.web.arriving import MediaPolicy, Mount
from bridge.web.carriers import token_secret
from bridge.web.media import MediaHandlers
from tests.fakes import frames
from tests.fakes.calls import services
from tests.fakes.running import AUDIO, SCRIPT, TWILIO_TOKEN, bridge, deepgram, record, settings
from twiml import signature, token

PATH = "/media/twilio"


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


def socket_url(origin):
    return origin.replace("http", "ws", 1) + PATH


async def play(origin, *messages, headers=None):
    """Send messages and wait until the server has closed, or the messages are out and we have."""
    async with connect(socket_url(origin), additional_headers=headers, compression=None) as socket:
        for message in messages:
            await socket.send(message)


def events(stored):
    return [json.loads(event.body) for event in stored]


def words(stored, channel):
    return [
        (word["word"], word["start"])
        for event in events(stored)
        if event["type"] == "transcript.final" and event["data"]["channel"] == channel
        for word in event["data"]["words"]
    ]


def spoken(channel):
    return [(word.word, round(word.start, 3)) for word in SCRIPT.channels[channel]]


async def run(tmp_path, server, *messages, **given):
    """One call from its first message to its last; its record."""
    async with bridge(settings(tmp_path, server.url, **given)) as origin:
        await play(origin, *messages)
        await drained(origin)
    return await record(tmp_path, frames.CALL)


async def drained(origin, calls=0):
    """Until no call is going on."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{origin}/healthz") as response:
                if (await response.json())["calls"] == calls:
                    return
            await asyncio.sleep(0.01)


async def going_on(origin):
    """Until a call is."""
    await drained(origin, calls=1)


def whole_call(*extra, parameters=None):
    return [frames.connected(), frames.start(parameters=parameters), *frames.talk(*AUDIO), *extra, frames.stop()]


async def test_a_call_is_heard_word_for_word_on_the_right_channels(tmp_path, server):
    stored = await run(tmp_path, server, *whole_call())

    assert words(stored, 0) == spoken(0)
    assert words(stored, 1) == spoken(1)


async def test_its_record_is_dense_and_ends_once(tmp_path, server):
    stored = await run(tmp_path, server, *whole_call(parameters={"direction": "inbound", "from": "+1"}))
    types = [event.type for event in stored]

    assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
    assert (types[0], types[-1], types.count("call.ended")) == ("call.started", "call.ended", 1)
    ended = events(stored)[-1]["data"]
    assert (ended["reason"], ended["flush"], ended["duration"]) == ("stopped", "complete", 12.0)


async def test_deepgram_gets_every_octet_in_its_place(tmp_path, server):
    await run(tmp_path, server, *whole_call())
    heard = bytes(server.connections[0].audio)

    assert heard[0::2] == AUDIO[0]
    assert heard[1::2] == AUDIO[1]


async def test_nothing_is_ever_sent_to_the_carrier(tmp_path, server):
    async with bridge(settings(tmp_path, server.url)) as origin, connect(socket_url(origin)) as socket:
        for message in whole_call():
            await socket.send(message)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)


async def test_after_stop_the_carrier_closes_first(tmp_path, server):
    async with bridge(settings(tmp_path, server.url)) as origin, connect(socket_url(origin)) as socket:
        for message in whole_call():
            await socket.send(message)
        await drained(origin)
        assert socket.close_code is None
        await socket.send(frames.media("inbound", 99_000, 2, b"late"))


async def test_a_socket_that_drops_without_stop_ends_the_call_with_its_last_words(tmp_path, server):
    stored = await run(tmp_path, server, *whole_call()[:-1])

    assert events(stored)[-1]["data"]["reason"] == "carrier_disconnected"
    assert words(stored, 0) == spoken(0)


async def test_media_before_start_belongs_to_the_call(tmp_path, server):
    messages = [*frames.talk(*AUDIO)]
    stored = await run(tmp_path, server, *messages[:4], frames.start(), *messages[4:], frames.stop())

    assert words(stored, 0) == spoken(0)


@pytest.mark.parametrize(
    "bad",
    ["not json", '{"event":"media","media":{"track":"inbound"}}', frames.media("inbound", 100, 2, b"x")[:-30], b"\x00"],
)
async def test_a_bad_message_is_counted_and_the_call_goes_on(tmp_path, server, bad):
    messages = whole_call()
    stored = await run(tmp_path, server, *messages[:50], bad, *messages[50:])

    assert words(stored, 0) == spoken(0)
    assert events(stored)[-1]["data"]["counts"]["bad_messages"] == 1


async def test_a_second_start_is_counted_and_changes_nothing(tmp_path, server):
    messages = whole_call()
    stored = await run(tmp_path, server, *messages[:50], frames.start(call="CA2"), *messages[50:])

    assert words(stored, 0) == spoken(0)
    assert events(stored)[-1]["data"]["counts"]["bad_messages"] == 1


async def test_messages_we_do_not_know_are_no_fault(tmp_path, server):
    stored = await run(tmp_path, server, *whole_call('{"event":"mark","mark":{"name":"x"}}', '{"event":"new"}'))

    assert "bad_messages" not in events(stored)[-1]["data"]["counts"]


async def test_digits_become_events(tmp_path, server):
    digit = json.dumps({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "5"}})
    stored = await run(tmp_path, server, *whole_call(digit))
    (event,) = [event for event in events(stored) if event["type"] == "dtmf.received"]

    assert (event["data"]["track"], event["data"]["digit"]) == ("inbound", "5")


async def test_a_message_that_is_too_large_ends_the_socket_not_the_server(tmp_path, server):
    async with bridge(settings(tmp_path, server.url)) as origin:
        async with connect(socket_url(origin)) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.send("x" * 1_100_000)
                await socket.recv()
        assert closed.value.rcvd.code == 1009
        await drained(origin)


async def test_a_socket_that_never_starts_is_closed(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_start_timeout=0.1)
    async with bridge(configured) as origin, connect(socket_url(origin)) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert closed.value.rcvd.code == 1008
    assert server.connections == []


async def test_a_socket_that_falls_silent_is_lost(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_idle_timeout=0.1)
    async with bridge(configured) as origin, connect(socket_url(origin)) as socket:
        await socket.send(frames.start())
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 60)
        await drained(origin)
    stored = await record(tmp_path, frames.CALL)

    assert events(stored)[-1]["data"]["reason"] == "carrier_silent"


async def test_a_socket_of_which_nothing_was_read_while_the_process_stood_still_is_not_silent(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_idle_timeout=2.0)
    async with bridge(configured) as origin, connect(socket_url(origin), compression=None) as socket:
        await socket.send(frames.start())
        await going_on(origin)
        frame = Frame(Opcode.TEXT, frames.media("inbound", 100, 2, bytes(160)).encode())
        with socket.transport.get_extra_info("socket").dup() as raw:
            raw.send(frame.serialize(mask=True))
        time.sleep(3.5)  # noqa: ASYNC251 - the loop stands still, and the bridge with it
        await socket.send(frames.stop())
        await drained(origin)
    stored = await record(tmp_path, frames.CALL)

    assert events(stored)[-1]["data"]["reason"] == "stopped"


async def test_a_socket_that_goes_on_sending_stays_open_for_many_times_as_long(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_idle_timeout=1.0)
    async with bridge(configured) as origin, connect(socket_url(origin)) as socket:
        await socket.send(frames.start())
        for place in range(120):  # 2.4 seconds, and never a pause that is near the bound
            await socket.send(frames.media("inbound", 100 + 20 * place, 2 + place, bytes(160)))
            await asyncio.sleep(0.02)
        assert socket.close_code is None
        await socket.send(frames.stop())
        await drained(origin)
    stored = await record(tmp_path, frames.CALL)

    assert events(stored)[-1]["data"]["reason"] == "stopped"


@pytest.mark.parametrize(
    "garbage",
    ["not json", '{"event":"mark"}', '{"event":"newer than we are"}', frames.media("inbound", 100, 2, b""), b"\x00"],
)
async def test_garbage_keeps_no_stream_alive(tmp_path, server, garbage):
    configured = settings(tmp_path, server.url, bridge_idle_timeout=0.2)
    async with bridge(configured) as origin, connect(socket_url(origin)) as socket:
        await socket.send(frames.start())
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(60):
                while True:
                    await socket.send(garbage)
                    await asyncio.sleep(0.01)
        await drained(origin)
    (ended,) = [event for event in events(await record(tmp_path, frames.CALL)) if event["type"] == "call.ended"]

    assert ended["data"]["reason"] == "carrier_silent"


async def test_the_socket_of_a_call_that_lasted_too_long_is_read_until_the_carrier_closes(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_max_duration=1)
    async with bridge(configured) as origin, connect(socket_url(origin)) as socket:
        for message in whole_call()[:500]:
            await socket.send(message)
        await going_on(origin)
        await drained(origin)
        await socket.send(frames.media("inbound", 99_000, 2, b"late"))
        assert socket.close_code is None
    stored = await record(tmp_path, frames.CALL)

    assert events(stored)[-1]["data"]["reason"] == "max_duration"


async def test_a_flood_of_keys_is_written_down_as_far_as_a_hand_can_press(tmp_path, server):
    keys = [json.dumps({"event": "dtmf", "dtmf": {"digit": "5"}})] * 3000
    stored = await run(tmp_path, server, *whole_call(*keys))
    counts = events(stored)[-1]["data"]["counts"]
    written = [event.type for event in stored].count("dtmf.received")

    assert written + counts["digits_dropped"] == 3000
    assert 100 < written < 300


async def test_pings_are_answered_and_are_no_messages(tmp_path, server):
    async with bridge(settings(tmp_path, server.url)) as origin, connect(socket_url(origin)) as socket:
        await socket.send(frames.start())
        await asyncio.wait_for(await socket.ping(b"here"), 60)
        await socket.pong()
        await socket.send(frames.stop())
        await drained(origin)
    stored = await record(tmp_path, frames.CALL)

    assert "bad_messages" not in events(stored)[-1]["data"]["counts"]


async def test_one_call_too_many_is_refused_with_a_reason(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_max_calls=1)
    async with bridge(configured) as origin, connect(socket_url(origin)) as socket:
        await socket.send(frames.start())
        await until(lambda: server.connections)
        with pytest.raises(InvalidStatus) as refused:
            await connect(socket_url(origin))

    assert refused.value.response.status_code == 503
    assert b"too many calls" in refused.value.response.body


async def test_sockets_that_do_not_start_take_the_places_of_calls_for_a_moment_only(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_max_calls=2)
    async with bridge(configured) as origin, connect(socket_url(origin)) as first, connect(socket_url(origin)):
        with pytest.raises(InvalidStatus) as refused:
            await connect(socket_url(origin))
        assert refused.value.response.status_code == 503
        async with asyncio.timeout(60):
            while True:  # until they have been silent for a second
                try:
                    new = await connect(socket_url(origin))
                    break
                except InvalidStatus:
                    await asyncio.sleep(0.05)
        await new.send(frames.start())
        await until(lambda: server.connections)
        with pytest.raises(ConnectionClosed) as closed:
            await first.recv()
        await new.close()

    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "no start message came")


async def test_what_comes_before_start_is_bounded(tmp_path, server):
    async with (
        bridge(settings(tmp_path, server.url)) as origin,
        connect(socket_url(origin), compression=None) as socket,
    ):
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(100):
                await socket.send(frames.media("inbound", 100, 2, b"x" * 30_000))
            await socket.recv()

    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "more than 1 MB came before start")
    assert server.connections == []


async def test_a_stream_that_has_started_waits_for_no_one(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_idle_connections=2)
    async with bridge(configured) as origin, connect(socket_url(origin), compression=None) as socket:
        await socket.send(frames.start())
        await until(lambda: server.connections)
        host, port = origin.removeprefix("http://").split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
        assert await asyncio.wait_for(idle[0][0].read(), 60) == b""
        await socket.send(frames.stop())
        await drained(origin)
        for _, writer in idle:
            writer.transport.abort()

    assert events(await record(tmp_path, frames.CALL))[-1]["data"]["reason"] == "stopped"


async def test_a_slash_at_the_end_of_the_path_is_taken(tmp_path, server):
    async with bridge(settings(tmp_path, server.url)) as origin, connect(socket_url(origin) + "/") as socket:
        await socket.send(frames.start())
        await until(lambda: server.connections)


async def test_a_full_bridge_lets_the_stream_in_that_a_call_waits_for(tmp_path, server):
    configured = settings(tmp_path, server.url, bridge_max_calls=1, bridge_grace=10.0)
    async with bridge(configured) as origin:
        async with connect(socket_url(origin), compression=None) as socket:
            await socket.send(frames.start())
            for message in frames.talk(*(track[:8000] for track in AUDIO)):
                await socket.send(message)
            await until(lambda: server.connections)
        async with asyncio.timeout(60):
            while True:  # until the loss is noticed
                try:
                    socket = await connect(socket_url(origin))
                    break
                except InvalidStatus:
                    await asyncio.sleep(0.01)
        await socket.send(frames.start(stream="MZ2"))
        await socket.send(frames.stop(stream="MZ2"))
        await drained(origin)
        await socket.close()

    assert [event["type"] for event in events(await record(tmp_path, frames.CALL))].count("call.ended") == 1


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


class TestSignature:
    @pytest.fixture
    def configured(self, tmp_path, server):
        return settings(
            tmp_path,
            server.url,
            twilio_signature="strict",
            twilio_auth_token=TWILIO_TOKEN,
            public_url="https://calls.example.com",
        )

    async def test_a_signed_upgrade_is_let_in(self, configured, server):
        signed = signature.sign_url(TWILIO_TOKEN, "wss://calls.example.com/media/twilio")
        async with bridge(configured) as origin:
            await play(origin, *whole_call(), headers={"x-twilio-signature": signed})
            await drained(origin)

        assert len(server.connections) == 1

    @pytest.mark.parametrize("header", [None, "bm9wZQ==", "wrong token"])
    async def test_any_other_is_refused_before_the_upgrade(self, configured, server, header):
        wrong = signature.sign_url("another token", "wss://calls.example.com/media/twilio")
        headers = {"x-twilio-signature": wrong if header == "wrong token" else header} if header else None
        async with bridge(configured) as origin:
            with pytest.raises(InvalidStatus) as refused:
                await connect(socket_url(origin), additional_headers=headers)

        assert refused.value.response.status_code == 403
        assert server.connections == []

    async def test_warn_lets_it_in_and_logs(self, configured, server, caplog):
        async with bridge(configured.model_copy(update={"twilio_signature": "warn"})) as origin:
            await play(origin, *whole_call())
            await drained(origin)

        assert len(server.connections) == 1
        assert "signature is not valid" in caplog.text

    async def test_a_token_of_the_call_is_let_in(self, configured, server):
        given = token.make(token_secret(configured), frames.CALL, 4e9)
        async with bridge(configured.model_copy(update={"twilio_signature": "off"})) as origin:
            await play(origin, *whole_call(parameters={"bridge.token": given}))
            await drained(origin)

        assert len(server.connections) == 1

    @pytest.mark.parametrize("given", ["forged", "wrong call", "expired"])
    async def test_a_bad_token_closes_the_socket_before_deepgram_is_asked(self, configured, server, given):
        secret = token_secret(configured)
        made = {
            "forged": token.make(b"guess", frames.CALL, 4e9),
            "wrong call": token.make(secret, "CA2", 4e9),
            "expired": token.make(secret, frames.CALL, 1.0),
        }[given]
        async with (
            bridge(configured.model_copy(update={"twilio_signature": "off"})) as origin,
            connect(socket_url(origin)) as socket,
        ):
            await socket.send(frames.start(parameters={"bridge.token": made}))
            await socket.send(frames.media("inbound", 100, 2, b"\x10" * 160))
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()

        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason == f"the stream's token is not valid: {given}"
        assert server.connections == []

    async def test_a_token_can_be_required(self, configured, server):
        strict = configured.model_copy(update={"twilio_signature": "off", "bridge_require_token": True})
        async with bridge(strict) as origin, connect(socket_url(origin)) as socket:
            await socket.send(frames.start())
            await socket.send(frames.media("inbound", 100, 2, b"\x10" * 160))
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()

        assert closed.value.rcvd.code == 1008
        assert server.connections == []

    async def test_a_call_that_was_answered_with_a_token_takes_no_stream_without_one(self, configured, server):
        unsigned = configured.model_copy(update={"twilio_signature": "off"})
        async with bridge(unsigned) as origin, aiohttp.ClientSession() as session:
            async with session.post(f"{origin}/twiml/voice", data={"CallSid": frames.CALL}) as response:
                assert "bridge.token" in await response.text()
            async with connect(socket_url(origin)) as socket:
                await socket.send(frames.start())
                with pytest.raises(ConnectionClosed) as closed:
                    for message in frames.talk(*AUDIO):  # as a carrier does, until it is told
                        await socket.send(message)
                        await asyncio.sleep(0)
                    await asyncio.wait_for(socket.recv(), 60)

        assert closed.value.rcvd.reason == "the streams of this call have a token"
        assert server.connections == []


async def test_only_a_start_may_be_large(tmp_path, server):
    messages = whole_call(parameters={"note": "ł" * 20_000})
    huge = frames.media("inbound", 100, 2, b"x" * 60_000)
    stored = await run(tmp_path, server, *messages[:50], huge, *messages[50:])

    assert words(stored, 0) == spoken(0)
    assert events(stored)[-1]["data"]["counts"]["bad_messages"] == 1


async def test_what_came_while_the_call_was_made_waits_for_no_further_message(tmp_path, server, aiohttp_server):
    async with SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, SystemClock()), max_calls=1)
        door = MediaHandlers(registry, [Mount(TWILIO, lambda request: None)], MediaPolicy())
        app = web.Application()
        app.add_routes(door.routes())
        host = await aiohttp_server(app)
        async with connect(f"ws://127.0.0.1:{host.port}{PATH}", compression=None) as socket:
            for message in whole_call()[:900]:  # nine seconds, and then nothing
                await socket.send(message)
            await (await socket.ping())  # answered once all that came before has been read
            await registry.recover()  # until then no call is made
            async with asyncio.timeout(60):
                while not server.connections or len(server.connections[0].audio) < len(AUDIO[0]):
                    await asyncio.sleep(0.01)
        await registry.end_all(10.0)


async def test_a_burst_of_one_track_leaves_the_other_tracks_stream_its_place(tmp_path, server, aiohttp_server):
    """As after a restart: both streams have sent two seconds before either can be taken."""
    async with SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, SystemClock()), max_calls=1)
        app = web.Application()
        app.add_routes(MediaHandlers(registry, [Mount(TWILIO, lambda request: None)], MediaPolicy()).routes())
        host = await aiohttp_server(app)
        async with AsyncExitStack() as stack:
            for number, track in enumerate(("inbound", "outbound")):
                url = f"ws://127.0.0.1:{host.port}{PATH}"
                socket = await stack.enter_async_context(connect(url, compression=None))
                await socket.send(frames.start(stream=f"MZ{number}", tracks=[track]))
                for message in frames.talk(*AUDIO):
                    if f'"track": "{track}"' in message and '"timestamp": "2100"' not in message:
                        await socket.send(message)
                    elif '"timestamp": "2100"' in message:
                        break
                await (await socket.ping())
            await registry.recover()
            await until(lambda: server.connections and len(server.connections[0].audio) >= 2 * 8000 * 1.9)
        await registry.end_all(10.0)
    heard = bytes(server.connections[0].audio)

    for channel in range(2):
        pieces = [AUDIO[channel][at : at + 80] for at in range(0, 12000, 80)]
        lost = [piece for piece in pieces if piece not in heard[channel::2]]
        # By the clock the streams began as far apart as a busy machine has put them: a frame may be cut to fit.
        assert len(lost) <= 3


async def serve(registry, aiohttp_server):
    """A registry's media sockets, at a port of their own."""
    media = MediaHandlers(registry, [Mount(TWILIO, lambda request: None)], MediaPolicy())
    app = web.Application()
    app.add_routes(media.routes())
    return media, await aiohttp_server(app)


async def test_the_carriers_are_waited_for_to_close_their_sockets(tmp_path, server, aiohttp_server):
    async with SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, SystemClock()), max_calls=1)
        await registry.recover()
        media, host = await serve(registry, aiohttp_server)
        await media.wait_closed(60.0)
        async with connect(f"ws://127.0.0.1:{host.port}{PATH}", compression=None) as socket:
            await socket.send(frames.start())
            await media.wait_closed(0.01)
            assert media.open == 1
            waiting = asyncio.create_task(media.wait_closed(60.0))
        await waiting
        assert media.open == 0
        await registry.end_all(10.0)


async def test_the_socket_of_a_call_that_another_process_has_is_closed_at_once(tmp_path, server, aiohttp_server):
    async with SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, SystemClock()), max_calls=1)
        await registry.recover()
        media, host = await serve(registry, aiohttp_server)
        async with connect(f"ws://127.0.0.1:{host.port}{PATH}", compression=None) as socket:
            for message in whole_call()[:50]:
                await socket.send(message)
            await until(lambda: registry.calls and registry.calls[frames.CALL].streams)
            registry.calls[frames.CALL].end("bridge_restarted")
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(60):
                    while True:  # a carrier goes on sending
                        await socket.send(frames.media("inbound", 99_000, 999, b"more"))
                        await asyncio.sleep(0.02)
            assert (socket.close_code, socket.close_reason) == (1013, "the call goes on at another process")
        await registry.end_all(10.0)
