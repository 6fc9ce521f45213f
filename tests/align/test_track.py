"""Where a frame is placed: one test per geometric case. Positions are samples; 160 are 20 ms, wobble is below 80."""

from collections import Counter
from collections.abc import Callable

import pytest

from bridge.align.gaps import Gap
from bridge.align.policy import AlignPolicy
from bridge.align.sequence import Sequence
from bridge.align.track import DRIFT, MAX_PENDING, Frame, Track
from tests.fakes.gaps import gap

A, B, C, D = (letter * 160 for letter in (b"a", b"b", b"c", b"d"))


class Room:
    """A track with what it shares with the aligner."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.told: list[Gap] = []
        self.track = Track("inbound", AlignPolicy(), self.counters, self.told)
        self.sequences = self.track.sequence

    def receive(self, position: int, payload: bytes, sequence: int | None = None, newest: int | None = None) -> None:
        repeated = sequence is not None and not self.sequences.receive(sequence)
        newest = position if newest is None else newest
        self.track.receive(Frame(position, sequence, payload), newest, repeated=repeated)

    @property
    def audio(self) -> bytes:
        return bytes(self.track.audio)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def speaking(room: Room) -> Room:
    """The track has had its first frame."""
    room.receive(0, A, 2)
    return room


def silent(samples: int) -> bytes:
    return b"\xff" * samples


def test_the_next_frame_follows(speaking: Room) -> None:
    speaking.receive(160, B, 3)

    assert speaking.audio == A + B
    assert speaking.track.next == 320
    assert speaking.track.in_step


@pytest.mark.parametrize("wobble", [-79, -16, -1, 1, 16, 79])
def test_a_frame_that_wobbles_follows_octet_for_octet(speaking: Room, wobble: int) -> None:
    speaking.receive(160 + wobble, B, 3)
    speaking.receive(320, C, 4)

    assert speaking.audio == A + B + C
    assert not speaking.counters


def test_a_frame_too_early_waits_for_the_one_before_it(speaking: Room) -> None:
    speaking.receive(320, C, 4)
    assert speaking.audio == A
    assert not speaking.track.in_step
    assert repr(speaking.track) == "inbound at 0.020 s, 1 waiting"
    speaking.receive(160, B, 3, newest=320)

    assert speaking.audio == A + B + C
    assert speaking.track.in_step
    assert repr(speaking.track) == "inbound at 0.060 s"


def test_several_that_wait_are_put_in_order(speaking: Room) -> None:
    speaking.receive(480, D, 5)
    speaking.receive(320, C, 4, newest=480)
    speaking.receive(160, B, 3, newest=480)

    assert speaking.audio == A + B + C + D


def test_what_fills_one_gap_leaves_the_next_one_open(speaking: Room) -> None:
    speaking.receive(320, C, 4)
    speaking.receive(640, D, 6)
    speaking.receive(160, B, 3, newest=640)

    assert speaking.audio == A + B + C
    assert not speaking.track.in_step


def test_silence_takes_the_place_of_what_is_given_up(speaking: Room) -> None:
    speaking.receive(320, C, 4)
    speaking.track.give_up(319, newest=800)
    assert speaking.audio == A
    speaking.track.give_up(320, newest=800)
    speaking.track.gaps.tell()

    assert speaking.audio == A + silent(160) + C
    assert speaking.track.in_step
    assert speaking.told == [gap("inbound", 0.02, 0.04, 0.02, "lost")]


def test_a_frame_after_a_gap_stands_where_its_timestamp_says(speaking: Room) -> None:
    speaking.receive(320 + 16, C, 4)
    speaking.track.give_up(1000, newest=1000)

    assert speaking.audio == A + silent(176) + C


@pytest.mark.parametrize("late", [1, 79])
def test_a_wobble_across_silence_loses_nothing(speaking: Room, late: int) -> None:
    speaking.track.fill(320)
    speaking.receive(320 - late, C, 3)

    assert speaking.audio == A + silent(160) + C
    assert not speaking.counters["late"]


@pytest.mark.parametrize("ahead", [1, 79])
def test_a_wobble_behind_silence_is_more_silence(speaking: Room, ahead: int) -> None:
    speaking.track.fill(320)
    speaking.receive(320 + ahead, C, 3)

    assert speaking.audio == A + silent(160 + ahead) + C


def test_of_a_frame_whose_head_came_too_late_the_rest_is_kept(speaking: Room) -> None:
    speaking.track.fill(160 + 100)
    speaking.receive(160, B, 3, newest=700)
    speaking.track.gaps.tell()

    assert speaking.audio == A + silent(100) + B[100:]
    assert speaking.counters["late"] == 1
    assert speaking.told == [gap("inbound", 0.02, 0.0325, 0.0125, "late")]


def test_a_frame_that_came_too_late_is_dropped(speaking: Room) -> None:
    speaking.track.fill(400)
    speaking.receive(160, B, 3, newest=700)
    speaking.receive(400, C, 4, newest=700)
    speaking.track.gaps.tell()

    assert speaking.audio == A + silent(240) + C
    assert speaking.counters["late"] == 1
    assert [gap.why for gap in speaking.told] == ["late"]


def test_a_frame_whose_place_was_given_up_for_a_newer_one_is_late(speaking: Room) -> None:
    speaking.receive(320, C, 4)
    speaking.track.give_up(320, newest=900)
    speaking.receive(160, B, 3, newest=900)
    speaking.receive(480, D, 5, newest=900)

    assert speaking.audio == A + silent(160) + C + D
    assert speaking.counters == {"holes": 1, "late": 1}


def test_late_frames_lengthen_the_wait_for_their_track(speaking: Room) -> None:
    speaking.track.fill(320)
    assert speaking.track.hold == 480
    speaking.receive(160, B, 3, newest=160 + 640)
    assert speaking.track.hold == 640 + 160
    speaking.receive(170, B, 4, newest=170 + 3999)
    assert speaking.track.hold == 4000


def test_a_frame_hopelessly_late_lengthens_nothing(speaking: Room) -> None:
    speaking.track.fill(320)
    speaking.receive(160, B, 3, newest=160 + 4001)

    assert speaking.track.hold == 480
    assert speaking.counters["late"] == 1


@pytest.mark.parametrize("number", [2, None])
def test_a_frame_that_comes_twice_counts_once(room: Room, number: int | None) -> None:
    room.receive(0, A, number)
    room.receive(0, A, number)
    room.receive(160, B, number and 3)

    assert room.audio == A + B
    assert room.counters == {"duplicate": 1}


@pytest.mark.parametrize("number", [2, None])
def test_an_older_frame_that_comes_again_is_a_duplicate(room: Room, number: int | None) -> None:
    for place, payload in enumerate((A, B, C)):
        room.receive(160 * place, payload, number and number + place)
    room.receive(160, B, number and 3, newest=320)

    assert room.audio == A + B + C
    assert room.counters == {"duplicate": 1}


@pytest.mark.parametrize("number", [2, None])
def test_a_waiting_frame_that_comes_again_is_a_duplicate(room: Room, number: int | None) -> None:
    room.receive(0, A, number)
    room.receive(320, C, number and 4)
    room.receive(320, C, number and 4)
    room.receive(160, B, number and 3, newest=320)

    assert room.audio == A + B + C
    assert room.counters == {"duplicate": 1}


def test_a_duplicate_that_wobbled_forward_is_still_one(speaking: Room) -> None:
    speaking.receive(160 + 40, B, 3)
    speaking.receive(160 + 40, B, 3)

    assert speaking.audio == A + B


def test_a_number_of_the_other_track_makes_no_duplicate(speaking: Room) -> None:
    """Some carriers count per track."""
    speaking.sequences.receive(3)
    speaking.receive(160, B, 3)

    assert speaking.audio == A + B
    assert not speaking.counters


def test_a_new_frame_stamped_far_askew_is_not_cut(speaking: Room) -> None:
    speaking.receive(160 - 100, B, 3)
    speaking.receive(320, C, 4)

    assert speaking.audio == A + B + C
    assert not speaking.counters


def test_of_a_frame_with_a_known_head_the_tail_is_kept(speaking: Room) -> None:
    speaking.receive(160, B, 3)
    speaking.receive(0, A + B + C, 4, newest=160)
    speaking.receive(480, D, 5)

    assert speaking.audio == A + B + C + D
    assert speaking.counters == {"trimmed": 320}


def test_payload_faster_than_its_timestamps_is_cut_to_time(room: Room) -> None:
    for place in range(50):
        room.receive(8 * place, A)

    assert abs(len(room.audio) - 400) <= 320
    assert room.counters["trimmed"] > 0


def test_octets_one_by_one(room: Room) -> None:
    """Eight samples share a millisecond, so timestamps repeat and lag behind the sum."""
    for place in range(800):
        room.receive(place // 8 * 8, bytes([place % 251]), place)

    assert room.audio == bytes(place % 251 for place in range(800))
    assert not room.counters


def test_octets_one_by_one_without_numbers(room: Room) -> None:
    for place in range(800):
        room.receive(place // 8 * 8, bytes([place % 251]))

    assert room.audio == bytes(place % 251 for place in range(800))


@pytest.mark.parametrize("size", [1, 7, 81, 159, 161, 799, 4000, 40000])
def test_frames_of_any_size(room: Room, size: int) -> None:
    expected = b""
    for place in range(6):
        payload = bytes([place]) * size
        room.receive(place * size // 8 * 8, payload, place + 2)
        expected += payload

    assert room.audio == expected
    assert not room.counters


def test_a_clock_that_runs_ahead_is_given_silence_once_in_a_while(room: Room) -> None:
    """Each frame is stamped 20.004 ms after the one before: 200 ppm."""
    for place in range(50 * 60):
        room.receive(round(place * 160.032), A)
        assert abs(room.track.next - (place + 1) * 160.032) <= DRIFT + 8

    assert room.counters == {"padded": 64}
    assert room.audio.count(b"\xff") == 64


def test_a_clock_that_falls_behind_is_given_fewer_samples(room: Room) -> None:
    for place in range(50 * 60):
        room.receive(round(place * 159.968), A)
        assert abs(room.track.next - (place + 1) * 159.968) <= DRIFT + 8

    assert room.counters == {"trimmed": 64}
    assert b"\xff" not in room.audio


@pytest.mark.parametrize(
    ("ahead", "counted"), [(63, {}), (64, {"padded": DRIFT}), (-63, {}), (-64, {"trimmed": DRIFT})]
)
def test_stamps_that_are_four_milliseconds_off_on_average_are_put_right(
    room: Room, ahead: int, counted: dict[str, int]
) -> None:
    """A frame of a second counts for half of the average."""
    room.receive(0, b"a" * 8000)
    room.receive(8000 + ahead, b"b" * 8000)

    assert room.counters == counted


def test_a_surplus_longer_than_a_frame_is_cut_from_several(room: Room) -> None:
    room.receive(0, b"a" * 8000)
    for place in range(12000):
        room.receive(8000 - 60 + place, b"b")

    assert 10 <= room.counters["trimmed"] <= 60 - DRIFT
    assert room.track.next == 20000 - room.counters["trimmed"]


def test_too_much_that_waits_is_dropped_and_counted(speaking: Room) -> None:
    for place in range(MAX_PENDING + 3):
        speaking.receive(1600 + place, B, 10 + place)

    assert speaking.counters == {"overflow": 3}


def test_silence_before_the_first_frame_is_no_gap(room: Room) -> None:
    room.track.fill(8000)
    assert not room.track.started
    room.receive(8000, A)
    room.track.gaps.tell()

    assert room.track.started
    assert room.told == []


def test_silence_is_filled_forward_only(speaking: Room) -> None:
    speaking.track.fill(100)

    assert speaking.audio == A
    assert speaking.track.in_step


def test_a_pause_is_not_sent_even_if_the_other_track_lost_a_frame_in_it(speaking: Room) -> None:
    speaking.track.fill(8000)
    for number in (*range(3, 20), *range(21, 50)):
        speaking.sequences.receive(number)
    speaking.receive(8000, B, 50)
    speaking.track.gaps.tell()

    assert [gap.why for gap in speaking.told] == ["not_sent"]


def test_a_gap_is_lost_if_the_numbers_of_most_of_it_are_missing(speaking: Room) -> None:
    speaking.track.fill(8000)
    for number in (3, 4, 5, 46):
        speaking.sequences.receive(number)
    speaking.receive(8000, B, 50)
    speaking.track.gaps.tell()

    assert [gap.why for gap in speaking.told] == ["lost"]


def test_without_numbers_nobody_knows_that_something_was_lost(room: Room) -> None:
    room.receive(0, A)
    room.receive(320, C)
    room.track.give_up(320, newest=900)
    room.track.gaps.tell()

    assert [gap.why for gap in room.told] == ["not_sent"]


def test_the_audio_is_taken_from_its_head(speaking: Room) -> None:
    speaking.receive(160, B, 3)

    assert speaking.track.take(200) == A + B[:40]
    assert speaking.audio == B[40:]
    assert speaking.track.next == 320


def test_silence_at_the_end_of_a_stream_is_a_gap_only_if_it_is_long(speaking: Room) -> None:
    speaking.track.end_stream(160 + 3999, pause=4000)
    assert speaking.told == []
    speaking.track.end_stream(160 + 4000, pause=4000)
    assert speaking.told == [gap("inbound", 0.02, 0.52, 0.5, "not_sent")]


def test_silence_at_the_end_is_lost_if_the_numbers_say_so(speaking: Room) -> None:
    speaking.sequences.receive(60)
    speaking.track.end_stream(8000, pause=4000)

    assert [gap.why for gap in speaking.told] == ["lost"]


def test_another_stream_goes_on_behind_silence_with_a_cause(speaking: Room) -> None:
    speaking.track.end_stream(320, pause=4000)
    speaking.track.fill(1600)
    speaking.track.begin_stream(Sequence(), "moved")
    speaking.receive(1600, B, 2)
    speaking.track.gaps.tell()

    assert speaking.audio == A + silent(1440) + B
    assert speaking.told == [gap("inbound", 0.02, 0.2, 0.18, "moved")]


def test_another_stream_of_a_track_that_never_spoke_leaves_no_gap(room: Room) -> None:
    room.track.fill(1600)
    room.track.begin_stream(Sequence(), "moved")
    room.receive(1600, A, 2)
    room.track.gaps.tell()

    assert room.told == []
    assert room.audio == silent(1600) + A


# At the bounds


def test_a_frame_half_a_frame_early_waits(speaking: Room) -> None:
    speaking.receive(240, C, 3)

    assert speaking.audio == A
    assert not speaking.track.in_step
    speaking.track.give_up(240, 240)
    assert speaking.audio == A + silent(80) + C


def test_what_waits_half_a_frame_behind_the_audio_goes_on_waiting(speaking: Room) -> None:
    speaking.receive(400, C, 4)
    speaking.receive(160, B, 3, newest=400)

    assert speaking.audio == A + B
    assert not speaking.track.in_step


def test_a_short_frame_at_the_place_of_the_last_is_late(room: Room) -> None:
    for number, position in enumerate((0, 80, 80), start=2):
        room.receive(position, bytes([number]) * 80, number)

    assert room.audio == b"\x02" * 80 + b"\x03" * 80
    assert room.counters == {"late": 1}


def test_a_frame_of_a_new_number_at_the_place_of_the_last_is_late(speaking: Room) -> None:
    speaking.receive(0, B, 3)

    assert speaking.audio == A
    assert speaking.counters == {"late": 1}


@pytest.mark.parametrize(("size", "duplicates"), [(7, 0), (8, 1)])
def test_without_numbers_a_frame_of_a_millisecond_is_known_by_its_timestamp(
    room: Room, size: int, duplicates: int
) -> None:
    for _ in range(2):
        room.receive(0, b"a" * size)

    assert room.counters["duplicate"] == duplicates


@pytest.mark.parametrize(("overlap", "kept"), [(159, 160), (160, 0), (161, 0), (200, 0)])
def test_a_new_frame_stamped_a_frame_askew_is_cut(room: Room, overlap: int, kept: int) -> None:
    room.receive(0, b"a" * 400, 2)
    room.receive(400 - overlap, B, 3)

    assert room.audio == b"a" * 400 + B[:kept]


@pytest.mark.parametrize(("size", "kept"), [(239, 0), (240, 80)])
def test_a_tail_of_half_a_frame_is_kept(room: Room, size: int, kept: int) -> None:
    room.receive(0, b"a" * 400, 2)
    room.receive(240, b"b" * size, 3)

    assert room.audio == b"a" * 400 + b"b" * kept


@pytest.mark.parametrize(("newest", "hold"), [(480, 480), (481, 641), (3999, 4000), (4000, 4000), (4001, 480)])
def test_the_wait_grows_to_half_a_second_at_most(speaking: Room, newest: int, hold: int) -> None:
    speaking.receive(320, C, 4)
    speaking.track.give_up(320, 320)
    speaking.receive(160, B, 3, newest=160 + newest)

    assert speaking.counters["late"] == 1
    assert speaking.track.hold == hold


def test_a_late_frame_in_silence_is_as_late_as_its_timestamp_says(speaking: Room) -> None:
    speaking.track.fill(480)
    speaking.receive(160, B, 3, newest=160 + 1000)

    assert speaking.track.hold == 1160


def test_silence_of_no_length_changes_nothing(speaking: Room) -> None:
    speaking.track.fill(160)

    assert speaking.track.in_step
    speaking.track.fill(161)
    assert not speaking.track.in_step


@pytest.mark.parametrize(("position", "why"), [(480, "lost"), (640, "not_sent"), (641, "not_sent")])
def test_a_hole_is_lost_if_the_numbers_of_half_of_it_are_missing(speaking: Room, position: int, why: str) -> None:
    speaking.receive(position, C, 4)
    speaking.track.give_up(position, position)
    speaking.track.gaps.tell()

    assert [gap.why for gap in speaking.told] == [why]


def test_another_stream_that_goes_on_at_once_leaves_no_hole(speaking: Room) -> None:
    speaking.track.begin_stream(Sequence(), "carrier_reconnected")
    assert not speaking.track.in_step
    speaking.track.receive(Frame(160, 2, B), 160, repeated=False)
    speaking.track.gaps.tell()

    assert (speaking.audio, speaking.told, dict(speaking.counters)) == (A + B, [], {})


def test_another_stream_that_goes_on_later_leaves_a_hole_with_a_cause(speaking: Room) -> None:
    speaking.track.begin_stream(Sequence(), "carrier_reconnected")
    speaking.track.receive(Frame(1600, 2, B), 1600, repeated=False)
    speaking.track.give_up(1600, 1600)
    speaking.track.gaps.tell()

    assert speaking.audio == A + silent(1440) + B
    assert speaking.told == [gap("inbound", 0.02, 0.2, 0.18, "carrier_reconnected")]


def test_of_another_stream_the_first_timestamp_decides(speaking: Room) -> None:
    speaking.track.begin_stream(Sequence(), "carrier_reconnected")
    speaking.track.receive(Frame(200, 2, B), 200, repeated=False)

    assert speaking.audio == A + silent(40) + B


def test_a_change_of_streams_forgets_what_waited_and_goes_on_where_the_audio_ends(speaking: Room) -> None:
    speaking.receive(160, B, 3)
    speaking.receive(480, D, 5)
    speaking.track.change_stream(Sequence())

    assert speaking.track.heard == 160
    speaking.track.give_up(480, 480)
    assert speaking.audio == A + B


def test_after_a_change_of_streams_the_first_frame_is_looked_at(speaking: Room) -> None:
    assert speaking.track.in_step
    speaking.track.change_stream(Sequence())

    assert not speaking.track.in_step


@pytest.mark.parametrize(
    "begin_anew",
    [lambda track: track.fill(track.next + 160), lambda track: track.change_stream(Sequence())],
    ids=["silence", "another stream"],
)
def test_how_far_stamps_ran_ahead_is_forgotten(room: Room, begin_anew: Callable[[Track], None]) -> None:
    """Stamps that are 79 samples ahead of the audio are put right after half a second of them."""
    room.receive(0, A)
    for _ in range(26):
        room.receive(room.track.next + 79, A)
    begin_anew(room.track)
    room.receive(room.track.next, A)
    for _ in range(26):
        room.receive(room.track.next + 79, A)
    assert not room.counters["padded"]

    room.receive(room.track.next + 79, A)
    assert room.counters["padded"]


def test_a_track_is_in_step_only_while_its_stream_goes_on(room: Room) -> None:
    assert not room.track.in_step
    room.receive(0, A, 2)
    assert room.track.in_step
    room.track.end_stream(160, 4000)
    assert not room.track.in_step


def test_frames_of_one_moment_wait_in_the_order_of_their_numbers(speaking: Room) -> None:
    speaking.receive(480, b"y" * 20, 6)
    speaking.receive(480, b"x" * 20, 5)
    speaking.track.give_up(480, 480)

    assert speaking.audio.endswith(b"x" * 20 + b"y" * 20)


def test_what_is_put_right_is_put_right_once(room: Room) -> None:
    position = 0
    while not room.counters["padded"]:
        room.receive(position, A)
        position += 161

    assert abs(room.track._deviation) < 1
