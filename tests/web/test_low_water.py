"""How much is to be waited for, by the reads that there were; the clock is the test's."""

from math import inf
from random import Random

import pytest

from bridge.align import Aligner, AlignPolicy
from bridge.carriers.messages import Media
from bridge.web.low_water import LowWater

FRAME = 390
"""Octets of one on the wire."""


def media(track, at):
    return Media(track, at, None, b"\x10" * 160)


class Line:
    """A carrier that sends both tracks, `apart` seconds apart, and what it does to delays."""

    def __init__(self, apart=0.010):
        self.low_water = LowWater()
        self.at = 0
        self.apart = apart

    def frame_by_frame(self, steps, delay=0.0):
        """Reads of one frame each, as without a mark."""
        for _ in range(steps):
            for track, later in (("inbound", 0.0), ("outbound", self.apart)):
                self.low_water.read(FRAME, [media(track, self.at)], 6, self.at / 1000 + later + delay)
            self.at += 20

    def chunk(self, delay=0.0, lacking=6, octets=6 * FRAME):
        """A read of three frames of each track, which the last of them has completed."""
        frames = [media(track, self.at + 20 * step) for step in range(3) for track in ("inbound", "outbound")]
        self.at += 60
        self.low_water.read(octets, frames, lacking, frames[-1].at / 1000 + self.apart + delay)
        return self.low_water.mark


@pytest.fixture
def line():
    """One that is known."""
    line = Line()
    line.frame_by_frame(12)
    return line


def test_before_anything_is_known_every_frame_is_read():
    line = Line()
    line.frame_by_frame(11)

    assert line.low_water.mark == 1


def test_the_mark_is_half_a_frame_below_what_is_lacking(line):
    assert line.chunk() == round(5.5 * FRAME)
    assert line.chunk(lacking=3) == round(2.5 * FRAME)


@pytest.mark.parametrize("lacking", [0, 1])
def test_where_any_frame_may_be_the_one_every_frame_is_read(line, lacking):
    assert line.chunk(lacking=lacking) == 1


def test_what_is_late_is_waited_for_30_ms_longer_than_a_chunk_lasts(line):
    line.chunk()

    assert line.low_water.patience == pytest.approx(0.090)


def test_once_given_up_the_next_frame_is_read(line):
    line.chunk()
    line.low_water.give_up()

    assert line.low_water.mark == 1


def test_a_chunk_after_it_was_given_up_has_its_mark_again(line):
    """Nothing else has changed by then, which is no reason to leave it at that."""
    for _ in range(30):
        mark = line.chunk()
    line.low_water.give_up()

    assert line.chunk() == mark > 1


def test_lengths_of_frames_are_learned_as_they_change(line):
    for _ in range(60):
        mark = line.chunk(octets=6 * 600)

    assert mark == pytest.approx(5.5 * 600, abs=32)


@pytest.mark.parametrize(("delay", "off"), [(0.0, False), (0.002, False), (0.004, True), (0.021, True)])
def test_a_sender_whose_frames_are_held_back_by_the_mark_gets_none(line, delay, off):
    for _ in range(25):
        line.chunk(delay)

    assert (line.chunk(delay) == 1) is off
    assert repr(line.low_water) == ("<LowWater off>" if off else f"<LowWater {round(5.5 * FRAME)}>")


def test_a_process_that_was_busy_once_has_its_mark_again(line):
    for _ in range(25):
        line.chunk(0.03)
    assert line.chunk() == 1

    line.frame_by_frame(500 + 12)
    for _ in range(25):
        line.chunk()

    assert line.chunk() > 1


def test_a_sender_that_holds_back_is_tried_less_and_less_often(line):
    tried = []
    for _ in range(20_000):
        if line.low_water.mark > 1:
            line.chunk(0.021)
            tried.append(line.at // 20)
        else:
            line.frame_by_frame(1)

    pauses = [after - before for before, after in zip(tried, tried[1:], strict=False) if after - before > 100]
    assert pauses == [pytest.approx(500 * 4**number, rel=0.1) for number in range(3)]


def test_a_line_that_jitters_keeps_its_mark(line):
    for number in range(25):
        line.chunk(0.03 if number % 12 == 0 else 0.0)

    assert line.chunk() > 1


def test_after_a_second_a_clock_that_drifts_is_no_delay(line):
    for _ in range(25):
        line.chunk()
    for _ in range(100):
        line.chunk(0.05)

    assert line.chunk() > 1


def test_chunks_that_are_completed_by_more_than_they_lack_give_the_mark_away(line):
    """As a sender does that waits to be acknowledged: its frames come in a burst, too few or too many."""
    for _ in range(30):
        line.chunk()
        frames = [media("inbound", line.at + 20 * step) for step in range(9)]
        line.at += 180
        line.low_water.read(9 * FRAME, frames, 6, frames[-1].at / 1000)

    assert repr(line.low_water) == "<LowWater off>"


def test_a_track_that_began_later_tells_nothing_of_delays():
    line = Line()
    for step in range(24):
        line.low_water.read(FRAME, [media("inbound", 20 * step)], 6, 0.02 * step)
    for step in range(30):
        frames = [media("outbound", 500 + 60 * step + 20 * each) for each in range(6)]
        line.low_water.read(6 * FRAME, frames, 6, frames[-1].at / 1000 + 9.0)

    assert repr(line.low_water) == f"<LowWater {round(5.5 * FRAME)}>"


def test_chunks_that_do_not_come_in_time_give_it_away_too(line):
    for _ in range(25):
        line.chunk()
        line.low_water.read(FRAME, [media("inbound", line.at)], 6, line.at / 1000)

    assert repr(line.low_water) == "<LowWater off>"


def test_tracks_that_come_together_are_two():
    line = Line(apart=0.0)
    for _ in range(24):
        frames = [media(track, line.at) for track in ("inbound", "outbound")]
        line.low_water.read(2 * FRAME, frames, 6, line.at / 1000)
        line.at += 20
    line.chunk()

    assert line.low_water.patience == pytest.approx(0.090)


# With an aligner behind it, and a kernel before it that counts octets.

SWEEP = 0.030
"""Seconds between two looks at what is late, as the kernel's marks are swept."""


def arriving(seconds, apart=0.010, tracks=("inbound", "outbound"), jitter=None, leave_out=()):
    """Frames as they come: (the moment, a frame). `leave_out`: steps that one track does not send."""
    for step in range(round(seconds * 50)):
        for place, track in enumerate(tracks):
            if (track, step) not in leave_out:
                late = jitter.random() * 0.008 if jitter else 0.0
                yield 0.02 * step + place * apart + late, Media(track, 20 * step, None, bytes([step % 250]) * 160)


def play(arrivals, marked=True):
    """How many reads it takes, and when each chunk goes out."""
    aligner, low_water = Aligner(AlignPolicy()), LowWater()
    source, _ = aligner.open_stream(0)
    waiting, out, reads, late_at = [], [], 0, inf

    def read(now):
        nonlocal reads, late_at
        frames = waiting.copy()
        waiting.clear()
        reads += 1
        aligner.receive(frames, source, now)
        out.extend([now] * (len(aligner.data_to_send()) // 960))
        if marked:
            low_water.read(FRAME * len(frames), frames, aligner.lacking(source, 160), now)
        late_at = now + low_water.patience if low_water.mark > 1 else inf

    sweeps = [(SWEEP * number, None) for number in range(1, round(arrivals[-1][0] / SWEEP) + 5)]
    for now, frame in sorted([*arrivals, *sweeps], key=lambda one: one[0]):
        if frame:
            waiting.append(frame)
        elif now >= late_at:
            low_water.give_up()
        if waiting and len(waiting) * FRAME >= low_water.mark:
            read(now)
    return reads, out


@pytest.mark.parametrize("apart", [0.0, 0.003, 0.010])
def test_a_second_of_a_call_takes_20_reads_at_the_most(apart):
    reads, out = play([*arriving(60, apart)])

    assert reads <= 20 * 60
    assert out == play([*arriving(60, apart)], marked=False)[1]


def test_so_does_a_call_on_a_line_that_jitters():
    reads, _ = play([*arriving(60, jitter=Random(1))])

    assert reads <= 22 * 60


def test_a_call_of_one_track_takes_two_reads_a_chunk():
    """Its chunk goes out with the frame after it, which tells that the other track has none."""
    reads, out = play([*arriving(60, tracks=("inbound",))])

    assert reads <= 34 * 60
    assert out == play([*arriving(60, tracks=("inbound",))], marked=False)[1]


def test_when_a_track_stops_no_chunk_is_late_by_more_than_60_ms():
    gone = {("outbound", step) for step in range(200, 300)}
    marked, plain = (play([*arriving(20, leave_out=gone)], marked)[1] for marked in (True, False))

    assert len(marked) == len(plain)
    assert max(late - in_time for late, in_time in zip(marked, plain, strict=True)) <= 0.060 + 1e-9


def test_a_frame_that_is_lost_delays_no_chunk_by_more_than_60_ms():
    gone = {("inbound", step) for step in range(100, 900, 37)}
    marked, plain = (play([*arriving(20, leave_out=gone)], marked)[1] for marked in (True, False))

    assert len(marked) == len(plain)
    assert max(late - in_time for late, in_time in zip(marked, plain, strict=True)) <= 0.060 + 1e-9
