"""Requests, upgrades, certificates and names, each against a real server on loopback."""

import asyncio
import ssl
import time

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.doctor.judging.network import Answer, Lifetime
from bridge.doctor.measuring import http
from bridge.egress import Proxy as Named
from bridge.egress import Route
from bridge.failure import Failure
from bridge.guard import Guard
from tests.fakes import certificates
from tests.fakes.http import server
from tests.fakes.proxy import Proxy

NO_TLS = [Failure("tls", reason) for reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")]
"""As OpenSSL 3.0 says it, and as later ones do."""

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
AT = 784111777.0


def saying(answer):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return script


async def silent(reader, writer):
    await reader.read()


async def test_an_answer_is_told_as_far_as_it_matters():
    answer = (
        b"HTTP/1.1 302 Found\r\nDate: " + DATE.encode() + b"\r\nLocation: https://else.example/x?token=secret\r\n"
        b"Content-Type: Text/HTML; charset=x\r\nngrok-error-code: ERR_NGROK_3200\r\nContent-Length: 2\r\n\r\nhi"
    )
    async with server(saying(answer)) as url:
        told = await http.ask(url, headers={"Authorization": "Token x"}, wall=lambda: AT + 10.5)

    assert told == Answer(302, "text/html", b"hi", "https://else.example", "ERR_NGROK_3200", 10.0)


@pytest.mark.parametrize(
    ("lines", "location", "skew", "code"),
    [
        (b"", None, None, ""),
        (b"Date: yesterday\r\nLocation: http://[\r\nngrok-error-code: a b\r\n", None, None, ""),
        (b"Location: /there\r\n", "http://127.0.0.1:{port}", None, ""),
    ],
)
async def test_what_an_answer_does_not_tell_is_not_known(lines, location, skew, code):
    async with server(saying(b"HTTP/1.1 301 Moved\r\n" + lines + b"Content-Length: 0\r\n\r\n")) as url:
        told = await http.ask(url)
        port = url.rpartition(":")[2].strip("/")

    assert (told.location, told.skew, told.error_code) == (location and location.format(port=port), skew, code)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (saying(b"SSH-2.0-OpenSSH\r\n\r\n"), "protocol"),
        (saying(b""), "reset"),
        (saying(b"HTTP/1.1 200"), "reset"),
        (silent, "timeout"),
    ],
)
async def test_no_sensible_answer_is_a_failure(script, why):
    async with server(script) as url:
        assert (await http.ask(url, patience=0.2)).kind == why
        assert (await http.upgrade(url.replace("http", "ws"), patience=0.2)).kind == why


async def test_half_a_body_is_no_answer():
    async with server(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")) as url:
        assert await http.ask(url) == Failure("reset")


async def test_nothing_that_listens_is_a_failure():
    assert await http.ask("http://127.0.0.1:1/") == Failure("connect", "ECONNREFUSED")
    assert await http.upgrade("ws://127.0.0.1:1/") == Failure("connect", "ECONNREFUSED")
    assert await http.certificate("https://127.0.0.1:1/") == Failure("connect", "ECONNREFUSED")
    assert await http.connection("http://127.0.0.1:1/") == Failure("connect", "ECONNREFUSED")


@pytest.mark.parametrize("measure", [http.connection, http.certificate])
async def test_no_address_is_dialled_where_no_webhook_may_be(measure):
    for url, why in (("http://169.254.169.254/", "link-local"), ("https://[fd00:ec2::254]:1/", "metadata")):
        assert await measure(url, patience=0.5) == Failure("blocked", why)
    async with server(silent) as url:
        assert await measure(url, guard=Guard(own=False)) == Failure("blocked", "loopback")


async def test_a_way_there_is_enough_where_nothing_is_to_be_said():
    async with server(silent) as url:
        assert await http.connection(url) is None


async def test_an_upgrade_is_its_status():
    async def socket(request):
        if request.headers.get("X-Name") != "value":
            raise web.HTTPForbidden
        taken = web.WebSocketResponse()
        await taken.prepare(request)
        await taken.receive()
        return taken

    app = web.Application()
    app.add_routes([web.get("/", socket)])
    async with TestServer(app) as there:
        url = f"ws://127.0.0.1:{there.port}/"
        assert await http.upgrade(url, headers={"X-Name": "value"}) == 101
        assert await http.upgrade(url) == 403


async def test_a_switch_to_something_else_is_no_upgrade():
    async with server(saying(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")) as url:
        assert (await http.upgrade(url.replace("http", "ws"), patience=0.5)).kind == "protocol"


@pytest.mark.parametrize(
    ("serves", "trusts", "host", "why"),
    [
        (certificates.EXPIRED, certificates.EXPIRED, "localhost", "certificate expired"),
        (certificates.OTHER, None, "localhost", "self-signed certificate"),
        (certificates.OTHER, certificates.OTHER, "localhost", "hostname mismatch"),
        (certificates.OTHER, certificates.OTHER, "127.0.0.1", "address mismatch"),
        (None, None, "localhost", "unknown issuer"),
    ],
)
async def test_a_certificate_that_is_not_trusted_says_why(serves, trusts, host, why):
    shown = certificates.serving(serves) if serves else certificates.serving()
    route = Route(None, certificates.trusting(trusts) if trusts else ssl.create_default_context())
    async with server(silent, shown) as url:
        there = url.replace("127.0.0.1", host)
        assert await http.certificate(there, route) == Failure("tls", why)
        assert await http.ask(there, route) == Failure("tls", why)


async def test_a_certificate_that_is_trusted_says_until_when():
    route = Route(None, certificates.trusting())
    async with server(silent, certificates.serving()) as url:
        found = await http.certificate(url, route)
        assert found.begins < time.time() and found.ends > time.time() + 86_400 * 365


async def test_a_certificate_is_looked_at_through_a_proxy_too():
    async with server(silent, certificates.serving()) as url:
        port = int(url.rpartition(":")[2].strip("/"))
        async with Proxy({"hook.invalid": port}) as proxy:
            route = Route(Named("127.0.0.1", proxy.port, proxy.url), certificates.trusting())
            assert isinstance(await http.certificate("https://hook.invalid/", route), Lifetime)
            assert proxy.asked == [("CONNECT", "hook.invalid:443")]
        async with Proxy(refuse=407) as proxy:
            route = Route(Named("127.0.0.1", proxy.port, proxy.url), certificates.trusting())
            assert await http.certificate("https://hook.invalid/", route) == Failure("proxy", "status 407")


async def test_what_speaks_no_tls_has_no_certificate():
    async def script(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with server(script) as url:
        assert await http.certificate(url.replace("http", "https")) in NO_TLS


async def test_a_handshake_that_hangs_is_given_up():
    async with server(silent) as url:
        assert await http.certificate(url.replace("http", "https"), patience=0.1) == Failure("timeout")


async def test_names_have_addresses():
    assert "127.0.0.1" in await http.addresses("localhost")
    assert await http.addresses("10.1.2.3") == ("10.1.2.3",)
    assert (await http.addresses("nowhere.invalid")).kind in ("dns", "timeout")
    assert await http.addresses("a" * 64 + ".example") == Failure("dns")


async def test_a_look_that_is_given_up_leaves_nothing_open():
    came = asyncio.Event()

    async def script(reader, writer):
        came.set()
        await reader.read()
        await reader.read()

    async with server(script) as url:
        task = asyncio.create_task(http.certificate(url.replace("http", "https")))
        await came.wait()
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


@pytest.mark.parametrize("certificate", [certificates.EXPIRED, certificates.OTHER])
async def test_whether_a_port_speaks_tls_with_whatever_certificate(certificate):
    async with server(silent, certificates.serving(certificate)) as url:
        assert await http.speaks_tls(url.replace("https", "http"))


async def test_a_port_that_speaks_no_tls():
    async with server(saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")) as url:
        assert not await http.speaks_tls(url, patience=0.2)
    assert not await http.speaks_tls("http://127.0.0.1:1")
