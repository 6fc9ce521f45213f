"""One POST against servers that misbehave; and what must never be done on their word."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.delivery.lane import Answered, Outcome, Unanswered
from bridge.delivery.poster import Poster, Timeouts
from bridge.errors import ConfigError
from tests.fakes.http import Script, read_request, server

QUICK = Timeouts(connect=0.5, total=0.2, body=0.05)


@asynccontextmanager
async def posting(script: Script, timeouts: Timeouts = QUICK) -> AsyncIterator[Poster]:
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


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    async with posting(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as poster:
        assert await post(poster) == Answered(200)


@pytest.mark.parametrize(("status", "location"), [(299, None), (300, "b"), (399, "b"), (400, None)])
async def test_only_a_redirect_has_a_location(status: int, location: str | None) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: https://b/c\r\nContent-Length: 0\r\n\r\n"
    async with posting(answering(answer.encode())) as poster:
        assert await post(poster) == Answered(status, None, location)


def test_the_usual_timeouts() -> None:
    assert Timeouts() == Timeouts(connect=5.0, total=15.0, body=1.0, interim=5.0)


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


async def test_it_is_said_again_once_and_no_more() -> None:
    requests = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1

    async with posting(script) as poster:
        assert await post(poster) == Unanswered("reset")
    assert requests == 2


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
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), "protocol"),
    ],
)
async def test_what_is_no_answer(script: Script, reason: str) -> None:
    async with posting(script) as poster:
        assert await post(poster) == Unanswered(reason)  # type: ignore[arg-type]


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with Poster(f"http://127.0.0.1:{taken.getsockname()[1]}/", QUICK) as poster:
            assert await post(poster) == Unanswered("connect")


async def test_no_tls_there() -> None:
    async with server(silence) as url, Poster(url.replace("http:", "https:"), QUICK) as poster:
        assert await post(poster) in (Unanswered("tls"), Unanswered("timeout"))

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with server(plain) as url, Poster(url.replace("http:", "https:"), QUICK) as poster:
        assert await post(poster) == Unanswered("tls")


async def test_a_name_that_does_not_exist() -> None:
    async with Poster("http://nowhere.invalid/", Timeouts(connect=5.0, total=5.0)) as poster:
        assert await post(poster) in (Unanswered("dns"), Unanswered("timeout"))


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com/", "http://", "/hook", "http://[::1", "ws://x/"])
def test_a_url_that_nothing_can_be_posted_to(url: str) -> None:
    with pytest.raises(ConfigError, match="http"):
        Poster(url)
