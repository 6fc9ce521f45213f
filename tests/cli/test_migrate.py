"""`bridge migrate`, as a user types it."""

import io
import re

import pytest
from rich.console import Console

from bridge.cli.migrate import Shown
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import postgres, words
from tests.fakes.command import command

DATABASE = "moved_by_hand"


async def run(data_dir, url="postgresql://ann:sesame@/x?host=/nowhere"):
    return await command("migrate", DATA_DIR=str(data_dir), DATABASE_URL=url)


async def test_it_must_know_where_to(tmp_path):
    status, _, said = await run(tmp_path, "")

    assert (status, said.startswith("bridge: set DATABASE_URL to where the record is to go: postgresql://")) == (
        2,
        True,
    )


async def test_without_the_driver_it_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.store.opening.find_spec", lambda name: None)
    status, _, said = await run(tmp_path)

    assert (status, "pip install 'media-stream-bridge[postgres]'" in said) == (2, True)


async def test_not_beside_a_bridge_that_runs(tmp_path):
    pytest.importorskip("psycopg")
    async with SQLiteStore(tmp_path):
        status, _, said = await run(tmp_path)

    assert (status, said) == (2, "bridge: a bridge uses the record: stop it first, then migrate\n")


async def test_a_database_that_is_away_is_said_without_its_address(tmp_path):
    pytest.importorskip("psycopg")
    assert await run(tmp_path) == (2, "", f"bridge: there is no {tmp_path / FILENAME}\n")
    async with SQLiteStore(tmp_path):
        pass
    status, _, said = await run(tmp_path)

    assert (status, "the database cannot be reached; give the command again" in said) == (2, True)
    assert "sesame" not in said and "nowhere" not in said


def test_on_a_terminal_it_tells_how_far_it_is():
    written = io.StringIO()
    shown = Shown(Console(file=written, force_terminal=True, width=80))
    with shown.showing():
        shown.tell("copied", 3, 12)

    assert "calls copied" in written.getvalue() and "3/12" in written.getvalue()


@pytest.mark.postgres
async def test_it_copies_and_tells_what_it_has_compared(tmp_path):
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    url = postgres.server().url.replace("/postgres?", f"/{DATABASE}?")
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        for number in range(12):
            await store.append(words.conversation(f"CA{number}"))
    try:
        status, out, said = await run(tmp_path, url)
        assert (status, said) == (0, "")
        assert out.startswith("Copied 12 of 12 calls. Compared:\n")
        table = dict(re.findall(r"(?m)^(\w+) +(\S+ +\S+)$", out))
        assert {name: table[name].split() for name in ("calls", "events", "texts", "lanes", "endpoints")} == {
            "calls": ["12", "12"],
            "events": ["60", "60"],
            "texts": ["36", "36"],
            "lanes": ["12", "12"],
            "endpoints": ["0", "0"],
        }
        here, there = table["sha256"].split()
        assert here == there and re.fullmatch("[0-9a-f]{12}", here)
        assert "readers go on at their cursors" in out and "Start the bridge with DATABASE_URL" in out

        again = await run(tmp_path, url)
        assert again == (0, "The record is in PostgreSQL already, and nothing was copied.\n", "")
    finally:
        postgres.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.mark.postgres
async def test_where_anything_is_not_the_same_it_ends_with_1(tmp_path, monkeypatch):
    from bridge.store.moving.target import Target

    postgres.execute(f"CREATE DATABASE {DATABASE}")
    url = postgres.server().url.replace("/postgres?", f"/{DATABASE}?")

    async def spoil(self):
        postgres.execute("UPDATE bridge.event SET body = body || ' ' WHERE seq = 1", url)

    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        for number in range(25):
            await store.append(words.conversation(f"CA{number}"))
    monkeypatch.setattr(Target, "order", spoil)
    try:
        status, out, said = await run(tmp_path, url)
    finally:
        postgres.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")

    assert (status, "Compared" in out) == (1, True)
    assert said.splitlines()[0] == "call CA0 is not the same"
    assert said.splitlines()[-2:] == [
        "and 5 others",
        "It is not the same: nothing reads it there yet, and the one here is as it was.",
    ]
