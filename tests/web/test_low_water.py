"""How much is to be waited for, by the reads that there were; the clock is the test's."""

import pytest

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


def test_lengths_of_frames_are_learned_as_they_change(line):
    for _ in range(60):
        mark = line.chunk(octets=6 * 600)

    assert mark == pytest.approx(5.5 * 600, abs=32)


@pytest.mark.parametrize(("delay", "off"), [(0.0, False), (0.007, False), (0.009, True), (0.021, True)])
def test_a_sender_whose_frames_are_held_back_by_the_mark_gets_none(line, delay, off):
    for _ in range(13):
        line.chunk(delay)

    assert (line.chunk(delay) == 1) is off
    assert repr(line.low_water) == ("<LowWater off>" if off else f"<LowWater {round(5.5 * FRAME)}>")


def test_a_line_that_jitters_keeps_its_mark(line):
    for number in range(13):
        line.chunk(0.03 if number % 5 == 0 else 0.0)

    assert line.chunk() > 1


def test_after_a_second_a_clock_that_drifts_is_no_delay(line):
    for _ in range(13):
        line.chunk()
    for _ in range(100):
        line.chunk(0.05)

    assert line.chunk() > 1


def test_tracks_that_come_together_are_two():
    line = Line(apart=0.0)
    for _ in range(24):
        frames = [media(track, line.at) for track in ("inbound", "outbound")]
        line.low_water.read(2 * FRAME, frames, 6, line.at / 1000)
        line.at += 20
    line.chunk()

    assert line.low_water.patience == pytest.approx(0.090)
