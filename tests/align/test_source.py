"""What a stream remembers of its frames, and what they tell of its clock."""

from collections import Counter, deque

import pytest

from bridge.align import AlignPolicy
from bridge.align.clock import Clock
from bridge.align.source import Source
from bridge.align.track import Frame, Track

# A source alone

SOUND = bytes(range(160))


def alone() -> Source:
    return Source(Clock(0, AlignPolicy(), Counter()), "carrier_reconnected")


def test_a_source_remembers_the_newest_64_frames() -> None:
    source = alone()
    track = Track("inbound", AlignPolicy(), Counter(), [])
    for number in range(65):
        source.keep(track, Frame(160 * number, None, bytes([number]) + SOUND))

    assert source.distance(track, Frame(0, None, bytes([0]) + SOUND)) is None
    assert source.distance(track, Frame(160, None, bytes([1]) + SOUND)) == 0


@pytest.mark.parametrize(
    ("position", "distance"), [(2400, 2400), (2401, None), (-2400, -2400), (-2401, None), (7, 7), (0, 0)]
)
def test_a_sound_tells_a_distance_of_300_ms_at_most(position: int, distance: int | None) -> None:
    source = alone()
    track = Track("inbound", AlignPolicy(), Counter(), [])
    source.keep(track, Frame(0, None, SOUND))

    assert source.distance(track, Frame(position, None, SOUND)) == distance


def test_of_a_sound_that_repeats_the_nearest_tells_the_distance() -> None:
    source = alone()
    track = Track("inbound", AlignPolicy(), Counter(), [])
    for position in (0, 160, 320, 480):
        source.keep(track, Frame(position, None, SOUND))

    assert [source.distance(track, Frame(position, None, SOUND)) for position in (165, 300, 640)] == [5, -20, 160]


@pytest.mark.parametrize(("payload", "told"), [(SOUND[:79], False), (SOUND[:80], True), (b"\xff" * 160, False)])
def test_what_is_short_or_silent_tells_no_distance(payload: bytes, told: bool) -> None:
    source = alone()
    track = Track("inbound", AlignPolicy(), Counter(), [])
    source.keep(track, Frame(0, None, payload))

    assert (source.distance(track, Frame(0, None, payload)) is not None) is told


@pytest.mark.parametrize(
    ("distances", "in_step", "shift"),
    [
        ([0], False, 0),
        ([100], False, 0),
        ([0, 0], True, 0),
        ([31, 31], True, 0),
        ([32, 32], True, 32),
        ([-32, -32], True, -32),
        ([100, 131], True, 131),
        ([100, 132], False, 0),
        ([100, 0, 100], False, 0),
        ([100, 100, 32], True, 100),
        ([100, 100, 100], True, 100),
        ([100, 100, 50, 50], True, 150),
    ],
)
def test_a_clock_is_put_right_when_two_frames_in_a_row_agree(distances: list[int], in_step: bool, shift: int) -> None:
    source = alone()
    track = Track("inbound", AlignPolicy(), Counter(), [])
    source.keep(track, Frame(1000, None, SOUND))
    for distance in distances:
        source.learn(distance)

    assert (source.in_step, source.clock.shift, source.clock.newest) == (in_step, shift, shift)
    assert source.recent == {track: deque([Frame(1000 + shift, None, SOUND)])}
