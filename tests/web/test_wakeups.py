"""Low-water marks on real sockets: what the kernel says of them, and what it tells the loop."""

import asyncio
import socket
import sys
import time

import pytest

from bridge.carriers.messages import Media
from bridge.web.wakeups import Wakeups
from tests.fakes.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no such marks")

FRAME = 390


class Reads(asyncio.Protocol):
    """What came, read by read."""

    def __init__(self):
        self.reads = []
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.reads.append(len(data))


@pytest.fixture
async def pair():
    """A protocol that reads, and the socket that writes to it."""
    reads = Reads()
    server = await asyncio.get_running_loop().create_server(lambda: reads, "127.0.0.1", 0)
    async with server:
        with socket.create_connection(server.sockets[0].getsockname()) as writing:
            writing.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await until(lambda: reads.transport)
            yield reads, writing
            reads.transport.abort()


def mark(reads):
    return reads.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


@pytest.fixture
async def known(pair):
    """A mark on the socket of `pair`, of a stream whose frames have been read long enough."""
    now, all_of_them = asyncio.get_running_loop().time(), Wakeups()
    wakeup = all_of_them.open(pair[0].transport)
    for step in range(24):
        wakeup.read(FRAME, [Media("inbound", 20 * step, None, b"\x10" * 160)], 3, now + 0.02 * step)
    yield wakeup
    wakeup.close()


async def test_the_kernel_has_the_mark_and_wakes_for_the_frame_that_reaches_it(pair, known):
    reads, writing = pair
    assert mark(reads) == round(2.5 * FRAME)

    for _ in range(3):
        writing.send(bytes(FRAME))
        await asyncio.sleep(0)
    await until(lambda: reads.reads)

    assert reads.reads == [3 * FRAME]


async def test_what_is_late_is_read_after_all(pair, known):
    reads, writing = pair
    writing.send(bytes(FRAME))
    await until(lambda: mark(reads) == 1)
    await until(lambda: reads.reads)

    assert reads.reads == [FRAME]


async def test_the_end_of_a_stream_is_seen_at_once(pair, known):
    known.late_at = float("inf")
    reads, writing = pair
    writing.send(bytes(FRAME))
    writing.shutdown(socket.SHUT_WR)
    await until(lambda: reads.transport.is_closing())

    assert reads.reads == [FRAME]


async def test_a_mark_that_is_given_up_lets_everything_through(pair, known):
    known.give_up()
    reads, writing = pair
    writing.send(b"x")
    await until(lambda: reads.reads)

    assert reads.reads == [1]


async def test_what_the_process_itself_is_late_is_no_mark_s_fault(pair, known):
    time.sleep(0.08)  # noqa: ASYNC251 - the loop is to stand still
    await until(lambda: known._wakeups.lag >= 0.05)
    await until(lambda: known._wakeups.lag < 0.003)


async def test_no_timer_runs_while_no_socket_is_open(pair):
    all_of_them = Wakeups()
    wakeup = all_of_them.open(pair[0].transport)
    assert all_of_them.sweeping
    wakeup.close()
    await until(lambda: not all_of_them.sweeping)


def test_where_there_is_nothing_to_mark_there_is_no_mark():
    assert Wakeups().open(None) is None


async def test_a_socket_that_is_closed_already_has_no_mark(pair):
    pair[0].transport.close()

    assert Wakeups().open(pair[0].transport) is None


async def test_what_is_encrypted_is_not_counted(pair):
    class Encrypted:
        def is_closing(self):
            return False

        def get_extra_info(self, name):
            return object() if name == "sslcontext" else pair[0].transport.get_extra_info(name)

    assert Wakeups().open(Encrypted()) is None
