"""One connection against servers that misbehave, below what a poster makes of it."""

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from bridge.answer import AnswerReader
from bridge.delivery.address import parse_address
from bridge.delivery.connection import Connection, Resolver, Unreachable, connect
from bridge.egress import DIRECT, Proxy, Route
from bridge.failure import Failure
from bridge.guard import Guard
from tests.fakes.http import read_request, server

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


async def open_to(url: str, on_free: Callable[[Connection], None]) -> Connection:
    address = parse_address(url)
    return await connect(address, DIRECT, on_free, Resolver(address.host, address.port), Guard())


async def test_the_head_is_told_before_the_body_is_there() -> None:
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await go_on.wait()
        writer.write(b"ok")
        await reader.read()

    free: list[Connection] = []
    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, free.append)
        answer = await connection.exchange(REQUEST, 60.0)
        assert (answer.status, free) == (200, [])
        go_on.set()
        while not free:
            await asyncio.sleep(0.001)
        assert free == [connection]
        connection.abort()
        await connection.closed


async def test_a_body_that_takes_too_long_costs_the_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await reader.read()

    free: list[Connection] = []
    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, free.append)
        await connection.exchange(REQUEST, 0.01)
        await connection.closed
    assert free == []


async def test_an_idle_connection_is_closed_in_time_unless_it_is_used() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda connection: connection.close_after(0.0))
        for _ in range(3):
            answer: AnswerReader = await connection.exchange(REQUEST, 60.0)
            assert answer.status == 204
        await connection.closed
        with pytest.raises(Unreachable) as unreachable:
            await connection.exchange(REQUEST, 60.0)
        assert unreachable.value.why == Failure("reset")


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_request_that_is_given_up_costs_the_connection() -> None:
    async with server(silence) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        exchange = asyncio.ensure_future(connection.exchange(REQUEST, 60.0))
        await asyncio.sleep(0)
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange
        await connection.closed


async def test_a_head_that_takes_too_long_is_told_as_far_as_it_is_there() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Le")
        await reader.read()

    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        answer = await connection.exchange(REQUEST, 0.01)
        assert (answer.status, answer.field("retry-after")) == (429, "7")
        await connection.closed


async def test_patience_is_for_what_follows_the_status_line() -> None:
    async with server(silence) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        exchange = asyncio.ensure_future(connection.exchange(REQUEST, 0.0))
        await asyncio.sleep(0)
        connection.data_received(b"HTTP/1.1 2")
        await asyncio.sleep(0.001)
        connection.data_received(b"00 OK\r\n\r\n")
        assert (await exchange).status == 200
        await connection.closed


@pytest.mark.parametrize(
    ("answer", "request_body"),
    [
        (b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 20_000_000),  # that is not read any more
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, 0),  # and no end of it
    ],
    ids=["answered early", "endless"],
)
async def test_a_connection_that_cannot_be_kept_is_cut_at_once(answer: bytes, request_body: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await gone.wait()

    gone = asyncio.Event()
    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % request_body
        await connection.exchange(head + bytes(request_body), 60.0)
        await connection.closed
        gone.set()


async def test_what_is_no_answer_costs_the_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"500 what is this?\r\n")
        await reader.read()

    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        with pytest.raises(Unreachable) as unreachable:
            await connection.exchange(REQUEST, 60.0)
        assert unreachable.value.why == Failure("protocol")
        await connection.closed


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection as soon as something comes."""
    await reader.read(1)
    lingering = struct.pack("ii", 1, 0)  # not at all
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
    writer.transport.abort()


async def test_a_connection_that_is_cut_says_how() -> None:
    async with server(cut) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        with pytest.raises(Unreachable) as unreachable:
            await connection.exchange(REQUEST, 60.0)
        assert unreachable.value.why == Failure("reset", "ECONNRESET")


async def test_a_connection_that_is_cut_before_it_is_secure_says_so() -> None:
    async with server(cut) as url, asyncio.timeout(60):
        with pytest.raises(Unreachable) as unreachable:
            await open_to(url.replace("http:", "https:"), lambda _: None)
        assert unreachable.value.why.kind == "tls"


async def test_a_proxy_that_cuts_the_connection_says_how() -> None:
    async with server(cut) as url, asyncio.timeout(60):
        proxy = parse_address(url)
        route = Route(Proxy(proxy.host, proxy.port, url))
        with pytest.raises(Unreachable) as unreachable:
            await connect(
                parse_address("https://hook.invalid/"), route, lambda _: None, Resolver(proxy.host, proxy.port), Guard()
            )
        assert unreachable.value.why == Failure("proxy", "ECONNRESET")


async def test_patience_ends_with_the_answer() -> None:
    free: list[Connection] = []
    async with server(silence) as url, asyncio.timeout(60):
        connection = await open_to(url, free.append)
        exchange = asyncio.ensure_future(connection.exchange(REQUEST, 0.0))
        await asyncio.sleep(0.001)
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        connection.data_received(b"ok")
        assert (await exchange).status == 200
        await asyncio.sleep(0.001)
        assert free == [connection] and not connection.closed.done()
        connection.abort()
        await connection.closed


async def test_a_kept_connection_is_cut_as_soon_when_a_body_takes_too_long() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await reader.read()

    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda connection: connection.close_after(60.0))
        assert (await connection.exchange(REQUEST, 60.0)).status == 204
        assert (await connection.exchange(REQUEST, 0.01)).status == 200
        await connection.closed


async def test_the_last_word_on_when_an_idle_connection_is_closed_counts() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with server(script) as url, asyncio.timeout(60):
        connection = await open_to(url, lambda _: None)
        connection.close_after(0.0)
        connection.close_after(60.0)
        answer = await connection.exchange(REQUEST, 60.0)
        assert answer.status == 204
        connection.abort()
        await connection.closed


async def test_a_host_that_can_have_no_address() -> None:
    with pytest.raises(Unreachable) as unreachable:
        await open_to(f"http://{'a' * 64}.invalid/", lambda _: None)
    assert unreachable.value.why.kind == "dns"


async def test_addresses_are_looked_up_every_half_minute() -> None:
    resolver = Resolver("127.0.0.1", 1)
    first = await resolver.addresses(100.0)

    assert await resolver.addresses(129.9) is first
    again = await resolver.addresses(130.0)
    assert again == first and again is not first


async def test_addresses_that_lead_nowhere_are_looked_up_again() -> None:
    now = asyncio.get_running_loop().time()
    resolver = Resolver("127.0.0.1", 1)
    first = await resolver.addresses(now)
    with pytest.raises(Unreachable):
        await connect(parse_address("http://127.0.0.1:1/"), DIRECT, lambda _: None, resolver, Guard())
    again = await resolver.addresses(now)

    assert again == first and again is not first
