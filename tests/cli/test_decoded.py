"""A decoded recording as kept audio."""

import threading

import pytest

from bridge.audio import AudioFormat, pcm_to_mulaw
from bridge.cli.decoded import DecodedRecordings, decode
from bridge.cli.sources import Source, SourceError
from bridge.errors import LocalProtocolError, StoreError

MONO = AudioFormat("linear16", 16_000, 1)
AUDIO = b"\x00\x10" * 16_000 + b"\x00\x20" * 16_000


def source(chunks, format=MONO):
    return Source(format, None, False, lambda: iter(chunks))


def decoded(tmp_path, chunks=(AUDIO[:30_000], AUDIO[30_000:]), format=MONO):
    return decode(source(chunks, format), tmp_path / "a.pcm", threading.Event())


async def test_it_is_read_by_positions_of_eight_kilohertz(tmp_path):
    audio = decoded(tmp_path)

    assert (audio.end, audio.written, audio.settled) == (16_000, 16_000, 0)
    assert await audio.read_on(8000, 1000) == (8000, b"\x00\x20" * 2000)
    assert await audio.read_on(15_000, 9000) == (15_000, b"\x00\x20" * 2000)
    assert await audio.read_on(16_000, 10) == (16_000, b"")


async def test_it_is_decoded_once(tmp_path):
    decoded(tmp_path)
    assert decoded(tmp_path, chunks=[]).end == 16_000


async def test_it_is_kept_as_calls_are(tmp_path):
    decoded(tmp_path).keep(tmp_path / "a.ulaw")
    first, last = pcm_to_mulaw(b"\x00\x10"), pcm_to_mulaw(b"\x00\x20")
    kept = (tmp_path / "a.ulaw").read_bytes()

    assert len(kept) == 2 * 16_000
    assert (kept[:2], kept[-2:]) == (first + b"\xff", last + b"\xff")


def test_a_stop_leaves_no_half_of_it(tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(SourceError, match="stopped"):
        decode(source([AUDIO]), tmp_path / "a.pcm", stop)
    assert not (tmp_path / "a.pcm").exists()


def test_what_has_no_audio_is_said(tmp_path):
    with pytest.raises(SourceError, match="no audio in it"):
        decoded(tmp_path, chunks=[b""])
    assert not (tmp_path / "a.pcm").exists()


def test_a_disk_that_takes_nothing_is_said(tmp_path):
    with pytest.raises(SourceError, match="cannot be kept: No such file or directory"):
        decoded(tmp_path / "none")


async def test_audio_that_has_gone_is_said(tmp_path):
    audio = decoded(tmp_path)
    await audio.remove()
    with pytest.raises(StoreError, match="cannot be read"):
        await audio.read_on(0, 10)


async def test_recordings_are_there_from_decoded_to_imported(tmp_path):
    recordings = DecodedRecordings()
    audio = decoded(tmp_path)
    recordings.add("a", audio)

    assert (recordings.kept(), recordings.is_open("a")) == (["a"], False)
    assert await recordings.reopen("a") is audio
    audio.close()
    await audio.finish()
    await recordings.flush()
    recordings.remove("a")
    with pytest.raises(StoreError):
        await recordings.reopen("a")


async def test_nothing_is_added_to_a_recording(tmp_path):
    audio = decoded(tmp_path)
    audio.settle(100)
    for misuse in (
        lambda: audio.append(b""),
        lambda: audio.leap(1),
        lambda: audio.write_note({}),
        lambda: DecodedRecordings().open("a"),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
