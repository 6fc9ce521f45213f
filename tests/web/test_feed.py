"""Streams to readers over real sockets: history, then live; cut and resumed; slow, late and gone readers."""

import asyncio
import json
import random

import aiohttp
import pytest
from yarl import URL

from bridge.web.feed import FeedPolicy
from tests.fakes import words
from tests.fakes.reading import BEARER, Stream, doors, reader, stream
from tests.fakes.waiting import tasks_of, until

EVENTS = "/calls/CA1/events"
LAST = "Last-Event-ID"
RESTLESS = {"pulse": 0.02, "policy": FeedPolicy(silence=0.0)}
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture
async def place(request, tmp_path):
    async with doors(tmp_path, **getattr(request, "param", {})) as running:
        await running.store.append([words.started(), words.final(seq=2)])
        yield running


@pytest.fixture
async def session(place):
    async with reader(place) as somebody:
        yield somebody


async def test_history_then_live_then_the_end(place, session):
    async with stream(session, EVENTS) as told:
        assert await told.seqs(2) == [1, 2]
        await place.store.append([], [words.interim(segment_id="s3", text="goo")])
        interim = await told.message()
        assert (interim["event"], interim["data"]["data"]["text"], "id" in interim) == (
            "transcript.interim",
            "goo",
            False,
        )
        await place.store.append([words.final(seq=3, segment_id="s3", text="good")])
        final = await told.message()
        assert (final["event"], final["id"], final["data"]["seq"]) == ("transcript.final", "3", 3)
        await place.store.append([words.ended(seq=4)])
        assert [message["event"] for message in await told.until("end")] == ["call.ended", "end"]
        assert await told.message() is None


async def test_the_events_are_those_of_the_webhook(place, session):
    async with stream(session, EVENTS) as told:
        assert (await told.message())["data"] == json.loads(words.started().to_json())


async def test_headers_that_keep_proxies_from_waiting(session):
    async with stream(session, EVENTS) as told:
        assert told.response.headers["X-Accel-Buffering"] == "no"
        assert told.response.headers["Cache-Control"] == "no-store"
        assert (await told.response.content.readline()).startswith(b"retry: ")


@pytest.mark.parametrize(
    ("path", "last"), [("?after=1", {}), ("", {"Last-Event-ID": "1"}), ("?after=9", {"Last-Event-ID": "1"})]
)
async def test_resuming(session, path, last):
    async with stream(session, EVENTS + path, **last) as told:
        assert await told.seqs(1) == [2]


@pytest.mark.parametrize(("path", "headers"), [("?after=x", {}), ("?after=-1", {}), ("", {"Last-Event-ID": "CA1:1"})])
async def test_a_bad_cursor_is_refused(session, path, headers):
    async with session.get(EVENTS + path, headers={"Accept": "text/event-stream", **headers}) as response:
        assert response.status == 400
        assert (await response.json())["error"]


async def test_a_cursor_of_another_record_is_told(session):
    async with stream(session, f"{EVENTS}?after=50") as told:
        assert (await told.message())["event"] == "reset"
        assert await told.seqs(2) == [1, 2]


async def test_who_has_everything_of_an_ended_call_is_told_to_stop(place, session):
    await place.store.append([words.ended(seq=3)])
    async with session.get(f"{EVENTS}?after=3", headers={"Accept": "text/event-stream"}) as response:
        assert response.status == 204
    async with stream(session, f"{EVENTS}?after=2") as told:
        assert [message["event"] for message in await told.until("end")] == ["call.ended", "end"]


async def test_there_is_no_such_call(session):
    async with session.get("/calls/nobody/events", headers={"Accept": "text/event-stream"}) as response:
        assert response.status == 404


async def test_only_some_types(place, session):
    async with stream(session, f"{EVENTS}?types=call.started,call.ended") as told:
        await place.store.append([words.final(seq=3), words.ended(seq=4)], [words.interim()])
        assert [message["event"] for message in await told.until("end")] == ["call.started", "call.ended", "end"]


@pytest.mark.parametrize("place", [RESTLESS], indirect=True)
async def test_a_silent_line_shows_that_it_is_alive(place, session):
    async with stream(session, f"{EVENTS}?types=call.ended") as told:
        lines = [await told.response.content.readline() for _ in range(10)]
        assert lines.count(b": alive\n") == 3


async def test_all_calls(place, session):
    await place.store.append(words.conversation("CA0"))
    async with stream(session, "/calls/live") as told:
        first = await told.message()
        assert (first["event"], first["data"]["call_id"], "id" in first) == ("call.started", "CA1", False)
        assert await told.response.content.readline() == b"id: 7\n"  # where to go on, should nothing come by then
        await place.store.append([words.started("CA2")])
        await place.store.append([words.final("CA1", 3)])
        started, final = await told.message(), await told.message()
        assert (started["data"]["call_id"], final["data"]["call_id"], final["data"]["seq"]) == ("CA2", "CA1", 3)
    async with stream(session, "/calls/live", **{"Last-Event-ID": started["id"]}) as told:
        assert (await told.message())["data"] == final["data"]


async def test_all_calls_are_for_readers_only(place, session):
    async with session.post("/calls/CA1/links") as response:
        link = (await response.json())["token"]
    async with reader(place, Accept="text/event-stream") as stranger:
        async with stranger.get(f"/calls/live?access={link}") as response:
            assert response.status == 401
        async with stranger.get(f"{EVENTS}?access={link}") as response:
            assert response.status == 200


async def test_cut_and_resumed_at_random_nothing_is_missed_or_repeated(place, session):
    chance, count = random.Random(7), 400

    async def speak():
        for seq in range(3, count):
            await place.store.append([words.final(seq=seq, segment_id=f"s{seq}")])
            await place.store.append([], [words.interim(segment_id=f"s{seq + 1}", revision=seq)])
            await asyncio.sleep(0.001)
        await place.store.append([words.ended(seq=count)])

    speaking = asyncio.ensure_future(speak())
    seen, last, cuts, ended = [], "", 0, False
    while not ended:
        after = {LAST: last} if last else {}
        async with session.get(EVENTS, headers={"Accept": "text/event-stream", **after}) as response:
            told, ended = Stream(response), response.status == 204
            for _ in range(chance.randrange(1, 7)):
                message = await told.message()
                if message is None or message["event"] == "end":
                    ended = True
                    break
                if "id" in message:
                    seen.append(message["data"]["id"])
                    last = message["id"]
        cuts += 1
    await speaking
    assert cuts >= 100
    assert seen == [f"CA1-{seq}" for seq in range(1, count + 1)]


async def test_all_calls_cut_and_resumed_at_random(place, session):
    chance, calls = random.Random(8), [f"CB{number}" for number in range(20)]
    async with stream(session, "/calls/live") as told:
        last, seen = "0", []

        async def speak():
            for call_id in calls:
                await place.store.append([words.started(call_id)])
            for seq in range(2, 12):
                for call_id in calls:
                    await place.store.append([words.final(call_id, seq)])

        speaking = asyncio.ensure_future(speak())
    while len(seen) < 20 * 11 + 2:
        async with stream(session, "/calls/live", **{"Last-Event-ID": last}) as told:
            for _ in range(chance.randrange(1, 12)):
                if len(seen) == 20 * 11 + 2:
                    break
                message = await told.message()
                seen.append((message["data"]["call_id"], message["data"]["seq"]))
                last = message["id"]
    await speaking
    assert len(set(seen)) == len(seen)
    for call_id in calls:
        assert [seq for name, seq in seen if name == call_id] == list(range(1, 12))


@pytest.mark.parametrize("place", [{"policy": FeedPolicy(stall=0.2)}], indirect=True)
async def test_a_reader_who_takes_nothing_is_cut_off_and_harms_nobody(place, session):
    host, port = place.origin.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    fields = {"Host": "x", "Accept": "text/event-stream", **BEARER}
    head = f"GET {EVENTS} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.transport.pause_reading()
    writer.write(f"{head}\r\n".encode())
    await until(lambda: place.live.followers == 1)
    async with stream(session, EVENTS) as told:
        assert await told.seqs(2) == [1, 2]
        big = "so it goes " * 5000
        for seq in range(3, 403):
            await place.store.append([words.final(seq=seq, text=big)])
            assert await told.seqs(1) == [seq]
            if place.live.followers == 1:
                break
        await until(lambda: place.live.followers == 1)
    writer.transport.abort()


@pytest.mark.parametrize("place", [RESTLESS], indirect=True)
async def test_readers_who_leave_are_forgotten(place, session):
    async with stream(session, EVENTS) as told:
        await told.seqs(2)
        assert place.live.followers == 1
        told.response.close()
    await until(lambda: place.live.followers == 0)


async def test_stopping_ends_the_streams_without_an_end(place, session):
    async with stream(session, EVENTS) as told:
        await told.seqs(2)
        place.live.close()
        assert await told.message() is None  # so that an EventSource comes back


# --- WebSocket ------------------------------------------------------------------------------------------------------


async def test_the_same_over_a_websocket(place, session):
    async with session.ws_connect(f"{EVENTS}?after=1") as socket:
        assert (await socket.receive_json())["seq"] == 2
        await place.store.append([], [words.interim(segment_id="s3")])
        assert (await socket.receive_json())["type"] == "transcript.interim"
        await place.store.append([words.final(seq=3, segment_id="s3"), words.ended(seq=4)])
        assert [(await socket.receive_json())["seq"] for _ in range(2)] == [3, 4]
        closed = await socket.receive()
        assert (closed.type, closed.data, closed.extra) == (aiohttp.WSMsgType.CLOSE, 1000, "call ended")


async def test_all_calls_over_a_websocket(place, session):
    async with session.ws_connect("/calls/live?types=call.started") as socket:
        assert (await socket.receive_json())["call_id"] == "CA1"
        await place.store.append([words.final(seq=3)])
        await place.store.append([words.started("CA2")])
        assert (await socket.receive_json())["call_id"] == "CA2"


async def test_a_websocket_may_talk_and_leave(place, session):
    async with session.ws_connect(EVENTS) as socket:
        await socket.receive_json()
        await socket.send_str("hello?")
        await place.store.append([words.final(seq=3)])
        assert [(await socket.receive_json())["seq"] for _ in range(2)] == [2, 3]
    await until(lambda: place.live.followers == 0)


async def test_a_websocket_is_told_of_a_restart(place, session):
    async with session.ws_connect(f"{EVENTS}?after=2") as socket:
        await until(lambda: place.live.followers == 1)
        place.live.close()
        assert (await socket.receive()).data == aiohttp.WSCloseCode.SERVICE_RESTART


async def test_other_sites_cannot_open_a_websocket_with_our_cookie(place):
    async with reader(place, Accept="*/*") as page:
        async with page.post("/login", json={"token": BEARER["Authorization"].split()[1]}) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await page.ws_connect(EVENTS, origin="http://evil.example")
        async with page.ws_connect(EVENTS, origin=place.origin) as socket:
            assert (await socket.receive_json())["seq"] == 1


@pytest.mark.parametrize("path", ["/calls/live", "/calls/CA1/events"])
async def test_a_head_has_no_stream_behind_it(place, session, path):
    await place.store.append([words.started()])
    url = URL(place.origin)
    reading, writing = await asyncio.open_connection(url.host, url.port)
    headers = f"Host: bridge\r\nAccept: text/event-stream\r\nAuthorization: {BEARER['Authorization']}\r\n"
    writing.write(f"HEAD {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
    async with asyncio.timeout(60):
        head, _, body = (await reading.read()).partition(b"\r\n\r\n")
    writing.close()
    assert head.startswith(b"HTTP/1.1 200") and body == b""


async def test_a_cursor_of_thousands_of_digits_is_refused(session):
    headers = {"Last-Event-ID": "9" * 5000}
    async with session.get("/calls/live", headers=headers) as response:
        assert response.status == 400


@pytest.mark.parametrize("head", ["Accept: text/event-stream\r\n", UPGRADE], ids=["events", "socket"])
async def test_who_leaves_before_the_answer_is_no_error(place, head, caplog):
    request = f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n{head}\r\n"
    for pause in range(40):
        _, writer = await asyncio.open_connection("127.0.0.1", URL(place.origin).port)
        writer.write(request.encode())
        await asyncio.sleep(pause / 20_000)
        writer.transport.abort()
    await until(lambda: not tasks_of("RequestHandler"))

    assert [record for record in caplog.records if record.exc_info] == []
