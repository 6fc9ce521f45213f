import json

import pytest

from bridge.call.note import Note
from bridge.events import Stretch

HOLE = Stretch(track="outbound", from_=1.0, to=1.5)


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note(1_800_000_000.25, 76_000, ("inbound",), {"inbound": 75_000}, [HOLE]),
        Note(1_800_000_000.25, None, ("inbound", "outbound"), {}, [], []),
        Note(1_800_000_000.25, 5, (), {}, [HOLE], [HOLE]),
        Note(tracks=("outbound",), silent={"outbound": 4000}),
    ],
)
def test_what_is_written_is_read_again(note):
    assert Note.load(json.loads(json.dumps(note.dump()))) == note


@pytest.mark.parametrize("older", [None, {}, {"anchor": None, "heard": None}])
def test_what_an_older_bridge_did_not_write_is_not_known(older):
    assert Note.load(older) == Note()


def test_a_call_that_was_left_in_order_is_told_from_one_that_was_not():
    assert "uncovered" not in Note().dump()
    assert Note(uncovered=[]).dump()["uncovered"] == []


@pytest.mark.parametrize(
    ("streams", "tracks"),
    [
        ([("outbound",), ("inbound",)], ("inbound", "outbound")),
        ([("outbound",), ("outbound",)], ("outbound",)),
        ([("outbound",), ()], ("inbound", "outbound")),
    ],
)
def test_the_tracks_are_those_of_all_streams(streams, tracks):
    note = Note()
    for stream in streams:
        note.add_tracks(stream)

    assert note.tracks == tracks


def test_a_clock_that_is_none_is_not_known():
    assert Note.load(Note(clock=12.5).dump()).clock == 12.5
    assert "clock" not in Note().dump()
    assert Note.load({"clock": "soon"}).clock is None
