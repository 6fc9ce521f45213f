"""A recording in the object store is a WAV file that any player takes, and any part of it is heard as from the disk."""

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import CHANNELS
from bridge.errors import StoreError
from bridge.store.archive import recording as module
from bridge.store.archive.base import ArchiveError, Found
from bridge.store.archive.recording import HEADER, ArchivedRecording, wav
from tests.fakes.audio_appender import sound
from tests.fakes.objects import MemoryObjects

KEY = "CA1/recording-5.wav"
SILENCE = b"\xff\xff"


def write(folder: Path, start: int, samples: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{start:012d}.ulaw").write_bytes(sound(start, samples))


async def archived(folder: Path) -> tuple[ArchivedRecording, MemoryObjects]:
    objects = MemoryObjects()
    file = wav(folder)
    assert file
    await objects.put(KEY, file.pieces)
    found = await objects.look(KEY)
    assert found
    return ArchivedRecording("CA1", found, objects), objects


def test_it_is_a_wav_file(tmp_path):
    write(tmp_path, 100, 300)
    octets, pieces, ended = wav(tmp_path)
    whole = b"".join(pieces)

    assert ended == next(tmp_path.iterdir()).stat().st_mtime
    assert len(whole) == octets == HEADER + 400 * CHANNELS
    assert whole[:4] == b"RIFF" and int.from_bytes(whole[4:8], "little") == octets - 8
    data = io.BytesIO(whole)
    data.seek(whole.index(b"data") + 4)
    assert int.from_bytes(data.read(4), "little") == 800
    assert data.read() == SILENCE * 100 + sound(100, 300)


def test_a_folder_without_audio_is_no_file(tmp_path):
    (tmp_path / "call.json").write_text("{}")

    assert wav(tmp_path) is None
    with pytest.raises(FileNotFoundError):
        wav(tmp_path / "nothing")


def test_a_file_that_was_cut_short_moves_nothing_after_it(tmp_path):
    write(tmp_path, 0, 100)
    write(tmp_path, 100, 50)
    octets, pieces, _ = wav(tmp_path)
    (tmp_path / f"{0:012d}.ulaw").write_bytes(sound(0, 60))
    whole = b"".join(pieces)

    assert len(whole) == octets
    assert whole[HEADER:] == sound(0, 60) + SILENCE * 40 + sound(100, 50)


STRETCHES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60)), min_size=1, max_size=8)
READS = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 300)), min_size=1, max_size=5)


@settings(max_examples=30)
@given(STRETCHES, READS, st.booleans())
async def test_any_part_is_heard_as_it_was(stretches, reads, onwards):
    whole, position = bytearray(SILENCE * 2000), 0
    with tempfile.TemporaryDirectory() as path:
        for hole, length in stretches:
            position += hole
            write(Path(path), position, length)
            whole[position * 2 : (position + length) * 2] = sound(position, length)
            position += length
        recording, _ = await archived(Path(path))
    assert recording.samples == position
    place = 0
    for start, samples in reads:
        start = place if onwards else start
        assert await recording.read(start, samples) == whole[start * 2 : (start + samples) * 2]
        place = start + samples


async def test_who_reads_on_asks_seldom_and_who_leaps_gets_no_more_than_that(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 2000)
    write(tmp_path, 0, 10_000)
    recording, objects = await archived(tmp_path)
    objects.asked.clear()
    for start in range(0, 10_000, 100):
        assert await recording.read(start, 100) == sound(start, 100)
    assert len(objects.asked) <= 12

    objects.asked.clear()
    for start in (5000, 200, 9000):
        await recording.read(start, 10)
        assert len(recording._piece) == 20
    assert len(objects.asked) == 3


async def test_one_that_is_gone_or_shorter_than_it_was_is_an_error(tmp_path):
    write(tmp_path, 0, 100)
    recording, objects = await archived(tmp_path)
    objects.objects[KEY] = objects.objects[KEY][:-10]
    with pytest.raises(StoreError, match="is not as it was"):
        await recording.read(0, 100)
    objects.objects.clear()
    with pytest.raises(StoreError, match="the recording of CA1 is gone"):
        await recording.read(0, 100)
    objects.fails = "the object store does not answer in time"
    with pytest.raises(ArchiveError, match="does not answer"):
        await recording.read(0, 100)


def test_the_version_tells_one_audio_from_another():
    versions = {
        ArchivedRecording(call, Found(f"{call}/recording-{ended}.wav", octets), MemoryObjects()).version
        for call in ("CA1", "CA2")
        for octets in (100, 102)
        for ended in (1, 2)
    }

    assert len(versions) == 8
    assert repr(ArchivedRecording("CA1", Found(KEY, HEADER + 6), MemoryObjects())) == (
        "<ArchivedRecording CA1 samples 3>"
    )
