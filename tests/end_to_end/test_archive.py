"""Recordings in an object store, over HTTP: heard from there, deleted there, and on the disk while that fails."""

import asyncio
import contextlib

import aiohttp
import pytest

from bridge.local.wav import parse_wav
from bridge.store.token import own_token
from tests.fakes import frames
from tests.fakes.running import bridge, deepgram, settings
from tests.fakes.talk import play

CALL = f"/calls/{frames.CALL}"


@contextlib.asynccontextmanager
async def serving(data_dir, server, url):
    """A bridge with recordings, and a reader of its record."""
    configured = settings(data_dir, server.url, bridge_recordings=True, bridge_audio_url=url)
    async with bridge(configured) as origin:
        headers = {"Authorization": f"Bearer {own_token(data_dir)}"}
        async with aiohttp.ClientSession(origin, headers=headers) as session:
            yield session


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


async def call(session):
    """A whole one, until its recording can be heard."""
    await play(str(session._base_url).rstrip("/"))
    async with asyncio.timeout(60):
        while not await has_recording(session):
            await asyncio.sleep(0.01)


async def has_recording(session):
    """False, too, while the record does not know of the call yet."""
    async with session.get(CALL) as response:
        return response.status == 200 and (await response.json())["audio"]["available"]


async def get(session, path, status=200):
    async with session.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def heard(session, status=200, **headers):
    async with session.get(f"{CALL}/audio.wav", headers=headers) as response:
        assert response.status == status, await response.text()
        return await response.read()


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_recording_is_heard_from_the_object_store_and_deleted_there(tmp_path, server):
    data, bucket = tmp_path / "data", tmp_path / "bucket"
    async with serving(data, server, bucket.as_uri()) as session:
        await call(session)
        await until(lambda: not files(data / "recordings") and not files(data / "audio"))
        (name,) = files(bucket)
        assert name.startswith(f"{frames.CALL}/recording-")
        whole = await heard(session)
        assert parse_wav(whole)[:2] == parse_wav((bucket / name).read_bytes())[:2]
        assert await heard(session, 206, Range="bytes=5000-9999") == whole[5000:10_000]
        assert await heard(session, 206, Range="bytes=-100") == whole[-100:]
        async with session.get("/metrics") as response:
            metrics = await response.text()
        assert "bridge_archive_objects_total 1.0" in metrics and "bridge_archive_fails 0.0" in metrics
    async with serving(data, server, bucket.as_uri()) as session:
        assert await heard(session) == whole, "by another process, too"
        async with session.delete(CALL) as response:
            assert response.status == 204
        await get(session, CALL, 404)
    assert files(bucket) == []


async def test_while_the_object_store_fails_calls_and_recordings_go_on_from_the_disk(tmp_path, server, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    async with serving(tmp_path, server, "s3://bucket/calls") as session:
        assert await get(session, "/readyz") == {"status": "ready"}
        await call(session)
        async with asyncio.timeout(60):
            while "archive" not in (ready := await get(session, "/readyz")):
                await asyncio.sleep(0.02)
        assert ready == {"status": "ready", "archive": "the object store cannot be reached, or fails"}
        assert len(await heard(session)) > 1000
        async with session.delete(CALL) as response:
            assert response.status == 503 and "cannot be reached" in (await response.json())["error"]
        await get(session, CALL)
