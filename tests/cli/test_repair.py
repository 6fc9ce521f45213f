"""`bridge repair`, as a person at a terminal gets it."""

import asyncio
import subprocess
import sys
from pathlib import Path

from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import words

ROOT = Path(__file__).parent.parent.parent


def run(command, data_dir, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "bridge", command],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


async def test_a_damaged_record_is_saved_and_the_old_one_kept(tmp_path):
    async with SQLiteStore(tmp_path) as store:
        for n in range(40):
            await store.append(words.conversation(f"CA{n}", finals=20))
    path = tmp_path / FILENAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) - len(whole) // 2))
    serving = {"DEEPGRAM_API_KEY": "key", "TWILIO_SIGNATURE": "off", "PORT": "0"}

    status, _, said = run("serve", tmp_path, **serving)
    assert (status, said) == (
        2,
        f"bridge: {path} is damaged: run `bridge repair`, which keeps a copy and saves what can be read\n",
    )
    status, out, said = run("repair", tmp_path)
    assert (status, said) == (0, "")
    assert out.startswith("Saved ") and f"kept in {tmp_path}/damaged/" in out
    assert run("repair", tmp_path) == (0, "The database is whole: there is nothing to repair.\n", "")
    async with SQLiteStore(tmp_path) as store:
        assert await store.calls()


def test_where_there_is_no_record_it_says_so(tmp_path):
    status, _, said = run("repair", tmp_path)

    assert (status, said) == (2, f"bridge: there is no {tmp_path / FILENAME}\n")


async def test_not_beside_a_bridge_that_runs(tmp_path):
    async with SQLiteStore(tmp_path):
        status, _, said = await asyncio.to_thread(run, "repair", tmp_path)

    assert (status, said) == (2, "bridge: a bridge uses the database: stop it first, then repair\n")
