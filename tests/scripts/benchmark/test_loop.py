"""Sockets are served until a moment, and not after they were removed."""

import select
import socket
from time import monotonic

import pytest

from scripts.benchmark.loop import Loop

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="the benchmark runs on Linux only")


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def pair():
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_what_can_be_read_is_served(loop, pair):
    here, there = pair
    got = []
    loop.add(here, lambda: got.append(here.recv(10)))

    loop.serve()
    there.send(b"octets")
    loop.serve()

    assert got == [b"octets"]


def test_serving_ends_when_it_is_due(loop, pair):
    here, there = pair
    got = []
    loop.add(here, lambda: got.append(here.recv(10)))
    there.send(b"octets")
    due = monotonic() + 0.002

    loop.serve_until(due)

    assert got == [b"octets"]
    assert monotonic() >= due


def test_a_moment_that_has_passed(loop):
    loop.serve_until(monotonic() - 1.0)


def test_a_socket_may_be_removed_by_the_one_before(loop, pair):
    here, there = pair
    served = []

    def remove_both():
        served.append(1)
        loop.remove(here)
        loop.remove(there)

    for end in pair:
        loop.add(end, remove_both)
        end.send(b"octets")
    loop.serve()

    assert served == [1]
