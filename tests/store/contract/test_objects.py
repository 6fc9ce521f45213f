"""What every object store promises: the one of the tests, folders, and with `--objects` real servers."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.store.archive.base import Found, NoObject, Objects
from tests.fakes.stores import OBJECT_STORES

SERVERS = {"s3": "bucket", "azure": "container"}


@pytest.fixture(params=[*OBJECT_STORES, *(pytest.param(name, marks=pytest.mark.objects) for name in SERVERS)])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    if request.param in SERVERS:
        yield request.getfixturevalue(SERVERS[request.param])
    else:
        yield OBJECT_STORES[request.param](tmp_path)


async def listed(objects: Objects, call_id: str | None = None) -> dict[str, int]:
    found: list[Found] = [each async for piece in objects.list(call_id) for each in piece]
    assert len({each.key for each in found}) == len(found)
    return {each.key: each.octets for each in found}


async def test_what_was_written_is_read_in_whole_and_in_part(objects: Objects) -> None:
    await objects.put("CA1/audio/000000000000.ulaw", b"abcdef")

    assert await objects.read("CA1/audio/000000000000.ulaw", 0, 6) == b"abcdef"
    assert await objects.read("CA1/audio/000000000000.ulaw", 2, 3) == b"cde"
    assert await objects.read("CA1/audio/000000000000.ulaw", 4, 100) == b"ef"


async def test_what_is_written_again_takes_the_place_of_what_was_there(objects: Objects) -> None:
    await objects.put("CA1/audio/call.json", b"{}")
    before = await objects.look("CA1/audio/call.json")
    await objects.put("CA1/audio/call.json", b"{ }")

    found = await objects.look("CA1/audio/call.json")
    assert found and before
    assert (found.key, found.octets) == ("CA1/audio/call.json", 3)
    assert await objects.read("CA1/audio/call.json", 0, 9) == b"{ }"


async def test_what_comes_in_pieces_is_one_object(objects: Objects, tmp_path: Path) -> None:
    """More than a part of an upload, in pieces that are none."""
    pieces = [bytes([number]) * 300_007 for number in range(40)]
    await objects.put("CA1/recording-5.wav", iter(pieces))

    whole = b"".join(pieces)
    await objects.fetch("CA1/recording-5.wav", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == whole
    for start in (0, 5 * 2**20 - 3, len(whole) - 7):
        assert await objects.read("CA1/recording-5.wav", start, 7) == whole[start : start + 7]


async def test_a_source_that_fails_leaves_nothing_and_says_why(objects: Objects) -> None:
    def pieces() -> Iterator[bytes]:
        yield from itertools.repeat(bytes(300_000), 20)
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        await objects.put("CA1/recording-5.wav", pieces())
    assert await objects.look("CA1/recording-5.wav") is None
    assert await listed(objects) == {}


async def test_a_list_is_of_a_call_or_of_all(objects: Objects) -> None:
    for key in ("CA1/audio/000000000000.ulaw", "CA1/recording-5.wav", "CA12/recording-5.wav", "CA1--2/audio/call.json"):
        await objects.put(key, key.encode())
    await objects.put("CA1/audio/000000000800.dropped", b"")

    assert await listed(objects, "CA1") == {
        "CA1/audio/000000000000.ulaw": 27,
        "CA1/audio/000000000800.dropped": 0,
        "CA1/recording-5.wav": 19,
    }
    assert await listed(objects, "CA3") == {}
    assert len(await listed(objects)) == 5


async def test_what_is_not_there_is_said_to_be_missing(objects: Objects, tmp_path: Path) -> None:
    assert await objects.look("CA1/recording-5.wav") is None
    with pytest.raises(NoObject):
        await objects.read("CA1/recording-5.wav", 0, 1)
    with pytest.raises(NoObject):
        await objects.fetch("CA1/recording-5.wav", tmp_path / "fetched")


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(objects: Objects) -> None:
    for key in ("CA1/audio/call.json", "CA1/recording-5.wav", "CA2/recording-5.wav"):
        await objects.put(key, b"x")
    for _ in range(2):
        await objects.remove(["CA1/audio/call.json", "CA1/recording-5.wav"])

    assert await listed(objects) == {"CA2/recording-5.wav": 1}
