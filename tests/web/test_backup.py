"""A copy of the record over HTTP, on the real store."""

import asyncio
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.errors import StoreError
from bridge.rights import unlimited
from bridge.store.sqlite import SQLiteStore
from bridge.web.access import Access
from bridge.web.backup import BackupHandlers
from tests.fakes import words
from tests.fakes.reading import BEARER, NOW, TOKEN


@pytest.fixture
async def house(tmp_path):
    """A bridge's `/backup`: `gate` holds a copy up, `fails` lets it fail."""
    gate = asyncio.Event()
    gate.set()
    async with SQLiteStore(tmp_path) as store:
        place = SimpleNamespace(store=store, gate=gate, folder=tmp_path, fails=None)

        async def copy(to):
            await gate.wait()
            if place.fails:
                raise place.fails
            await store.copy(to)

        app = web.Application()
        app.add_routes(BackupHandlers(copy, tmp_path, Access(unlimited((TOKEN,)), None, lambda: NOW)).routes())
        server = TestServer(app)
        await server.start_server()
        async with aiohttp.ClientSession(server.make_url(""), headers=BEARER) as place.session:
            yield place
        await server.close()


async def get(house):
    async with house.session.get("/backup") as response:
        return response.status, response.content_type, await response.read()


def left(house):
    return [file.name for file in house.folder.iterdir() if "backup" in file.name]


async def test_the_copy_has_what_is_durable_and_leaves_nothing_behind(house, tmp_path):
    said = words.conversation()
    await house.store.append(said)
    status, kind, octets = await get(house)

    assert (status, kind) == (200, "application/vnd.sqlite3")
    assert left(house) == []
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "bridge.db").write_bytes(octets)
    async with SQLiteStore(tmp_path / "copy") as copied:
        assert [event.event.body for event in await copied.log(0)] == [event.to_json() for event in said]


async def test_what_a_dead_process_left_is_in_no_copy(house):
    (house.folder / "backup.part").write_bytes(b"x" * 100_000)
    _, _, octets = await get(house)
    assert octets.startswith(b"SQLite format 3\0")
    assert left(house) == []


async def test_one_at_a_time(house):
    house.gate.clear()
    first = asyncio.create_task(get(house))
    while not left(house):
        await asyncio.sleep(0)
    status, _, sentence = await get(house)
    assert (status, sentence) == (409, b'{"error": "Another copy is being made."}')
    house.gate.set()
    assert (await first)[0] == 200
    assert (await get(house))[0] == 200


async def test_a_disk_that_takes_no_copy(house):
    house.fails = StoreError("cannot read it: the disk is full")
    assert await get(house) == (
        503,
        "application/json",
        b'{"error": "The record cannot be copied: cannot read it: the disk is full."}',
    )
    assert left(house) == []
    house.fails = None
    (house.folder / "backup.part").mkdir()
    status, _, sentence = await get(house)
    assert status == 503 and b"cannot write" in sentence


async def test_not_without_a_token(house):
    async with house.session.get("/backup", headers={"Authorization": "Bearer another"}) as response:
        assert response.status == 401


async def test_each_copy_is_of_its_moment(house):
    first, *rest = words.conversation()
    await house.store.append([first])
    before = await get(house)
    await house.store.append(rest)
    assert len((await get(house))[2]) >= len(before[2])
    with closing(sqlite3.connect(":memory:")) as outside:
        outside.deserialize(before[2])
        assert outside.execute("SELECT count(*) FROM event").fetchone() == (1,)
