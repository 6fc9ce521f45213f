"""The way through a proxy, against proxies that fail."""

import asyncio

import pytest

from bridge.deepgram.dialing import ProxyFailed, dial
from bridge.egress import Egress
from tests.fakes.http import server
from tests.fakes.proxy import Proxy


def proxy_at(url):
    return Egress({"ALL_PROXY": url}).route("https://deepgram.invalid").proxy


async def fail(octets, caplog):
    """What is told of a proxy that answers with these octets and closes."""

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(octets)

    async with server(script) as url:
        with pytest.raises(ProxyFailed) as failed:
            await dial("wss://deepgram.invalid/v1/listen", proxy_at(url))
    assert not caplog.records
    return str(failed.value.why)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "proxy (reset)"),
        (b"HTTP/1.1 20", "proxy (reset)"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "proxy (protocol)"),
        (b"HTTP/1.1 407 Who?\r\nConnection: close\r\n\r\n", "proxy (status 407)"),
    ],
)
async def test_a_proxy_that_hangs_up_leaves_no_trace_but_its_failure(octets, why, caplog):
    assert await fail(octets, caplog) == why


async def test_a_proxy_whose_name_is_unknown():
    with pytest.raises(ProxyFailed) as failed:
        await dial("wss://deepgram.invalid", proxy_at("http://proxy.invalid:1"))
    assert str(failed.value.why) == "proxy (dns)"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("ws://deepgram.invalid/v1?x", "deepgram.invalid:80"),
        ("wss://deepgram.invalid/", "deepgram.invalid:443"),
        ("wss://deepgram.invalid:8443", "deepgram.invalid:8443"),
        ("ws://bücher.invalid", "xn--bcher-kva.invalid:80"),
    ],
)
async def test_where_to_is_asked_for(url, asked):
    async def there(reader, writer):
        writer.write(b"here")
        await writer.drain()
        await reader.read()

    async with server(there) as place:
        port = int(place.rstrip("/").rpartition(":")[2])
        async with Proxy({"deepgram.invalid": port, "xn--bcher-kva.invalid": port}) as proxy:
            stream = await dial(url, proxy_at(proxy.url))
            with stream:
                assert await asyncio.get_running_loop().sock_recv(stream, 4) == b"here"
    assert proxy.asked == [("CONNECT", asked)]
