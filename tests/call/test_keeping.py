"""What becomes of a call's kept audio; a whole call's life with it is tested with the registry and in `test_call`."""

import pytest

from bridge.call.keeping import Keeping
from bridge.call.note import Note
from bridge.call.record import Record
from bridge.events import Stretch
from bridge.spans import Span
from bridge.store.audio import AudioStore
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock


@pytest.fixture
async def record(tmp_path):
    async with SQLiteStore(tmp_path) as store:
        yield Record("CA1", {}, None, store, HandClock(), None)


@pytest.fixture
async def audio(tmp_path):
    async with AudioStore(tmp_path, limit=2**30) as store:
        yield store


def kept(audio, record):
    file = audio.open("CA1")
    file.append(b"\x10" * 16_000)
    return file, Keeping(file, Note(), record)


async def test_a_call_whose_audio_cannot_be_kept_goes_on_without(record):
    keeping = Keeping(None, Note(), record)
    keeping.add_tracks(("inbound",), None)
    keeping.settle(100, [(0, Span(0, 8000))], None)
    keeping.leave(None, 100)
    await keeping.finish()

    assert (keeping.keeps, keeping.end) == (False, 0)
    assert (keeping.note.tracks, keeping.note.holes) == (("inbound",), [])


async def test_holes_are_noted_once_and_taken_back_when_they_are_filled(record, audio):
    file, keeping = kept(audio, record)
    keeping.settle(0, [(1, Span(0, 8000))], 4000)
    assert Note.load(file.note) == Note(record.anchor, 4000, holes=[Stretch(track="outbound", from_=0.0, to=1.0)])

    keeping.settle(0, [], None)
    assert Note.load(file.note).holes == []


async def test_a_call_that_is_left_says_what_the_log_cannot(record, audio):
    file, keeping = kept(audio, record)
    record.uncovered = [Stretch(track="inbound", from_=0.5, to=1.0)]
    keeping.leave({"outbound": 800}, 8000)

    note = Note.load(file.note)
    assert (note.uncovered, note.silent, note.heard) == (record.uncovered, {"outbound": 800}, 8000)
    assert audio.kept() == ["CA1"]


@pytest.mark.parametrize(("uncovered", "stays"), [([], []), ([Stretch(track="inbound", from_=0, to=1)], ["CA1"])])
async def test_audio_stays_after_the_end_as_long_as_something_is_to_be_transcribed(record, audio, uncovered, stays):
    _, keeping = kept(audio, record)
    record.uncovered = uncovered
    await keeping.finish()

    assert audio.kept() == stays
