"""What every store of kept audio promises."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bridge.errors import LocalProtocolError, StoreError
from bridge.store import KeptAudio
from tests.fakes.stores import AUDIO_STORES

Reopen = Callable[[], AbstractAsyncContextManager[KeptAudio]]

SECOND = b"ab" * 8000
"""One second of two channels."""


@pytest.fixture(params=AUDIO_STORES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    return AUDIO_STORES[request.param](tmp_path)


@pytest.fixture
async def audio(reopen: Reopen) -> AsyncIterator[KeptAudio]:
    async with reopen() as audio:
        yield audio


async def test_what_was_appended_is_read_from_where_it_was(audio: KeptAudio) -> None:
    call = audio.open("CA1")
    call.append(SECOND)
    call.append(b"cd" * 80)
    assert (call.start, call.end) == (0, 8080)
    assert await call.read_on(7999, 2) == (7999, b"abcd")
    assert await call.read_on(8080, 1) == (8080, b"")


async def test_reading_goes_on_after_a_leap(audio: KeptAudio) -> None:
    call = audio.open("CA1")
    call.append(SECOND)
    call.leap(24_000)
    call.append(b"cd" * 80)
    assert await call.read_on(8000, 1) == (24_000, b"cd")


async def test_a_call_is_open_once_and_kept_when_it_is_closed(audio: KeptAudio) -> None:
    call = audio.open("CA1")
    assert (audio.is_open("CA1"), audio.kept()) == (True, [])
    with pytest.raises(LocalProtocolError):
        audio.open("CA1")
    call.append(SECOND)
    call.close()
    assert (audio.is_open("CA1"), audio.kept()) == (False, ["CA1"])
    with pytest.raises(LocalProtocolError):
        audio.open("CA1")


async def test_what_was_closed_is_waited_for_until_other_disks_have_it(audio: KeptAudio) -> None:
    call = audio.open("CA1")
    call.append(SECOND)
    call.close()
    await audio.brought("CA1")
    await audio.brought("CA9")
    assert (await audio.reopen("CA1")).end == 8000


async def test_another_process_goes_on_where_the_audio_ends(reopen: Reopen) -> None:
    async with reopen() as audio:
        call = audio.open("CA1")
        call.append(SECOND)
        call.write_note({"anchor": 12.5})
        await audio.flush()
    async with reopen() as audio:
        call = await audio.reopen("CA1")
        assert (call.start, call.end, call.note) == (0, 8000, {"anchor": 12.5})
        call.append(b"cd" * 80)
        assert await call.read_on(7999, 2) == (7999, b"abcd")
        assert audio.kept() == []


async def test_there_is_nothing_to_go_on_with_that_was_not_kept(audio: KeptAudio) -> None:
    with pytest.raises(StoreError):
        await audio.reopen("CA1")


@pytest.mark.parametrize("how", ["finish", "remove", "discard"])
async def test_a_call_that_needs_no_audio_leaves_none(reopen: Reopen, how: str) -> None:
    async with reopen() as audio:
        call = audio.open("CA1")
        call.append(SECOND)
        await getattr(call, how)()
        assert (audio.is_open("CA1"), audio.kept()) == (False, [])
    async with reopen() as audio:
        assert audio.kept() == []


async def test_settling_keeps_what_comes_after(audio: KeptAudio) -> None:
    call = audio.open("CA1")
    call.append(SECOND)
    call.settle(4000)
    await audio.flush()
    assert await call.read_on(4000, 1) == (4000, b"ab")
