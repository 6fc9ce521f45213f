"""One connection against servers that misbehave, below what a poster makes of it."""

import asyncio
from collections.abc import Callable

import pytest

from bridge.answer import AnswerReader
from bridge.delivery.address import parse_address
from bridge.delivery.connection import Connection, Resolver, Unreachable, connect
from bridge.egress import DIRECT
from bridge.failure import Failure
from tests.fakes.http import read_request, server

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


async def open_to(url: str, on_free: Callable[[Connection], None]) -> Connection:
    address = parse_address(url)
    return await connect(address, DIRECT, on_free, Resolver(address.host, address.port))


async def test_the_head_is_told_before_the_body_is_there() -> None:
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await go_on.wait()
        writer.write(b"ok")
        await reader.read()

    free: list[Connection] = []
    async with server(script) as url, asyncio.timeout(10):
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
    async with server(script) as url, asyncio.timeout(10):
        connection = await open_to(url, free.append)
        await connection.exchange(REQUEST, 0.01)
        await connection.closed
    assert free == []


async def test_an_idle_connection_is_closed_in_time_unless_it_is_used() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with server(script) as url, asyncio.timeout(10):
        connection = await open_to(url, lambda connection: connection.close_after(0.0))
        for _ in range(3):
            answer: AnswerReader = await connection.exchange(REQUEST, 60.0)
            assert answer.status == 204
        await connection.closed
        with pytest.raises(Unreachable) as unreachable:
            await connection.exchange(REQUEST, 60.0)
        assert unreachable.value.why == Failure("reset")


async def test_a_host_that_can_have_no_address() -> None:
    with pytest.raises(Unreachable) as unreachable:
        await open_to(f"http://{'a' * 64}.invalid/", lambda _: None)
    assert unreachable.value.why.kind == "dns"


async def test_addresses_are_looked_up_once_until_they_lead_nowhere() -> None:
    resolver = Resolver("127.0.0.1", 1)
    first = await resolver.addresses()
    assert await resolver.addresses() is first
    with pytest.raises(Unreachable):
        await connect(parse_address("http://127.0.0.1:1/"), DIRECT, lambda _: None, resolver)
    assert await resolver.addresses() is not first
