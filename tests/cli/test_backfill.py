"""`bridge backfill`, as a user types it."""

import asyncio
import json

import pytest

from bridge import app
from bridge.errors import StoreError
from bridge.local.deepgram import Faults
from bridge.local.receiver import Receiver
from bridge.store.audio import AudioStore
from tests.fakes import frames
from tests.fakes.command import command
from tests.fakes.running import SCRIPT, WEBHOOK_SECRET, bridge, deepgram, record, settings
from tests.fakes.talk import play


async def run(data_dir, *arguments, **environment):
    return await command("backfill", *arguments, DATA_DIR=str(data_dir), **environment)


@pytest.fixture
async def given_up(tmp_path):
    """A call of which nothing was transcribed, and the Deepgram that is well again."""
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        server.faults = Faults(refuse=503)
        configured = settings(
            tmp_path,
            server.url,
            webhook_url=receiver.url,
            webhook_secret=WEBHOOK_SECRET,
            bridge_flush_timeout=0.2,
            bridge_backfill_timeout=0.0,
        )
        async with bridge(configured) as origin:
            await play(origin)
            await receiver.until(lambda: receiver.events(frames.CALL)[-1:] and ended(receiver))
        server.faults = Faults()
        yield server


def ended(receiver):
    return sum(event["type"] == "audio.gap" for event in receiver.events(frames.CALL)) == 2


async def test_what_was_given_up_is_transcribed_later(given_up, tmp_path):
    done = await run(tmp_path, "last", DEEPGRAM_API_KEY="key", DEEPGRAM_URL=given_up.url)

    assert done[:2] == (0, f"{frames.CALL} is transcribed from its kept audio.\n")
    events = [json.loads(event.body) for event in await record(tmp_path, frames.CALL)]
    heard = [w["word"] for e in events if e["type"] == "transcript.final" for w in e["data"]["words"]]
    assert sorted(heard) == sorted(word.word for word in SCRIPT.words)
    async with AudioStore(tmp_path, limit=1) as audio:
        assert audio.kept() == []


async def test_a_bridge_that_is_running_is_asked(given_up, tmp_path):
    async with bridge(settings(tmp_path, given_up.url, bridge_backfill_timeout=0.0)):
        code, said, _ = await run(tmp_path, frames.CALL[:8], DEEPGRAM_API_KEY="key")
        async with asyncio.timeout(60):
            while (tmp_path / "audio" / frames.CALL).exists():
                await asyncio.sleep(0.02)
        nobody = await run(tmp_path, "CA9", DEEPGRAM_API_KEY="key")
    events = [json.loads(event.body) for event in await record(tmp_path, frames.CALL)]

    assert (code, said) == (
        0,
        f"The bridge that is running transcribes {frames.CALL} now: see its log, or the webhook.\n",
    )
    assert events[-1]["type"] == "transcription.backfilled"
    assert nobody == (2, "", "bridge: no audio is kept of CA9\n")


async def test_audio_that_is_in_the_archive_only_is_transcribed_from_there(given_up, tmp_path):
    bucket = tmp_path / "bucket"
    (bucket / frames.CALL).mkdir(parents=True)
    (tmp_path / "audio" / frames.CALL).rename(bucket / frames.CALL / "audio")
    configured = settings(tmp_path, given_up.url, bridge_audio_url=bucket.as_uri())

    assert await app.backfill(configured, frames.CALL, 10.0)
    assert [path for path in bucket.rglob("*") if path.is_file()] == []
    with pytest.raises(StoreError, match="no audio is kept"):
        await app.backfill(configured, frames.CALL, 10.0)


async def test_a_deepgram_that_is_still_away_is_said(given_up, tmp_path):
    given_up.faults = Faults(refuse=503)
    code, _, said = await run(
        tmp_path, frames.CALL, "--patience", "0", DEEPGRAM_API_KEY="key", DEEPGRAM_URL=given_up.url
    )

    assert code == 1
    assert f"Not all of {frames.CALL} could be transcribed; its audio stays." in said


async def test_a_call_that_nothing_is_kept_of_is_said(tmp_path):
    assert await run(tmp_path, "CA9", DEEPGRAM_API_KEY="key") == (2, "", "bridge: no audio is kept of CA9\n")


async def test_a_vosk_server_needs_no_key(tmp_path):
    told = await run(tmp_path, "CA9", BRIDGE_VOSK_URL="ws://127.0.0.1:9")
    assert told == (2, "", "bridge: no audio is kept of CA9\n")


async def test_without_a_key_it_says_what_to_do(tmp_path):
    code, _, said = await run(tmp_path, "CA9")

    assert (code, said) == (2, "bridge: set DEEPGRAM_API_KEY: Deepgram transcribes the kept audio\n")
