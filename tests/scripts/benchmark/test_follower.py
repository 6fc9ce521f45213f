"""A reader that takes everything, and notices if it is refused."""

import socket

import pytest

from scripts.benchmark.follower import Follower
from scripts.benchmark.loop import Loop
from scripts.benchmark.peers import Broken


@pytest.fixture
def served():
    """A loop with a follower, and its connection's other end."""
    loop = Loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Follower(loop, listening.getsockname()[1], "secret")
        stream, _ = listening.accept()
        with stream:
            yield loop, stream
    loop.close()


def test_it_asks_for_the_feed_and_takes_what_comes(served):
    loop, stream = served
    request = stream.recv(1000)
    for part in (b"HTTP/1.1 200 OK\r\n", b"\r\nevent: x\n\n", b"event: y\n\n"):
        stream.sendall(part)
        loop.serve()
    stream.close()
    loop.serve()

    assert request.startswith(b"GET /calls/live ") and b"Authorization: Bearer secret" in request


def test_a_refusal_breaks_the_measurement(served):
    loop, stream = served
    stream.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")

    with pytest.raises(Broken, match="refused a reader"):
        loop.serve()
