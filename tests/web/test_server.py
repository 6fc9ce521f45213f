"""Deadlines and bounds on real sockets, with handlers that a test writes."""

import asyncio
import contextlib
import logging
import socket
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from bridge.errors import ConfigError
from bridge.logs import quote_no_request
from bridge.web import server
from bridge.web.server import (
    Connections,
    enough_for_calls,
    file_limit,
    highest_file_limit,
    listen,
    raise_file_limit,
    read_in_time,
    wait_for,
    work,
)

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(request):
    return web.Response(body=await request.read())


async def hold(request):
    wait_for(request, 60.0)
    await request.app[HELD].wait()
    work(request)
    await request.app[FREED].wait()
    return web.Response()


HELD = web.AppKey("held", asyncio.Event)
FREED = web.AppKey("freed", asyncio.Event)


def application():
    app = web.Application(client_max_size=1000, middlewares=[read_in_time])
    app[HELD], app[FREED] = asyncio.Event(), asyncio.Event()
    app.add_routes([web.get("/echo", echo), web.post("/echo", echo), web.get("/hold", hold)])
    return app


@contextlib.asynccontextmanager
async def serving(of_one_address=100, files=1000, app=None):
    """Yields the bounds, the application and the port."""
    connections, app = Connections(of_one_address, files), app or application()
    async with AsyncExitStack() as stack:
        site = await listen(stack, app, connections, "127.0.0.1", 0)
        yield connections, app, int(site.name.rpartition(":")[2])


@contextlib.asynccontextmanager
async def connected(port, sent=b"", count=1):
    """Yields the readers and writers of so many connections."""
    async with AsyncExitStack() as stack:
        ends = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.transport.abort)
            writer.write(sent)
            ends.append((reader, writer))
        yield ends


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def ended(reader):
    """Everything up to the end of the connection."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 5)
    return b""


@pytest.fixture(autouse=True)
def filtered():
    """As in the server's own log."""
    logger = logging.getLogger("aiohttp.server")
    logger.addFilter(quote_no_request)
    yield
    logger.removeFilter(quote_no_request)


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("sent", [b"", b"GET /echo HTTP/1.1\r\nX: ", b"\r\n"])
async def test_a_head_that_does_not_come_in_time_is_waited_for_no_more(monkeypatch, caplog, sent):
    monkeypatch.setattr(server, "HEAD", 0.05)
    async with serving() as (connections, _, port), connected(port, sent) as [(reader, _)]:
        assert await ended(reader) == b""
        assert (connections.counters["timed_out"], len(connections.idle), len(connections.open)) == (1, 0, 0)
    assert errors(caplog) == []


async def test_a_further_head_has_the_same_time_from_its_first_octet_on(monkeypatch):
    monkeypatch.setattr(server, "HEAD", 0.05)
    async with serving() as (connections, _, port), connected(port, GET) as [(reader, writer)]:
        assert b"200" in await reader.readline()
        await until(lambda: len(connections.idle) == 1)
        await asyncio.sleep(0.1)  # longer than a head may take
        assert connections.counters["timed_out"] == 0
        writer.write(GET)
        await reader.readuntil(b"HTTP/1.1 200")
        writer.write(b"GET")
        await ended(reader)
        assert connections.counters["timed_out"] == 1


async def test_a_connection_that_no_one_uses_is_kept_for_a_while_only(monkeypatch):
    monkeypatch.setattr(server, "BETWEEN", 0.05)
    async with serving() as (connections, _, port), connected(port, GET) as [(reader, _)]:
        assert b"200" in await ended(reader)
        assert connections.counters["timed_out"] == 1


async def test_a_body_that_does_not_come_in_time_is_refused(monkeypatch, caplog):
    monkeypatch.setattr(server, "BODY", 0.05)
    monkeypatch.setattr(server, "_LINGERING", 0.05)
    async with serving() as (connections, _, port), connected(port, POST + b"half") as [(reader, _)]:
        assert b" 408 " in await ended(reader)
        await until(lambda: not connections.open)
    assert errors(caplog) == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (POST.replace(b"10", b"1001") + b"x" * 1001, b"413"),
        (POST.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked") + b"zz\r\n", b"400"),
        (POST.replace(b"Host", b"Content-Encoding: deflate\r\nHost") + b"0123456789", b"400"),
        (POST + b"0123456789", b"200"),
        (POST.replace(b"/echo", b"/none") + b"0123456789", b"404"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_no_error_of_ours(caplog, sent, status):
    async with serving() as (_, _, port), connected(port, sent) as [(reader, _)]:
        assert status in await asyncio.wait_for(reader.readline(), 5)
    assert errors(caplog) == []


async def test_a_client_that_leaves_in_its_body_is_no_error_of_ours(caplog):
    async with serving() as (connections, _, port):
        async with connected(port, POST + b"half"):
            await until(lambda: len(connections.idle) == 1)
        await until(lambda: not connections.open)
    assert errors(caplog) == []


@pytest.mark.parametrize("sent", [b"", b"GET /ec", POST])
async def test_of_too_many_that_wait_the_oldest_give_way_and_a_request_is_answered(caplog, sent):
    async with serving(of_one_address=5) as (connections, _, port), connected(port, sent, count=20) as ends:
        await until(lambda: connections.counters["gave_way"] == 15)
        assert [await ended(reader) for reader, _ in ends[:15]] == [b""] * 15
        assert len(connections.idle) == len(connections.open) == 5
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/echo") as response:
            assert response.status == 200
    (first, *_) = [vars(record) for record in caplog.records if record.name == "bridge.connections"]
    assert (first["address"], first["levelname"]) == ("127.0.0.1", "WARNING")
    assert "BRIDGE_IDLE_CONNECTIONS" in first["remedy"]
    assert errors(caplog) == []


async def test_the_files_bound_those_of_all_addresses():
    async with serving(of_one_address=100, files=20) as (connections, _, port), connected(port, count=9):
        await until(lambda: connections.counters["gave_way"] == 4)


async def test_a_handler_may_wait_for_its_peer_and_gives_way_only_then():
    held = GET.replace(b"echo", b"hold")
    async with serving(of_one_address=2) as (connections, app, port), connected(port, held, count=3) as ends:
        await until(lambda: connections.counters["gave_way"] == 1)
        app[HELD].set()
        await until(lambda: len(connections.idle) == 0)
        async with connected(port, count=2):
            await until(lambda: len(connections.idle) == 2)
        app[FREED].set()
        lines = [await reader.readline() for reader, _ in ends]
        assert sorted(lines) == [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n"]


SCAN = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\nX: \xff\x00\r\n\r\n",
    b"\x00\x01\x02\r\n\r\n",
    b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    GET + b"garbage\r\n\r\n",
]


@pytest.mark.parametrize("sent", SCAN)
async def test_what_scanners_send_is_no_error_of_ours(caplog, sent):
    async with serving() as (connections, _, port), connected(port, sent) as [(reader, writer)]:
        writer.write_eof()
        await ended(reader)
        await until(lambda: not connections.open)
    assert errors(caplog) == []


async def test_what_cannot_be_read_is_not_quoted_in_the_answer():
    sent = b"GET /?token=a-secret HTTP/9\r\nHost: x\r\n\r\n"
    async with serving() as (_, _, port), connected(port, sent) as [(reader, _)]:
        answer = await reader.read()

    assert answer.split()[1] == b"400"
    assert b"a-secret" not in answer


async def test_the_unspecified_address_hears_both_protocols():
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    async with AsyncExitStack() as stack:
        site = await listen(stack, application(), Connections(9, 99), "::", 0)
        port = int(site.name.rpartition(":")[2])
        assert site.name == f"http://127.0.0.1:{port}"
        for host in ("127.0.0.1", "[::1]"):
            async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/echo") as response:
                assert response.status == 200


async def test_an_address_that_is_taken_is_said_to_be():
    async with serving() as (_, _, port), AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}"):
            await listen(stack, application(), Connections(9, 99), "127.0.0.1", port)


@pytest.fixture
def limits():
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised(limits, caplog):
    before = file_limit()
    limits(before - 1)
    raise_file_limit(1)

    assert file_limit() >= before
    assert caplog.records == []
    raise_file_limit(10**9)
    assert vars(caplog.records[0])["enough_for_calls"] < 10**9


def test_what_may_be_open_once_the_limit_is_raised():
    assert highest_file_limit() >= file_limit()
    assert enough_for_calls(1000) == 150
    assert enough_for_calls(3) == 0


async def test_two_that_know_of_each_other_share_an_address_and_a_further_one_does_not():
    async def may() -> bool:
        return True

    async def may_not() -> bool:
        return False

    async with serving() as (_, _, port), AsyncExitStack() as stack:
        site = await listen(stack, application(), Connections(9, 99), "127.0.0.1", port, may)
        assert site.name == f"http://127.0.0.1:{port}"
        with pytest.raises(ConfigError, match="cannot listen"):
            await listen(stack, application(), Connections(9, 99), "127.0.0.1", port, may_not)


async def test_where_others_are_to_listen_no_one_is_asked():
    async with serving() as (_, _, port), AsyncExitStack() as stack:
        site = await listen(stack, application(), Connections(9, 99), "127.0.0.1", port, shared=True)
        assert site.name == f"http://127.0.0.1:{port}"


async def test_the_setting_that_says_where_is_named():
    async with serving() as (_, _, port), AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match="; set BRIDGE_METRICS to another one, or end what has it"):
            await listen(stack, application(), Connections(9, 99), "127.0.0.1", port, setting="BRIDGE_METRICS")
