"""How much may wait for the store, and what is told of what may not."""

from bridge.call.backlog import Backlog, Dropped, must_be_kept
from bridge.events import AudioGap, DtmfReceived, TranscriptFinal
from tests.fakes.words import started, transcript


def final(start, end, track="inbound"):
    channel = 0 if track == "inbound" else 1
    return TranscriptFinal(**{**transcript(final=True), "track": track, "channel": channel, "start": start, "end": end})


def test_one_call_has_a_share_and_all_have_a_bound():
    backlog = Backlog(limit=10, share=4)
    assert backlog.has_room(3) and not backlog.has_room(4)
    backlog.waiting = 10

    assert not backlog.has_room(0)


def test_unless_it_is_told_otherwise_five_thousand_events_of_a_call_wait_and_fifty_thousand_of_all():
    backlog = Backlog()
    assert backlog.waiting == 0
    assert backlog.has_room(4_999) and not backlog.has_room(5_000)
    backlog.waiting = 49_999
    assert backlog.has_room(0)
    backlog.waiting = 50_000
    assert not backlog.has_room(0)


def test_half_of_it_is_for_the_calls_that_go_on():
    backlog = Backlog(limit=10)
    backlog.waiting = 4
    assert not backlog.is_high
    backlog.waiting = 5

    assert backlog.is_high


def test_only_begin_and_end_are_kept_whatever_waits():
    assert must_be_kept(started().data)
    assert not must_be_kept(final(1.0, 2.0))


def test_what_was_dropped_is_a_gap_per_track_and_told_once():
    dropped = Dropped()
    assert dropped.seconds == 0.0
    for data in (final(1.0, 2.0), final(4.0, 4.5), final(3.0, 3.25, "outbound")):
        dropped.add(data)
    dropped.add(DtmfReceived(track="inbound", digit="5", at=1.0))

    assert [(gap.track, gap.from_, gap.to, gap.missing, gap.why) for gap in dropped.tell()] == [
        ("inbound", 1.0, 4.5, 1.5, "overflow"),
        ("outbound", 3.0, 3.25, 0.25, "overflow"),
    ]
    assert dropped.tell() == []
    assert dropped.seconds == 1.5


def test_a_gap_that_was_dropped_is_in_the_gap_that_is_told():
    dropped = Dropped()
    dropped.add(final(1.0, 2.0))
    dropped.tell()
    dropped.add(AudioGap(track="inbound", from_=5.0, to=6.0, missing=0.5, why="lost"))
    (gap,) = dropped.tell()

    assert (gap.from_, gap.to, gap.missing) == (5.0, 6.0, 0.5)
    assert dropped.seconds == 1.5


def test_no_more_is_missing_than_the_stretch_is_long():
    dropped = Dropped()
    dropped.add(final(3.0, 4.0))
    dropped.add(AudioGap(track="inbound", from_=3.2, to=4.0, missing=0.8, why="lost"))
    (gap,) = dropped.tell()

    assert (gap.from_, gap.to, gap.missing) == (3.0, 4.0, 1.0)
