"""An object store that refuses, fails or is not there: said in our words, and never in the library's, with a secret."""

import asyncio
import sys

import pytest

from bridge.errors import ConfigError
from bridge.store.archive import objects as module
from bridge.store.archive.base import ArchiveError
from bridge.store.archive.objects import open_objects
from tests.fakes.http import server

SECRET = "thisKeyIsSecretAndStandsNowhere"


@pytest.fixture
def at(monkeypatch):
    """An S3 store at a loopback address."""

    def open_(url):
        for name, value in {
            "AWS_ENDPOINT_URL": url.rstrip("/"),
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        return open_objects("s3://bucket/calls")

    return open_


async def test_a_key_is_below_the_prefix_and_no_secret_is_sent(at):
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"{}"))
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')

    async with server(answer) as url:
        await at(url).put("CA1/audio/call.json", b"{}")
    (request,) = asked
    assert request.startswith(b"PUT /bucket/calls/CA1/audio/call.json HTTP/1.1\r\n") and request.endswith(b"\r\n\r\n{}")
    assert SECRET.encode() not in request


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "the object store does not know these credentials"),
        ("403 Forbidden", "the object store does not let these credentials do that"),
        ("400 Bad Request", "the object store cannot be reached, or fails"),
        ("404 Not Found", "there is no such object, or no such bucket"),
    ],
)
async def test_a_refusal_is_told_in_our_words(at, status, said):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{SECRET}</Message></Error>"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body.encode())

    async with server(answer) as url:
        for operation in (at(url).put("CA1/x", b"x"), at(url).put("CA1/x", iter([b"x"])), at(url).read("CA1/x", 0, 1)):
            with pytest.raises(ArchiveError) as raised:
                await operation
            assert str(raised.value) == said
            assert raised.value.__cause__ is None and raised.value.__suppress_context__


async def test_one_that_is_not_there_and_one_that_does_not_answer(at, monkeypatch):
    with pytest.raises(ArchiveError, match="cannot be reached"):
        await at("http://127.0.0.1:1").look("CA1/x")
    monkeypatch.setattr(module, "_PATIENCE", 0.02)
    asked = asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await asyncio.Event().wait()

    async with server(answer) as url:
        with pytest.raises(ArchiveError, match="does not answer in time"):
            await at(url).read("CA1/x", 0, 1)


@pytest.mark.parametrize("url", ["az://no-account", "s3://", "nonsense://x"])
def test_an_address_of_which_the_library_makes_nothing_stops_the_start(url):
    with pytest.raises(ConfigError, match=r"can do nothing with this address") as raised:
        open_objects(url)
    assert raised.value.__suppress_context__


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError):
        open_objects(f"file://{tmp_path}/file/below")


def test_without_the_library_it_is_said_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match=r"^needs obstore: pip install 'media-stream-bridge\[objects\]'$"):
        open_objects("s3://bucket")
