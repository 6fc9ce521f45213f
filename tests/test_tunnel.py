"""A proxy's answers to CONNECT, whole and octet by octet."""

import pytest

from bridge.egress import Proxy
from bridge.failure import Failure
from bridge.tunnel import Tunnel

PROXY = Proxy("proxy", 3128, "http://me:s3cret@proxy:3128", "Basic bWU6czNjcmV0")


def test_what_is_asked() -> None:
    assert Tunnel(PROXY, "hook.example", 443).request == (
        b"CONNECT hook.example:443 HTTP/1.1\r\nHost: hook.example:443\r\n"
        b"Proxy-Authorization: Basic bWU6czNjcmV0\r\n\r\n"
    )
    assert Tunnel(Proxy("proxy", 1, ""), "::1", 80).request == b"CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", None),
        (b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 407 Who?\r\n", Failure("proxy", "status 407")),
        (b"HTTP/1.1 302 Log in\r\nLocation: /s3cret\r\n\r\n", Failure("proxy", "status 302")),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Failure("proxy", "protocol")),
        (b"", Failure("proxy", "reset")),
        (b"HTTP/1.1 200 OK\r\nX", Failure("proxy", "reset")),
    ],
)
def test_what_it_answers(answer: bytes, why: Failure | None, size: int) -> None:
    tunnel = Tunnel(PROXY, "hook.example", 443)
    for start in range(0, len(answer), size):
        if not tunnel.ended:
            tunnel.receive(answer[start : start + size])
    if not tunnel.ended:
        tunnel.receive(b"")
    assert (tunnel.is_open, tunnel.failure) == (why is None, why)
