"""The open socket: threads, order, timers that really fire, pace, and the faults that only a socket can show."""

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Frame, Opcode

from bridge.audio import interleave, silence
from bridge.local.deepgram import Faults, Limits, LocalDeepgram
from bridge.local.deepgram.messages import NET_0000, NET_0001
from bridge.local.recognition import Heard, Listening, result
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.spans import Span
from tests.fakes.waiting import TICK
from tests.fakes.websocket import upgrade

SCRIPT = random_script(3, 4)
AUDIO = interleave(*encode(SCRIPT, 4.0))
LISTEN = "/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&interim_results=true"
KEY = {"Authorization": "Token key"}
CLOSE_STREAM = '{"type":"CloseStream"}'


def server(**options: Any) -> LocalDeepgram:
    return LocalDeepgram(CodedRecognizers(SCRIPT), **options)


def dial(server: LocalDeepgram, **options: Any) -> connect:
    return connect(server.url + LISTEN, additional_headers=KEY, **options)


class Slow:
    """A recognizer that works only when it is let, in whatever thread, and says when it was fed."""

    def __init__(self, channel: int, breaker: threading.Event, threads: set[int]) -> None:
        self._channel, self._breaker, self._threads = channel, breaker, threads
        self._octets = 0

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        assert self._breaker.wait(5)
        self._threads.add(threading.get_ident())
        start, self._octets = self._octets, self._octets + len(mulaw)
        return (result(self._channel, Span(start, self._octets), (), is_final=True),)

    def flush(self) -> Sequence[Heard]:
        return ()


async def test_slow_recognizers_work_in_threads_and_the_order_is_kept():
    breaker, threads = threading.Event(), set[int]()

    def make(channel: int, listening: Listening) -> Slow:
        return Slow(channel, breaker, threads)

    async with LocalDeepgram(make) as local, dial(local) as ws:
        for _ in range(20):
            await ws.send(silence(320))
        await ws.send(CLOSE_STREAM)
        # The loop is free although the recognizer is not done with the first message.
        async with dial(local):
            assert local.connections[0].session.duration <= 0.02
        breaker.set()
        messages = [json.loads(message) async for message in ws]
    assert threading.get_ident() not in threads
    assert messages[-1]["type"] == "Metadata"
    for channel in (0, 1):
        starts = [m["start"] for m in messages[:-1] if m["channel_index"][0] == channel]
        assert starts == [round(0.02 * k, 6) for k in range(20)]


async def test_quick_recognizers_work_right_here():
    async with server() as local, dial(local) as ws:
        before = threading.active_count()
        await ws.send(AUDIO)
        await ws.send(CLOSE_STREAM)
        assert len([message async for message in ws]) > 3
        assert threading.active_count() == before


async def test_a_recognizer_that_fails_ends_its_connection_and_no_other(caplog):
    class Failing(Slow):
        def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
            raise RuntimeError("no model")

    threads = set[int]()
    async with (
        LocalDeepgram(lambda channel, _: Failing(channel, threading.Event(), threads)) as local,
        dial(local) as other,
    ):
        async with dial(local) as ws:
            await ws.send(silence(320))
            with pytest.raises(ConnectionClosedError):
                await asyncio.wait_for(ws.recv(), 60)
        await asyncio.wait_for(await other.ping(), 60)
    assert "no model" in caplog.text


async def test_net_0001_really_comes_and_pings_do_not_hold_it_off():
    async with server(limits=Limits(no_input=0.3)) as local, dial(local) as ws:
        await ws.send(silence(320))
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(await ws.ping(), 60)
                await asyncio.sleep(0.02)
        assert (ws.close_code, ws.close_reason) == (1011, NET_0001)


async def test_net_0001_comes_too_when_recognizers_work_in_threads():
    breaker = threading.Event()

    def make(channel: int, listening: Listening) -> Slow:
        return Slow(channel, breaker, set())

    async with LocalDeepgram(make, limits=Limits(no_input=0.2)) as local, dial(local) as ws:
        await ws.send(silence(320))
        # Longer than the limit: this time is not the client's silence.
        await asyncio.sleep(0.3)
        breaker.set()
        assert json.loads(await asyncio.wait_for(ws.recv(), 60))["type"] == "Results"
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(ws.recv(), 60)
        assert ws.close_reason == NET_0001


async def test_keep_alives_hold_it_off():
    async with server(limits=Limits(no_input=0.25)) as local, dial(local) as ws:
        await ws.send(silence(320))
        for _ in range(5):
            await asyncio.sleep(0.1)
            await ws.send('{"type":"KeepAlive"}')
        await ws.send(CLOSE_STREAM)
        assert json.loads([message async for message in ws][-1])["type"] == "Metadata"


async def test_drop_after_so_much_audio():
    async with server(faults=Faults(drop_after=1.0)) as local, dial(local) as ws:
        await ws.send(AUDIO[:16000])
        with pytest.raises(ConnectionClosedError) as closed:
            while True:
                await asyncio.wait_for(ws.recv(), 60)
        assert closed.value.rcvd is None
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)


async def test_close_with_1011_after_so_much_audio():
    async with server(faults=Faults(close_after=1.0)) as local, dial(local) as ws:
        await ws.send(AUDIO[:16000])
        with pytest.raises(ConnectionClosedError):
            while True:
                await asyncio.wait_for(ws.recv(), 60)
        assert (ws.close_code, ws.close_reason) == (1011, NET_0000)


async def test_stop_reading_after_so_much_audio():
    async with server(faults=Faults(stop_reading_after=1.0)) as local, dial(local, close_timeout=0.1) as ws:
        connection = await local.connection(0)
        for _ in range(10):
            await ws.send(AUDIO[:16000])
        await asyncio.wait_for(ws.recv(), 60)
        async with dial(local):
            pass
        assert connection.audio == AUDIO[:16000]
        connection.drop()
        await asyncio.wait_for(connection.ended.wait(), 60)


async def test_a_socket_that_is_never_closed_is_closed_by_the_client():
    async with server(faults=Faults(close=False)) as local:
        async with dial(local) as ws:
            await ws.send(CLOSE_STREAM)
            assert json.loads(await asyncio.wait_for(ws.recv(), 60))["type"] == "Metadata"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ws.recv(), 0.1)
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)


# The closing handshake


async def test_the_server_waits_for_the_clients_close():
    """Until it comes TCP stays open and pings are answered, and audio is skipped."""

    def frame(opcode: Opcode, data: bytes) -> bytes:
        return Frame(opcode, data).serialize(mask=True)

    async with server(notices=True) as local:
        reader, writer = await asyncio.open_connection("127.0.0.1", local.port)
        writer.write(upgrade(LISTEN) + frame(Opcode.TEXT, CLOSE_STREAM.encode()))
        await reader.readuntil(b"\x88\x02\x03\xe8")
        connection = local.connections[0]
        writer.write(frame(Opcode.BINARY, silence(320)) + frame(Opcode.PING, b"there?"))
        assert await reader.readexactly(8) == b"\x8a\x06there?"
        assert not connection.ended.is_set()
        writer.write(frame(Opcode.CLOSE, b"\x03\xe8"))
        assert await reader.read() == b""
        await connection.ended.wait()
        assert (connection.close_code, connection.audio) == (1000, b"")
        writer.close()


async def test_the_server_does_not_wait_for_ever():
    async with server(limits=Limits(goodbye=0.1)) as local, aiohttp.ClientSession() as http:
        ws = await http.ws_connect(local.url + LISTEN, headers=KEY, autoclose=False)
        await ws.send_str(CLOSE_STREAM)
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)
        assert local.connections[0].close_code == 1006


@pytest.mark.parametrize(("code", "remembered"), [(1000, 1000), (1001, 1001), (4001, 4001)])
async def test_the_code_of_a_client_that_closes_is_remembered_and_answered(code, remembered):
    async with server() as local, dial(local) as ws:
        await ws.send(silence(320))
        await ws.close(code)
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)
        assert local.connections[0].close_code == remembered
        assert ws.close_code == code


async def test_the_servers_own_code_is_remembered_when_the_client_has_answered_it():
    async with server(faults=Faults(close_after=1.0, close_code=4000)) as local, dial(local) as ws:
        await ws.send(AUDIO[:16000])
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)
        assert local.connections[0].close_code == 4000


async def test_a_client_that_just_goes_has_no_code():
    async with server() as local:
        ws = await dial(local)
        ws.transport.write_eof()
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)
        assert local.connections[0].close_code == 1006


async def test_what_is_no_websocket_is_closed_with_what_is_wrong():
    async with server() as local, dial(local) as ws:
        ws.transport.write(b"\x83\x80\x00\x00\x00\x00")  # an opcode that there is not
        await asyncio.wait_for(local.connections[0].ended.wait(), 60)
        await ws.wait_closed()
        assert ws.close_code == 1002


async def test_results_that_come_late():
    async with server(faults=Faults(delay=0.2)) as local, dial(local) as ws:
        connection = await local.connection(0)
        await ws.send(AUDIO)
        await ws.send(CLOSE_STREAM)
        messages = [json.loads(message) async for message in ws]
        assert messages[-1]["type"] == "Metadata"
        assert connection.sent[0][0] - connection.arrivals[0][0] >= 0.2 - TICK


async def test_a_client_that_reads_nothing_before_it_has_said_all_gets_everything():
    """More answers than may wait: the server stops reading until some have gone."""
    texts = [f'{{"type":"Finalize{number}"}}' for number in range(3000)]
    async with server() as local, dial(local, max_queue=None) as ws:
        for text in texts:
            await ws.send(text)
        await ws.send(CLOSE_STREAM)
        answers = [json.loads(message) async for message in ws]
    assert [answer["message"] for answer in answers[:-1]] == texts


async def test_a_client_that_leaves_unread_answers_behind_is_let_go():
    """The server is stuck with what it has to say when the client goes."""
    async with server() as local:
        ws = await dial(local, max_queue=1)
        connection = await local.connection(0)
        with pytest.raises(TimeoutError):
            while True:
                await asyncio.wait_for(ws.send("x" * 8000), 0.3)
        ws.transport.abort()
        await asyncio.wait_for(connection.ended.wait(), 60)


async def test_audio_that_comes_too_fast_is_warned_of_once(caplog):
    async with server() as local, dial(local) as ws:
        await ws.send(AUDIO)
        await ws.send(AUDIO)
        await ws.send(CLOSE_STREAM)
        assert [message async for message in ws]
        assert local.connections[0].session.too_fast == 2
    warnings = [record.message for record in caplog.records]
    assert warnings.count("audio comes faster than the service allows") == 1
