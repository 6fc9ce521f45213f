"""Several streams of one call at once: one for each track, or a fork that came twice.

A step is 20 ms. What a fork carries is the same audio in all its streams, on a clock of each stream's own.
"""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.align import Aligner, AlignPolicy, Gap
from bridge.align.source import Source
from bridge.carriers.messages import Media
from tests.fakes.gaps import gap
from tests.fakes.stereo import deinterleave

IN, OUT = "inbound", "outbound"
SILENT = b"\xff" * 160
SPEECH = {track: [random.Random(f"{track}{step}").randbytes(160) for step in range(400)] for track in (IN, OUT)}


def spoken(track: str, steps: Iterable[int]) -> bytes:
    return b"".join(SPEECH[track][step] for step in steps)


class Fork:
    """One stream, with a clock and numbers of its own."""

    def __init__(self, call: "Call", position: int, clock: int, lag: int = 0) -> None:
        """`lag`: milliseconds by which the stream came later than its place says."""
        self.call = call
        self.clock = clock - lag
        self.first: int | None = None
        self.sequence = 1
        self.source, _ = call.aligner.open_stream(position)

    def send(self, step: int, *tracks: str, silent: bool = False) -> None:
        for track in tracks or (IN, OUT):
            self.sequence += 1
            self.first = step if self.first is None else self.first
            at = self.clock + 20 * (step - self.first)
            payload = SILENT if silent else SPEECH[track][step]
            self.call.receive(Media(track, at, self.sequence, payload), self.source)

    def end(self) -> None:
        self.call.aligner.end_stream(self.source)


class Call:
    def __init__(self) -> None:
        self.aligner = Aligner(AlignPolicy())
        self.stereo = b""
        self.gaps: list[Gap] = []

    def receive(self, media: Media, source: Source) -> None:
        self.aligner.receive([media], source)
        self.stereo += self.aligner.data_to_send()
        self.gaps += self.aligner.events_received()

    def flush(self) -> tuple[bytes, bytes]:
        self.stereo += self.aligner.flush()
        self.gaps += self.aligner.events_received()
        inbound, outbound = deinterleave(self.stereo)
        return inbound, outbound


def test_a_stream_for_each_track_is_one_call() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 5000)
    for step in range(100):
        one.send(step, IN)
        two.send(step, OUT)

    assert call.flush() == (spoken(IN, range(100)), spoken(OUT, range(100)))
    assert call.gaps == []


def test_the_tracks_of_two_streams_are_placed_on_one_clock() -> None:
    call = Call()
    one = Fork(call, 0, 99)
    for step in range(10):
        one.send(step, IN)
    two = Fork(call, 10 * 160, 77)
    for step in range(10, 60):
        one.send(step, IN)
        two.send(step, OUT)

    assert call.flush() == (spoken(IN, range(60)), SILENT * 10 + spoken(OUT, range(10, 60)))
    assert call.gaps == []


@pytest.mark.parametrize("first", [0, 1])
def test_two_streams_that_open_at_once_lose_no_first_frame(first: int) -> None:
    """As after a restart: whichever clock is known first, the other stream's frames find their place free."""
    call = Call()
    call.aligner.advance(800)
    ways = [(Fork(call, 800, 99), IN), (Fork(call, 800, 5000), OUT)]
    fork, track = ways[first]
    other, theirs = ways[1 - first]
    for step in range(4):
        fork.send(step, track)
    for step in range(50):
        if step >= 4:
            fork.send(step, track)
        other.send(step, theirs)
    inbound, outbound = call.flush()

    assert inbound[800:] == spoken(IN, range(50))
    assert outbound[800:] == spoken(OUT, range(50))
    assert call.aligner.counters["late"] == 0


def test_when_one_tracks_stream_ends_the_other_track_goes_on() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 5000)
    for step in range(50):
        one.send(step, IN)
        two.send(step, OUT)
    one.end()
    one.send(50, IN)
    for step in range(50, 150):
        two.send(step, OUT)

    assert call.flush() == (spoken(IN, range(50)) + SILENT * 100, spoken(OUT, range(150)))
    assert call.gaps == [gap(IN, 1.0, 3.0, 2.0, "not_sent")]
    assert call.aligner.counters["after_end"] == 1


def test_a_track_whose_stream_came_back_has_a_gap_with_a_cause() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 5000)
    for step in range(50):
        one.send(step, IN)
        two.send(step, OUT)
    one.end()
    for step in range(50, 80):
        two.send(step, OUT)
    again = Fork(call, 80 * 160, 33)
    for step in range(80, 120):
        again.send(step, IN)
        two.send(step, OUT)

    assert call.flush() == (
        spoken(IN, range(50)) + SILENT * 30 + spoken(IN, range(80, 120)),
        spoken(OUT, range(120)),
    )
    assert call.gaps == [gap(IN, 1.0, 1.6, 0.6, "carrier_reconnected")]


@pytest.mark.parametrize("first_ends", [True, False])
@pytest.mark.parametrize("lag", [-200, -60, -7, 0, 7, 60, 200])
def test_a_fork_that_came_twice_is_heard_once_and_either_may_end(lag: int, first_ends: bool) -> None:
    call = Call()
    one = Fork(call, 0, 99)
    for step in range(20):
        one.send(step)
    # Its place is told by the moment at which it came, which is off by `lag`.
    two = Fork(call, 20 * 160 + 8 * lag, 4711)
    for step in range(20, 60):
        one.send(step)
        two.send(step)
    ends, goes_on = (one, two) if first_ends else (two, one)
    ends.end()
    for step in range(60, 120):
        goes_on.send(step)

    assert call.flush() == (spoken(IN, range(120)), spoken(OUT, range(120)))
    assert call.gaps == []


@pytest.mark.parametrize("ahead", [-3, 3])
def test_a_rival_may_be_some_frames_ahead_or_behind_on_the_wire(ahead: int) -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 99)
    for step in range(60):
        one.send(step)
        if step + ahead >= 0:
            two.send(step + ahead)
    one.end()
    for step in range(60, 120):
        two.send(step + ahead)

    last = 120 + ahead
    assert call.flush() == (spoken(IN, range(last)), spoken(OUT, range(last)))
    assert call.gaps == []
    assert call.aligner.counters["handed_over"] == 2


@pytest.mark.parametrize(("ahead", "takes_over"), [(4, False), (5, True)])
def test_a_rival_that_is_ahead_takes_over_when_the_other_has_had_its_time(ahead: int, takes_over: bool) -> None:
    """A frame is waited for until the newest one is 60 ms, or three frames, further than its end."""
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, ahead * 160, 155)
    for step in range(60):
        one.send(step)
        two.send(step + ahead)

    assert bool(call.aligner.counters["handed_over"]) is takes_over


@pytest.mark.parametrize(("behind", "ahead"), [(0, 0), (-3, 3)])
def test_of_three_forks_each_is_compared_with_the_one_that_is_heard(behind: int, ahead: int) -> None:
    call = Call()
    one = Fork(call, 0, 99)
    for step in range(20):
        one.send(step)
    two = Fork(call, (20 + behind) * 160 - 480, 4711)
    three = Fork(call, (20 + ahead) * 160 + 480, 33)
    for step in range(20, 140):
        if step < 60:
            one.send(step)
        if step == 60:
            one.end()
        if step < 100:
            two.send(step + behind)
        if step == 100:
            two.end()
        three.send(step + ahead)

    assert call.flush() == (spoken(IN, range(140 + ahead)), spoken(OUT, range(140 + ahead)))
    assert call.gaps == []


def test_a_fork_that_falls_silent_hands_over_before_anything_is_missed() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 155)
    for step in range(50):
        one.send(step)
        two.send(step)
    for step in range(50, 100):  # the socket of the first is still there, and carries nothing
        two.send(step)

    assert call.flush() == (spoken(IN, range(100)), spoken(OUT, range(100)))
    assert call.gaps == []
    assert (call.aligner.counters["handed_over"], call.aligner.counters["late"]) == (2, 0)


def test_what_is_lost_after_a_change_of_forks_is_known_by_the_numbers_of_the_other() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 155)
    for step in range(100):
        if step < 50:
            one.send(step)
        if step == 50:
            one.end()
        if step == 70:
            two.sequence += 2
        else:
            two.send(step)
    call.flush()

    assert call.gaps == [gap(track, 1.4, 1.42, 0.02, "lost") for track in (IN, OUT)]


def test_a_stream_that_sends_its_first_frame_and_no_more_holds_the_output_up_for_120_ms() -> None:
    call = Call()
    one = Fork(call, 0, 99)
    for step in range(30):
        one.send(step)
    Fork(call, 30 * 160, 4711).send(30)
    positions = []
    for step in range(30, 38):
        one.send(step)
        positions.append(call.aligner.position // 160)

    assert positions == [30] * 7 + [36]


@pytest.mark.parametrize("lag", [280, 60, -280])
def test_a_fork_that_is_read_in_a_burst_takes_nothing_from_the_first_before_they_are_in_step(lag: int) -> None:
    """As after a moment in which the process was busy: its place is told by when it was read, and it is read first."""
    call = Call()
    one = Fork(call, 0, 99)
    for step in range(50):
        one.send(step, silent=True)
    two = Fork(call, 50 * 160 + 8 * lag, 4711)
    for fork in (two, one):
        for step in range(50, 90):
            fork.send(step, silent=step < 80)
    for step in range(90, 120):
        one.send(step)
        two.send(step)
    inbound, outbound = call.flush()

    assert inbound == SILENT * 80 + spoken(IN, range(80, 120))
    assert outbound == SILENT * 80 + spoken(OUT, range(80, 120))
    assert call.gaps == []


def test_a_frame_that_one_fork_lost_before_they_are_in_step_is_lost() -> None:
    call = Call()
    one = Fork(call, 0, 99)
    two = Fork(call, 8 * 280, 4711)
    for step in range(120):
        if step != 40:
            one.send(step, silent=step < 60)
        else:
            one.sequence += 2
        two.send(step, silent=step < 60)
    inbound, _ = call.flush()

    assert inbound[: 120 * 160] == SILENT * 60 + spoken(IN, range(60, 120))
    assert call.gaps == [gap(track, 0.8, 0.82, 0.02, "lost") for track in (IN, OUT)]


def test_a_fork_that_stalls_for_good_before_they_are_in_step_hands_over_after_a_second() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 4711)
    for step in range(50):
        one.send(step, silent=True)
        two.send(step, silent=True)
    for step in range(50, 110):
        two.send(step, silent=True)
    assert call.aligner.counters["handed_over"] == 0
    for step in range(110, 200):
        two.send(step)
    inbound, _ = call.flush()

    assert inbound == SILENT * 110 + spoken(IN, range(110, 200))
    assert call.aligner.counters["handed_over"] == 2


def test_the_fork_that_was_heard_before_is_still_in_step() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 8 * 60, 4711)
    for step in range(60):
        one.send(step)
        two.send(step)
    for step in range(60, 80):
        two.send(step)  # the first stalls
    for step in range(80, 120):
        one.send(step, silent=True)  # and the second does, in silence
    inbound, _ = call.flush()

    assert inbound == spoken(IN, range(80)) + SILENT * 40
    assert call.gaps == []


def test_a_frame_that_one_fork_lost_comes_from_the_other() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 155)
    for step in range(100):
        if step != 40:
            one.send(step)
        else:
            one.sequence += 2
            one.first = one.first or 0
        two.send(step)

    assert call.flush() == (spoken(IN, range(100)), spoken(OUT, range(100)))
    assert call.gaps == []


def test_sounds_that_are_alike_by_chance_move_no_clock() -> None:
    """A tone repeats every frame: each of them agrees with the nearest only."""
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 4711)
    tone = bytes(range(160))
    for step in range(60):
        for fork in (one, two):
            fork.sequence += 1
            call.receive(Media(IN, fork.clock + 20 * step, fork.sequence, tone), fork.source)
    one.end()
    for step in range(60, 100):
        two.sequence += 1
        call.receive(Media(IN, two.clock + 20 * step, two.sequence, tone), two.source)
    inbound, _ = call.flush()

    assert inbound == tone * 100


def test_what_an_ended_stream_still_sends_is_counted() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 155)
    for step in range(20):
        one.send(step)
        two.send(step)
    one.end()
    one.end()
    one.send(20)
    for step in range(20, 40):
        two.send(step)

    assert call.flush() == (spoken(IN, range(40)), spoken(OUT, range(40)))
    assert call.aligner.counters["after_end"] == 2


def test_three_forks_end_one_after_the_other() -> None:
    call = Call()
    forks = [Fork(call, 0, clock) for clock in (99, 4711, 3)]
    for step in range(120):
        for index, fork in enumerate(forks):
            if step < 40 * (index + 1):
                fork.send(step)
            elif step == 40 * (index + 1):
                fork.end()

    assert call.flush() == (spoken(IN, range(120)), spoken(OUT, range(120)))
    assert call.gaps == []


@settings(deadline=None, max_examples=40)
@given(
    lag=st.integers(-200, 200),
    begins=st.integers(5, 60),
    ends=st.integers(70, 140),
    lost=st.sets(st.tuples(st.integers(0, 1), st.integers(65, 139)), max_size=12),
)
def test_whatever_one_of_two_forks_loses_the_other_has(
    lag: int, begins: int, ends: int, lost: set[tuple[int, int]]
) -> None:
    call = Call()
    one = Fork(call, 0, 99)
    two: Fork | None = None
    for step in range(160):
        if step == begins:
            two = Fork(call, max(0, begins * 160 + 8 * lag), 77)
        if step < ends and (0, step) not in lost:
            one.send(step)
        elif step == ends:
            one.end()
        # The second one never loses what the first has lost, nor anything shortly before the first ends.
        if two and ((1, step) not in lost or (0, step) in lost or step >= ends - 4):
            two.send(step)
    inbound, outbound = call.flush()

    assert inbound == spoken(IN, range(160))
    assert outbound == spoken(OUT, range(160))


def test_a_stream_left_alone_is_compared_with_no_other() -> None:
    call = Call()
    one, two, three = Fork(call, 0, 99), Fork(call, 0, 155), Fork(call, 0, 3)
    for step in range(20):
        for fork in (one, two, three):
            fork.send(step)
    three.end()
    assert one.source.recent and two.source.recent, "two are still compared"
    two.end()
    assert one.source.recent == {}
    for step in range(20, 30):
        one.send(step)

    assert not any(track.shared for track in call.aligner._pair)
    assert all(track.in_step for track in call.aligner._pair)
    # What is not heard is counted: what came of the two before they ended.
    assert call.aligner.counters == {"rival": 2 * 2 * 20}


def test_of_two_forks_no_frame_is_kept_waiting() -> None:
    call = Call()
    one, two = Fork(call, 0, 99), Fork(call, 0, 155)
    for step in range(300):
        one.send(step)
        two.send(step)
        assert step < 10 or call.aligner.received == 160 * (step + 1)
