"""Which timestamps to believe. A stamp is in samples: 160 are 20 ms."""

from collections import Counter
from math import inf

import pytest

from bridge.align.clock import MAX_OPENING, Clock, Stamped
from bridge.align.gaps import Gap
from bridge.align.policy import AlignPolicy
from bridge.align.track import Frame, Track

SECOND = 8000
FRAME = b"a" * 160


class Room:
    """A clock and two tracks, with the aligner's part of placing frames."""

    def __init__(self, start: int = 0) -> None:
        self.counters: Counter[str] = Counter()
        told: list[Gap] = []
        policy = AlignPolicy()
        self.inbound = Track("inbound", policy, self.counters, told)
        self.outbound = Track("outbound", policy, self.counters, told)
        self.clock = Clock(start, policy, self.counters)
        self.placed: list[tuple[str, int]] = []

    def receive(self, stamp: int, track: Track | None = None, payload: bytes = FRAME) -> int:
        """Returns how many frames found their place by this one."""
        frame = Stamped(track or self.inbound, stamp, None, payload)
        return self.place(self.clock.receive(frame, max(self.inbound.next, self.outbound.next)))

    def place(self, frames: list[Stamped]) -> int:
        for track, stamp, sequence, payload in frames:
            position = stamp + self.clock.shift
            self.clock.newest = max(self.clock.newest, position)
            track.receive(Frame(position, sequence, payload), self.clock.newest, repeated=False)
            self.placed.append((track.name, position))
        return len(frames)

    def positions(self) -> list[int]:
        return [position for _, position in self.placed]


@pytest.fixture
def running() -> Room:
    """Ten frames of both tracks have come; the stream's clock began at a second, the call's at 0."""
    room = Room()
    for stamp in range(SECOND, SECOND + 1600, 160):
        room.receive(stamp, room.inbound)
        room.receive(stamp, room.outbound)
    assert room.clock.running
    assert room.inbound.next == room.outbound.next == 1600
    return room


def test_the_earliest_frame_is_the_start() -> None:
    room = Room(start=5000)

    assert [room.receive(stamp) for stamp in (1240, 1080, 1400, 1560)] == [0, 0, 0, 4]
    assert room.positions() == [5000, 5160, 5320, 5480]


def test_the_start_waits_for_time_to_pass_not_for_audio_to_pile_up() -> None:
    room = Room()

    assert room.receive(0, payload=b"a" * 8000) == 0
    assert room.receive(8000, payload=b"b" * 8000) == 2


def test_a_stream_without_end_at_one_moment_starts_all_the_same() -> None:
    room = Room()

    assert [room.receive(800) for _ in range(MAX_OPENING)][-1] == MAX_OPENING


def test_the_start_may_be_asked_for() -> None:
    room = Room()
    assert room.clock.start(0) == []
    assert not room.clock.running
    room.receive(960)
    room.receive(800)

    assert room.place(room.clock.start(0)) == 2
    assert room.positions() == [0, 160]
    assert room.clock.start(0) == []


def test_garbage_at_the_start_that_is_far_too_late_is_not_believed() -> None:
    room = Room()
    for stamp in (10**12, 800, 960, 1120):
        room.receive(stamp)

    assert room.positions() == [0, 160, 320]
    assert room.counters == {"stray": 1}


def test_garbage_at_the_start_that_is_far_too_early_costs_nothing_but_itself() -> None:
    room = Room()
    for stamp in (-(10**12), 800, 960, 1120, 1280):
        room.receive(stamp)

    assert room.positions() == [0, 160, 320, 480, 640]
    assert room.counters == {"resets": 1}


@pytest.mark.parametrize("leap", [-2 * SECOND - 2000, 2 * SECOND + 2000, 10**12, -(10**12)])
def test_one_timestamp_far_off_is_dropped(running: Room, leap: int) -> None:
    stamp = SECOND + 1600

    assert running.receive(stamp + leap) == 0
    assert running.receive(stamp) == 1
    assert running.counters == {"stray": 1}
    assert running.positions()[-1] == 1600


@pytest.mark.parametrize("leap", [-2 * SECOND + 200, 2 * SECOND - 200])
def test_a_timestamp_within_two_seconds_is_believed(running: Room, leap: int) -> None:
    assert running.receive(SECOND + 1440 + leap) == 1


def test_two_that_agree_are_not_enough(running: Room) -> None:
    stamp = SECOND + 1600

    assert [running.receive(s) for s in (stamp + 10**6, stamp + 10**6 + 160, stamp)] == [0, 0, 1]
    assert running.counters == {"stray": 2}


def test_three_that_do_not_agree_are_not_believed(running: Room) -> None:
    assert [running.receive(stamp) for stamp in (10**6, 10**7, 10**8, 10**9)] == [0, 0, 0, 0]
    assert running.counters == {"stray": 3}


@pytest.mark.parametrize("back_to", [0, 800, -(10**9)])
def test_a_clock_set_back_goes_on_where_it_was(running: Room, back_to: int) -> None:
    for place in range(800):  # far enough that any of them is a leap
        running.receive(SECOND + 1600 + 160 * place, running.inbound)
        running.receive(SECOND + 1600 + 160 * place, running.outbound)
    end = running.inbound.next
    running.placed.clear()
    for place in range(3):
        running.receive(back_to + 160 * place, running.inbound)
        running.receive(back_to + 160 * place, running.outbound)

    assert running.positions() == [end, end, end + 160, end + 160, end + 320, end + 320]
    assert running.counters == {"resets": 1}
    assert b"\xff" not in running.inbound.audio + running.outbound.audio


def test_a_leap_ahead_of_more_than_a_minute_is_a_new_clock(running: Room) -> None:
    stamp = SECOND + 1440 + 61 * SECOND
    assert [running.receive(stamp + 160 * place) for place in range(3)] == [0, 0, 3]

    assert running.positions()[-3:] == [1600, 1760, 1920]
    assert running.counters == {"resets": 1}


def test_a_leap_ahead_of_up_to_a_minute_is_a_gap(running: Room) -> None:
    stamp = SECOND + 1440 + 60 * SECOND
    assert [running.receive(stamp + 160 * place) for place in range(3)] == [0, 0, 3]

    assert running.positions()[-3:] == [1440 + 60 * SECOND + 160 * place for place in range(3)]
    assert not running.counters


@pytest.mark.parametrize("apart", [-480, -160, 0, 160, 480])
def test_tracks_that_disagree_about_the_new_clock_lose_nothing(running: Room, apart: int) -> None:
    """Outbound is a frame behind when the clock is set again."""
    running.receive(SECOND + 1600, running.inbound)
    new = 10**9
    for place in range(5):
        running.receive(new + 160 * place, running.inbound)
        running.receive(new + 160 * place + apart, running.outbound)
    for track, count in ((running.inbound, 16), (running.outbound, 15)):
        track.give_up(inf, running.clock.newest)
        assert track.audio.count(b"a") == 160 * count

    assert running.counters["late"] == running.counters["trimmed"] == 0
    assert running.counters["resets"] == 1


def test_what_waits_on_the_old_clock_is_placed_before_the_new_one(running: Room) -> None:
    running.receive(SECOND + 1760)
    for place in range(3):
        running.receive(10**9 + 160 * place)

    assert running.inbound.audio == FRAME * 10 + b"\xff" * 160 + FRAME * 4


def test_a_track_that_was_silent_begins_a_new_clock_behind_all_audio(running: Room) -> None:
    for place in range(50):
        running.receive(SECOND + 1600 + 160 * place, running.inbound)
    end = running.inbound.next
    for place in range(3):
        running.receive(10**9 + 160 * place, running.outbound)

    running.outbound.give_up(inf, end)
    assert running.positions()[-3:] == [end, end + 160, end + 320]


@pytest.mark.parametrize(("until", "goes_on"), [(1760, 1600), (5600, 1600), (5760, 5760)])
def test_a_track_begins_a_new_clock_where_its_own_audio_ends_unless_it_was_silent_for_half_a_second(
    running: Room, until: int, goes_on: int
) -> None:
    for position in range(1600, until, 160):
        running.receive(SECOND + position, running.inbound)
    for place in range(3):
        running.receive(10**9 + 160 * place, running.outbound)

    assert running.positions()[-3:] == [goes_on, goes_on + 160, goes_on + 320]


def test_256_frames_of_one_moment_are_looked_at() -> None:
    room = Room()

    assert [room.receive(800) for _ in range(256)] == [0] * 255 + [256]


def test_frames_of_one_moment_begin_in_the_order_of_their_numbers() -> None:
    room = Room()
    for number in (7, 3, None):
        room.clock.receive(Stamped(room.inbound, 800, number, FRAME), 0)

    assert [frame.sequence for frame in room.clock.start(0)] == [None, 3, 7]


@pytest.mark.parametrize(("leap", "believed"), [(2 * SECOND, 1), (2 * SECOND + 1, 0)])
def test_a_stamp_two_seconds_off_is_believed_at_once(running: Room, leap: int, believed: int) -> None:
    newest = SECOND + 1600 - 160

    assert running.receive(newest + leap) == believed
    assert running.receive(newest - leap) == (believed if leap > 2 * SECOND else 0)


@pytest.mark.parametrize(("apart", "found"), [(SECOND // 2, 3), (SECOND // 2 + 1, 0)])
def test_strays_half_a_second_apart_agree(running: Room, apart: int, found: int) -> None:
    strays = [100 * SECOND + apart * number for number in range(3)]

    assert [running.receive(stamp) for stamp in strays][-1] == found
