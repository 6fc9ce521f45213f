"""Two processes with one record in PostgreSQL and one place for audio: what one has recorded is heard and deleted at
another, and what one leaves untranscribed another transcribes."""

import asyncio
import contextlib

import aiohttp
import pytest

from bridge.local.deepgram import Faults
from bridge.local.wav import parse_wav
from tests.fakes import frames, postgres
from tests.fakes.running import AUDIO, SCRIPT, bridge, deepgram, settings
from tests.fakes.talk import play

pytestmark = pytest.mark.postgres

CALL = f"/calls/{frames.CALL}"
TOKEN = "t" * 32


@contextlib.asynccontextmanager
async def process(path, name, server):
    """One of them, with a disk of its own, and a reader of its record."""
    configured = settings(
        path / name,
        server.url,
        database_url=postgres.server().url,
        bridge_recordings=True,
        bridge_audio_url=(path / "bucket").as_uri(),
        bridge_read_tokens=TOKEN,
    )
    async with bridge(configured) as origin:
        async with aiohttp.ClientSession(origin, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            yield session


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def until(condition):
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.02)


async def get(session, path, status=200):
    async with session.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def heard(session):
    async with session.get(f"{CALL}/audio.wav") as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def test_a_recording_of_one_process_is_heard_and_deleted_at_another(tmp_path):
    postgres.fresh()
    bucket = tmp_path / "bucket"
    async with deepgram() as server, process(tmp_path, "one", server) as one, process(tmp_path, "two", server) as two:
        await play(str(one._base_url).rstrip("/"))

        async def is_brought():
            return not files(tmp_path / "one" / "recordings") and any("recording-" in name for name in files(bucket))

        await until(is_brought)
        whole = await heard(two)
        assert whole == await heard(one)
        assert [len(track) for track in parse_wav(whole)] == [len(track) for track in AUDIO]
        async with two.delete(CALL) as response:
            assert response.status == 204
        await get(one, CALL, 404)
        assert files(bucket) == []


async def test_what_a_process_leaves_untranscribed_another_one_transcribes(tmp_path):
    postgres.fresh()
    bucket = tmp_path / "bucket"
    async with deepgram() as server:
        server.faults = server.request_faults = Faults(refuse=503)
        async with process(tmp_path, "one", server) as one:
            await play(str(one._base_url).rstrip("/"))

            async def is_kept():
                rows = postgres.execute("SELECT 1 FROM bridge.call WHERE ended_at IS NOT NULL")
                return rows and any(name.endswith(".ulaw") for name in files(bucket))

            await until(is_kept)
        server.faults = server.request_faults = Faults()
        async with process(tmp_path, "two", server) as two:

            async def is_recorded():
                return [name for name in files(bucket) if "recording-" not in name] == [] and files(bucket)

            await until(is_recorded)
            transcript = await get(two, f"{CALL}/transcript.json")
            assert [len(track) for track in parse_wav(await heard(two))] == [len(track) for track in AUDIO]
    said = " ".join(segment["text"] for segment in transcript["segments"]).lower()
    assert all(word.word in said for word in SCRIPT.channels[0])
