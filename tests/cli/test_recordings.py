"""Which recordings are meant, and what names them."""

import hashlib
import os

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.cli.recordings import Recording, content_id, downloaded, fetch, find
from bridge.cli.sources import SourceError
from bridge.egress import Egress
from tests.twiml.test_recordings import ACCOUNT, ADDRESS, API, SID

EGRESS = Egress({})


def test_files_folders_and_addresses_in_order(tmp_path):
    folder = tmp_path / "calls"
    (folder / "2026").mkdir(parents=True)
    for name in ("b.MP3", "2026/a.wav", "notes.txt", ".hidden.wav"):
        (folder / name).write_bytes(b"x")
    single = tmp_path / "talk.bin"
    single.write_bytes(b"x")
    twilio = f"{API}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{SID}"
    address = "https://user:secret@example.com/x/talk.mp3?token=secret"
    found, others = find([str(single), str(folder), twilio, address, "https://example.com"], API)

    assert [recording.name for recording in found] == [
        "talk.bin",
        "2026/a.wav",
        "b.MP3",
        SID,
        "talk.mp3",
        "example.com",
    ]
    assert found[3].of_twilio == ADDRESS
    assert found[4] == Recording("talk.mp3", address=address)
    assert others == 1


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(SourceError, match="there is no none.wav"):
        find(["none.wav"], API)
    with pytest.raises(SourceError, match="an address cannot be read"):
        find(["http://[x"], API)
    with pytest.raises(SourceError, match="cannot be read"):
        content_id(tmp_path)


def test_what_is_no_file_is_said(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(SourceError, match=r"pipe.wav is no file"):
        find([str(tmp_path / "pipe.wav")], API)
    assert find([str(tmp_path)], API) == ([], 0)
    with pytest.raises(SourceError, match="cannot be read: File name too long"):
        find(["x" * 300], API)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    for _ in range(20):  # deeper than a path may be long: no folder within is left out without a word
        os.mkdir("x" * 250)
        os.chdir("x" * 250)
    with pytest.raises(SourceError, match="cannot be read: File name too long"):
        find([str(tmp_path / "deep")], API)


def test_a_name_that_is_no_text_is_told_as_text(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    for source in (tmp_path, tmp_path / os.fsdecode(b"caf\xe9.wav"), "http://host/caf\udce9.wav"):
        (found,), _ = find([str(source)], API)
        assert found.name == "caf\ufffd.wav"


def test_a_file_is_known_by_its_content(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"the same")

    assert content_id(tmp_path / "a.wav") == content_id(tmp_path / "b.wav")
    assert content_id(tmp_path / "a.wav") == "import-" + hashlib.sha256(b"the same").hexdigest()[:32]


@pytest.fixture
async def site():
    served = []

    async def give(request):
        served.append(request.path)
        if request.path == "/none":
            raise web.HTTPNotFound
        if request.path == "/broken":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"half")
            request.transport.abort()
            return response
        return web.Response(body=b"audio", headers={"Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"})

    app = web.Application()
    app.router.add_get("/{name}", give)
    async with TestServer(app, host="127.0.0.1") as server:
        server.served = served
        yield server


async def test_an_address_is_fetched_once_with_its_time(site, tmp_path):
    recording = Recording("a.mp3", address=str(site.make_url("/a.mp3")))
    to = downloaded(tmp_path, recording.address)
    for _ in range(2):
        await fetch(recording, to, EGRESS)

    assert (to.read_bytes(), to.stat().st_mtime, site.served) == (b"audio", 1_795_168_800.0, ["/a.mp3"])


@pytest.mark.parametrize(
    ("path", "sentence"), [("/none", "does not give it.mp3 .404."), ("/broken", "it.mp3 cannot be fetched")]
)
async def test_what_cannot_be_fetched_is_said_and_is_not_there(site, tmp_path, path, sentence):
    recording = Recording("it.mp3", address=str(site.make_url(path)))
    with pytest.raises(SourceError, match=sentence):
        await fetch(recording, tmp_path / "it", EGRESS)
    assert not (tmp_path / "it").exists()


async def test_a_metadata_service_is_not_asked(tmp_path):
    for host in ("169.254.169.254", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]"):
        with pytest.raises(SourceError, match="cannot be fetched"):
            await fetch(Recording("a.mp3", address=f"http://{host}/a.mp3"), tmp_path / "it", EGRESS)


async def test_a_server_that_is_not_there_is_said(tmp_path):
    with pytest.raises(SourceError, match="cannot be fetched"):
        await fetch(Recording("it.mp3", address="http://127.0.0.1:1/it.mp3"), tmp_path / "it", EGRESS)
