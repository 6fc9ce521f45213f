"""One POST against servers that misbehave; and what must never be done on their word."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.delivery.lane import Answered, Outcome
from bridge.delivery.poster import Poster, Timeouts
from bridge.egress import Egress, Route
from bridge.errors import ConfigError
from bridge.failure import Failure
from tests.fakes import certificates
from tests.fakes.http import Script, read_request, server
from tests.fakes.proxy import Proxy

USUAL = Timeouts(body=0.05)
BRIEF = Timeouts(connect=5.0, total=0.2)  # where no answer is going to come


@asynccontextmanager
async def posting(script: Script, timeouts: Timeouts = USUAL) -> AsyncIterator[Poster]:
    async with server(script) as url, Poster(url, timeouts) as poster:
        yield poster


async def post(poster: Poster, body: bytes = b"{}") -> Outcome:
    return await poster.post(body, {"webhook-id": "x"}, 1_800_000_000.0)


def answering(*answers: bytes) -> Script:
    """One answer after the other on each connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return script


async def test_what_is_sent() -> None:
    requests = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n")
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with posting(script) as poster:
        assert await post(poster, b'{"a":1}') == Answered(204)
        assert await post(poster, b'{"a":2}') == Answered(204)
    head, body = requests[0].split(b"\r\n\r\n")
    assert body == b'{"a":1}'
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert b"\r\nAccept-Encoding: identity\r\n" in head
    names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert names == {
        b"host",
        b"content-type",
        b"user-agent",
        b"accept-encoding",
        b"accept",
        b"content-length",
        b"webhook-id",
    }
    assert b"cookie" not in requests[1].lower()


@pytest.mark.parametrize(("status", "location"), [(299, None), (300, "b"), (399, "b"), (400, None)])
async def test_only_a_redirect_has_a_location(status: int, location: str | None) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: https://b/c\r\nContent-Length: 0\r\n\r\n"
    async with posting(answering(answer.encode())) as poster:
        assert await post(poster) == Answered(status, None, location)


def test_the_usual_timeouts() -> None:
    assert Timeouts() == Timeouts(connect=5.0, total=15.0, body=1.0, interim=5.0)


@pytest.mark.parametrize(
    ("line", "media_type"),
    [("Content-Type: Text/HTML; charset=utf-8", "text/html"), ("Content-Type:", None), ("X-Other: 1", None)],
)
async def test_the_kind_of_an_answers_body(line: str, media_type: str | None) -> None:
    answer = f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 0\r\n\r\n".encode()
    async with server(answering(answer)) as url, Poster(url) as poster:
        assert await post(poster) == Answered(200, media_type=media_type)


async def test_retry_after_and_location() -> None:
    answer = (
        b"HTTP/1.1 %b\r\nRetry-After: 7\r\nLocation: https://user:pass@evil.example/t?x\r\nContent-Length: 0\r\n\r\n"
    )
    async with posting(answering(answer % b"302 Found", answer % b"429 Slow Down")) as poster:
        assert await post(poster) == Answered(302, 7.0, "evil.example")
        assert await post(poster) == Answered(429, 7.0, None)


async def test_an_endless_body_is_not_read_to_its_end() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 500 Oops\r\n\r\n")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()
            sent += 10_000

    async with posting(script, Timeouts(body=60.0)) as poster:
        assert await post(poster) == Answered(500)
    assert sent < 20_000_000, "what fits into the buffers of two sockets, no more"


async def test_a_slow_body_holds_nobody_up() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await asyncio.sleep(0.01)

    async with posting(script, Timeouts(total=60.0, body=0.05)) as poster:
        start = time.perf_counter()
        assert await post(poster) == Answered(200), "its status has said everything"
        assert time.perf_counter() - start < 5.0


async def test_a_compressed_body_is_not_unpacked() -> None:
    bomb = b"HTTP/1.1 500 Oops\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnogz"
    async with posting(answering(bomb)) as poster:
        assert await post(poster) == Answered(500)


async def test_a_connection_is_kept_where_the_body_was_read() -> None:
    connections = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(*[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"] * 5)(reader, writer)

    async with posting(script) as poster:
        assert [await post(poster) for _ in range(5)] == [Answered(200)] * 5
    assert connections == 1


async def test_a_kept_connection_that_was_just_closed_costs_no_retry() -> None:
    requests = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await read_request(reader)  # and away without a word
        requests += 1

    async with posting(script) as poster:
        assert await post(poster) == Answered(200)
        assert await post(poster) == Answered(200)
    assert requests == 1


async def test_a_new_connection_that_is_closed_is_left_to_the_schedule() -> None:
    requests = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1

    async with posting(script) as poster:
        assert await post(poster) == Failure("reset")
    assert requests == 1


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (silence, "timeout"),
        (hang_up, "reset"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "protocol"),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
        (answering(b"HTTP/1.1 20"), "timeout"),
    ],
)
async def test_what_is_no_answer(script: Script, reason: str) -> None:
    async with posting(script, BRIEF if reason == "timeout" else USUAL) as poster:
        assert await post(poster) == Failure(reason)  # type: ignore[arg-type]


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with Poster(f"http://127.0.0.1:{taken.getsockname()[1]}/", USUAL) as poster:
            assert await post(poster) == Failure("connect", "ECONNREFUSED")


async def test_no_tls_there() -> None:
    async with server(silence) as url, Poster(url.replace("http:", "https:"), BRIEF) as poster:
        assert await post(poster) == Failure("timeout")

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with server(plain) as url, Poster(url.replace("http:", "https:"), USUAL) as poster:
        outcome = await post(poster)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "tls"


async def test_a_name_that_does_not_exist() -> None:
    async with Poster("http://nowhere.invalid/", Timeouts(connect=5.0, total=5.0)) as poster:
        assert await post(poster) in (Failure("dns"), Failure("timeout"))


@pytest.mark.parametrize("url", ["", "ftp://example.com/", "/hook", "https://me:pw@example.com/"])
def test_a_url_that_nothing_can_be_posted_to(url: str) -> None:
    with pytest.raises(ConfigError, match="the webhook's URL"):
        Poster(url)


# --- odd answers ----------------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

ODD = [
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000,
    b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: never ends",
    b"HTTP/1.1 200 OK\r\n",
]


@pytest.mark.parametrize("answer", ODD)
async def test_a_2xx_is_a_2xx_and_the_next_post_gets_its_own(answer: bytes) -> None:
    requests = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await read_request(reader):
            requests += 1
            writer.write(answer)

    async with posting(script, Timeouts(total=10.0, body=0.05)) as poster:
        for _ in range(3):
            outcome = await post(poster)
            assert isinstance(outcome, Answered) and outcome.status in (200, 204)
    assert requests == 3


async def test_an_answer_that_is_cut_off_after_its_status_line_counts() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")

    async with posting(script) as poster:
        assert await post(poster) == Answered(200)


async def test_a_refusal_before_the_whole_request_is_read_counts() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await reader.read(1)

    async with posting(script, Timeouts(total=10.0)) as poster:
        assert await post(poster, b"x" * 20_000_000) == Answered(413)
        assert await post(poster, b"x" * 20_000_000) == Answered(413), "on another connection"


async def test_what_comes_late_of_an_answer_is_not_taken_for_the_next() -> None:
    """A body that the head did not announce, after the next POST has gone out on the same connection."""
    requests = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        if requests == 1:
            await read_request(reader)
            writer.write(b"okHTTP/1.1 500 Oops\r\n\r\n")
        await reader.read()

    async with posting(script, Timeouts(total=10.0)) as poster:
        assert [await post(poster), await post(poster)] == [Answered(204), Answered(204)]
    assert requests == 2


async def test_an_idle_connection_that_speaks_is_closed() -> None:
    seen = asyncio.Event()
    connections = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        if connections == 1:
            await asyncio.sleep(0.01)
            writer.write(OK)
            await reader.read()
            seen.set()
        else:
            await reader.read()

    async with posting(script, Timeouts(total=10.0)) as poster:
        assert await post(poster) == Answered(200)
        await asyncio.wait_for(seen.wait(), 60)
        assert await post(poster) == Answered(200)
    assert connections == 2


async def test_a_cancelled_post_leaves_no_connection_behind() -> None:
    async with posting(silence, Timeouts(total=60.0)) as poster:
        task = asyncio.ensure_future(post(poster))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert not poster._idle


# --- the URL --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/a%2Fb?sig=aB%2Bc%2Fd%3D&e=x%40y", "/hook%28v1%29", "/%3Aid?q=a%20b"])
async def test_the_url_goes_out_as_it_was_given(target: str) -> None:
    lines = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.extend((await read_request(reader)).decode().split("\r\n")[:2])
        writer.write(OK)

    async with server(script) as url, Poster(url.rstrip("/") + target, USUAL) as poster:
        assert await post(poster) == Answered(200)
    assert lines == [f"POST {target} HTTP/1.1", f"Host: {url.removeprefix('http://').rstrip('/')}"]


# --- proxies and certificates ---------------------------------------------------------------------------------------


def through(proxy_url: str, url: str) -> Route:
    trusted = certificates.trusting()
    return Egress({"ALL_PROXY": proxy_url.replace("//", "//me:s3cret@")}, trusted).route(url)


@pytest.mark.parametrize("secure", [False, True])
async def test_through_a_proxy(secure: bool) -> None:
    heads = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            heads.append(request.decode())
            writer.write(OK)

    async with (
        server(script, certificates.serving() if secure else None) as there,
        Proxy({"hook.invalid": int(there.rstrip("/").rpartition(":")[2])}) as proxy,
    ):
        url = f"http{'s' if secure else ''}://hook.invalid/a%2Fb?c"
        async with Poster(url, Timeouts(), through(proxy.url, url)) as poster:
            assert [await post(poster), await post(poster)] == [Answered(200), Answered(200)]
    assert proxy.asked == [("CONNECT", "hook.invalid:443") if secure else ("POST", url)]
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in proxy.heads[0]
    if secure:
        assert heads[0].startswith("POST /a%2Fb?c HTTP/1.1\r\nHost: hook.invalid\r\n")
        assert "Proxy-Authorization" not in heads[0]


@pytest.mark.parametrize("url", ["http://hook.invalid/", "https://hook.invalid/"])
async def test_a_proxy_that_refuses_says_so(url: str) -> None:
    async with Proxy(refuse=407) as proxy, Poster(url, USUAL, through(proxy.url, url)) as poster:
        assert await post(poster) == Failure("proxy", "status 407")


@pytest.mark.parametrize("url", ["http://hook.invalid/", "https://hook.invalid/"])
async def test_a_proxy_that_is_not_there(url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with Poster(url, USUAL, through(nobody, url)) as poster:
            assert await post(poster) == Failure("proxy", "ECONNREFUSED")


@pytest.mark.parametrize(
    ("script", "timeouts", "reason"),
    [(silence, BRIEF, Failure("timeout")), (hang_up, USUAL, Failure("proxy", "reset"))],
)
async def test_a_proxy_that_does_not_answer(script: Script, timeouts: Timeouts, reason: Failure) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    url = "https://hook.invalid/"
    chosen = half if script is hang_up else script
    async with server(chosen) as proxy, Poster(url, timeouts, through(proxy.rstrip("/"), url)) as poster:
        assert await post(poster) == reason


async def test_what_is_no_proxy() -> None:
    url = "https://hook.invalid/"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await reader.read()

    async with server(script) as proxy, Poster(url, USUAL, through(proxy.rstrip("/"), url)) as poster:
        assert await post(poster) == Failure("proxy", "protocol")


async def test_a_private_authority_is_trusted_where_it_is_given_and_only_there() -> None:
    async with server(answering(OK), certificates.serving()) as url:
        async with Poster(url, Timeouts(), Route(None, certificates.trusting())) as poster:
            assert await post(poster) == Answered(200)
        async with Poster(url, Timeouts()) as poster:
            assert await post(poster) == Failure("tls", "unknown issuer")


async def test_a_certificate_for_another_host() -> None:
    async with server(answering(OK), certificates.serving()) as url:
        other = url.replace("127.0.0.1", "127.0.0.2")
        async with Poster(other, Timeouts(), Route(None, certificates.trusting())) as poster:
            outcome = await post(poster)
    # The server listens at one address only, where the system gives it no other.
    assert outcome in (Failure("tls", "address mismatch"), Failure("connect", "ECONNREFUSED"))
