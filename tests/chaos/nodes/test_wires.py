"""What passes on between two ends, can be cut, and can hold its breath; and which node a balancer sends to."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.chaos.nodes.wires import Balancer, Wire


@pytest.fixture
async def echo():
    """Says everything once more; its port."""

    async def serve(reader, writer):
        while octets := await reader.read(100):
            writer.write(octets)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def wire(echo):
    async with Wire(lambda _: asyncio.open_connection("127.0.0.1", echo)) as wire:
        yield wire


async def test_it_passes_on_up_to_the_end(wire):
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"well")
    assert await reader.readexactly(4) == b"well"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_what_is_cut_breaks_and_refuses(wire):
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"well")
    await reader.readexactly(4)
    wire.cut()
    assert await ended(reader)
    later, other = await asyncio.open_connection("127.0.0.1", wire.port)
    assert await ended(later)
    wire.mend()
    reader, last = await asyncio.open_connection("127.0.0.1", wire.port)
    last.write(b"again")
    assert await reader.readexactly(5) == b"again"
    for one in (writer, other, last):
        one.close()


async def ended(reader):
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_what_is_held_comes_later(wire):
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    wire.hold()
    writer.write(b"late")
    reading = asyncio.create_task(reader.readexactly(4))
    held = asyncio.create_task(asyncio.open_connection("127.0.0.1", wire.port))
    other, another = await held
    another.write(b"later")
    assert not reading.done()
    wire.mend()
    assert await reading == b"late"
    assert await other.readexactly(5) == b"later"
    for one in (writer, another):
        one.close()


async def test_a_balancer_sends_to_nodes_that_are_ready():
    ready = [True, True, True]

    def node(number):
        async def answer(request):
            if request.path == "/readyz":
                return web.Response(status=200 if ready[number] else 503)
            return web.Response(text=str(number))

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        return TestServer(app, host="127.0.0.1")

    nodes = [node(number) for number in range(3)]
    for one in nodes:
        await one.start_server()
    try:
        async with Balancer([one.port for one in nodes]) as balancer:
            looked = asyncio.Event()
            balancer.looked = looked.set
            await looked.wait()
            assert [await arrives(balancer) for _ in range(4)] == [0, 1, 2, 0]
            ready[1] = False
            async with asyncio.timeout(10):
                while balancer.ready[1]:
                    looked.clear()
                    await looked.wait()
            assert [await arrives(balancer) for _ in range(3)] == [2, 0, 2]
    finally:
        for one in nodes:
            await one.close()


async def arrives(balancer):
    """At which node a request arrives, which the balancer knows as well."""
    reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    said = await reader.read()
    assert int(said[-1:]) == balancer.node_of(writer.get_extra_info("sockname")[1])
    writer.close()
    return int(said[-1:])
