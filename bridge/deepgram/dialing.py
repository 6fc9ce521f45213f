"""A socket to Deepgram through a proxy, for `websockets` to go on with.

`websockets` can ask a proxy itself, but of one that hangs up it leaves a traceback in the log at every try.
"""

import asyncio
import socket
from urllib.parse import urlsplit

import aiohappyeyeballs

from bridge.egress import Proxy
from bridge.failure import Failure, failure
from bridge.tunnel import Tunnel

_READ = 4_096
_NEXT_ADDRESS = 0.25  # seconds after which the next address of the proxy is tried beside the one before
_PORTS = {"ws": 80, "wss": 443}


class ProxyFailed(Exception):
    """No way through the proxy."""

    def __init__(self, why: Failure) -> None:
        super().__init__(str(why))
        self.why = why


async def dial(url: str, proxy: Proxy) -> socket.socket:
    """A connection to where a `ws://` or `wss://` URL leads. Raises ProxyFailed."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        return await _dial(Tunnel(proxy, host, parts.port or _PORTS[parts.scheme]), proxy)
    except OSError as error:
        raise ProxyFailed(failure(error, "proxy")) from None


async def _dial(tunnel: Tunnel, proxy: Proxy) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    stream = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1)
    try:
        await loop.sock_sendall(stream, tunnel.request)
        while not tunnel.ended:
            tunnel.receive(await loop.sock_recv(stream, _READ))
        if tunnel.failure:
            raise ProxyFailed(tunnel.failure)
    except BaseException:
        stream.close()
        raise
    return stream
