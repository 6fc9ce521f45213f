"""What becomes of a call's kept audio; a whole call's life with it is tested with the registry and in `test_call`."""

import pytest

from bridge.call.keeping import Keeping
from bridge.call.note import Note
from bridge.call.overlap import TAIL
from bridge.call.record import Record
from bridge.events import Stretch
from bridge.spans import Span
from bridge.store.audio import AudioStore
from bridge.store.kept import Left
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
    assert await keeping.leave(None, 100, away=True) is None
    await keeping.finish()

    assert (keeping.keeps, keeping.end) == (False, 0)
    assert (keeping.note.tracks, keeping.note.holes) == (("inbound",), [])


async def test_processes_that_go_on_with_a_call_are_counted_beside_its_audio(record, audio):
    file, keeping = kept(audio, record)
    told = []
    for reason in (None, "bridge_restarted", "carrier_reconnected", "handed_over"):
        keeping.add_tracks(("inbound",), None, reason)
        told.append(Note.load(file.note).resumed)

    assert told == [None, 1, 1, 2]


async def test_holes_are_noted_once_and_taken_back_when_they_are_filled(record, audio):
    file, keeping = kept(audio, record)
    keeping.settle(0, [(1, Span(0, 8000))], 4000)
    assert Note.load(file.note) == Note(record.anchor, 4000, holes=[Stretch(track="outbound", from_=0.0, to=1.0)])

    keeping.settle(0, [], None)
    assert Note.load(file.note).holes == []


async def test_a_call_that_is_left_says_what_the_log_cannot(record, audio):
    file, keeping = kept(audio, record)
    record.uncovered = [Stretch(track="inbound", from_=0.5, to=1.0)]
    assert await keeping.leave({"outbound": 800}, 8000) is None

    note = Note.load(file.note)
    assert (note.uncovered, note.silent, note.heard) == (record.uncovered, {"outbound": 800}, 8000)
    assert audio.kept() == ["CA1"]


async def test_what_is_left_to_a_process_elsewhere_is_the_note_and_the_last_of_the_audio(record, audio):
    file, keeping = kept(audio, record)
    file.append(bytes(TAIL * 2))
    left = await keeping.leave(None, None, 99.5, away=True)

    assert left == Left(keeping.note.dump(), 8000, bytes(TAIL * 2))
    assert (Note.load(left.note).clock, Note.load(left.note).uncovered) == (99.5, [])
    assert audio.kept() == ["CA1"], "it stays here, too"


async def test_audio_that_has_a_hole_at_its_end_is_not_left(record, audio):
    file, keeping = kept(audio, record)
    file.leap(9000)
    left = await keeping.leave(None, None, away=True)

    assert (left.start, left.audio) == (9000, b"")


@pytest.mark.parametrize(("uncovered", "stays"), [([], []), ([Stretch(track="inbound", from_=0, to=1)], ["CA1"])])
async def test_audio_stays_after_the_end_as_long_as_something_is_to_be_transcribed(record, audio, uncovered, stays):
    _, keeping = kept(audio, record)
    record.uncovered = uncovered
    await keeping.finish()

    assert audio.kept() == stays
