"""`bridge backup`, against a bridge that runs."""

import asyncio
import os
import sqlite3
import stat
from contextlib import closing

import aiohttp
import pytest

from tests.fakes import frames
from tests.fakes.command import command
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import bridge, deepgram, settings
from tests.fakes.talk import play


@pytest.fixture
async def origin(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    async with deepgram() as server, bridge(settings(tmp_path, server.url, bridge_read_tokens=TOKEN)) as url:
        yield url


def backup(origin, to):
    return command("backup", str(to), "--url", origin, BRIDGE_READ_TOKENS=TOKEN)


async def test_a_database_that_other_programs_can_open(origin, tmp_path):
    await play(origin)
    async with aiohttp.ClientSession(origin, headers=BEARER) as session, asyncio.timeout(60):
        while (await session.get(f"/calls/{frames.CALL}")).status != 200:
            await asyncio.sleep(0.01)
    to = tmp_path / "copy.db"
    told = await backup(origin, to)

    assert told == (0, f"Saved {to.stat().st_size:,} octets to {to}.\n", "")
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    with closing(sqlite3.connect(to)) as copied:
        assert copied.execute("SELECT id FROM call").fetchall() == [(frames.CALL,)]
    assert not list(tmp_path.glob("*.part"))


async def test_what_cannot_be(origin, tmp_path):
    nowhere = tmp_path / "nowhere" / "copy.db"
    assert await backup(origin, nowhere) == (2, "", f"bridge: cannot write {nowhere}: No such file or directory\n")
    kept = tmp_path / "kept.db"
    kept.write_text("the last one")
    told = await backup("http://127.0.0.1:1", kept)
    assert told.err.startswith("bridge: no bridge answers at http://127.0.0.1:1")
    assert kept.read_text() == "the last one"
    assert not list(tmp_path.glob("*.part"))
