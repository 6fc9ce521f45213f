"""What to ask for at once: spans of what is lacking, and where to cut a long one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio import AudioFormat, silence
from bridge.call import pieces
from bridge.events import Stretch
from bridge.spans import SpanSet

SECOND = 8000


def lacking(*stretches):
    return [Stretch(track=track, from_=start, to=end) for track, start, end in stretches]


def test_both_tracks_are_asked_for_together_each_from_its_own_place():
    (piece,) = pieces.pieces(lacking(("inbound", 3.0, 10.0), ("outbound", 5.0, 10.0)))

    assert piece[:2] == (3 * SECOND, 10 * SECOND)
    assert piece.lacking == (SpanSet([(3 * SECOND, 10 * SECOND)]), SpanSet([(5 * SECOND, 10 * SECOND)]))


def test_what_a_track_has_in_the_middle_of_a_piece_is_not_asked_for_again():
    (piece,) = pieces.pieces(lacking(("inbound", 2.0, 3.0), ("inbound", 4.0, 9.0), ("outbound", 0.0, 10.0)))

    assert piece.lacking[0] == SpanSet([(2 * SECOND, 3 * SECOND), (4 * SECOND, 9 * SECOND)])


def test_a_track_that_lacks_nothing_gets_nothing():
    (piece,) = pieces.pieces(lacking(("outbound", 5.0, 10.0)))

    assert piece.lacking == (SpanSet(), SpanSet([(5 * SECOND, 10 * SECOND)]))


def test_stretches_that_do_not_touch_are_asked_for_apart():
    found = pieces.pieces(lacking(("inbound", 20.0, 30.0), ("inbound", 3.0, 10.0), ("outbound", 10.5, 11.0)))

    assert [(piece.start, piece.end) for piece in found] == [
        (3 * SECOND, 10 * SECOND),
        (84_000, 11 * SECOND),
        (20 * SECOND, 30 * SECOND),
    ]


@given(
    st.lists(st.tuples(st.sampled_from(["inbound", "outbound"]), st.integers(0, 90), st.integers(1, 30)), max_size=8)
)
def test_every_second_that_is_lacking_is_asked_for_once(stretches):
    found = pieces.pieces(lacking(*((track, start, start + size) for track, start, size in stretches)))
    wanted = {second for _, start, size in stretches for second in range(start, start + size)}
    asked = [second for piece in found for second in range(piece.start // SECOND, piece.end // SECOND)]

    assert sorted(asked) == sorted(wanted)
    for track, start, _ in stretches:
        (piece,) = [piece for piece in found if piece.start <= start * SECOND < piece.end]
        assert start * SECOND in piece.lacking[("inbound", "outbound").index(track)]


def speech(seconds):
    return b"\x10\x90" * round(seconds * SECOND)


def test_a_long_piece_is_cut_in_its_last_pause():
    audio = speech(30.0) + silence(SECOND * 2) + speech(4.0) + silence(SECOND * 2) + speech(3.0)
    at = pieces.cut(audio) / SECOND

    assert 35.0 < at < 36.0


def test_the_cut_is_in_the_middle_of_the_pause_that_was_found():
    assert pieces.cut(speech(30.0) + silence(2 * 3200) + speech(3.0)) == round(30.3 * SECOND)


@pytest.mark.parametrize(("after", "found"), [(19.4, True), (20.4, False)])
def test_a_pause_is_looked_for_in_the_last_twenty_seconds(after, found):
    audio = speech(30.0) + silence(2 * SECOND // 2) + speech(after)

    assert (pieces.cut(audio) < len(audio) // 2) is found


def test_where_nobody_pauses_nothing_is_thrown_away():
    assert pieces.cut(speech(30.0)) == 30 * SECOND
    assert pieces.cut(speech(0.1)) == SECOND // 10


def test_half_of_a_piece_is_cut_as_any_other_and_never_too_little():
    long = bytes([1]) * (40 * SECOND) + silence(2 * SECOND) + bytes([1]) * (40 * SECOND)

    assert len(pieces.half(long)) <= len(long) // 2
    assert pieces.half(long)[-1:] == silence(1)[:1], "in the pause"
    assert pieces.half(bytes([1]) * (2 * 2 * pieces.SHORTEST - 2)) == b""
    assert len(pieces.half(bytes([1]) * (2 * 2 * pieces.SHORTEST))) == 2 * pieces.SHORTEST


def test_better_audio_is_cut_at_the_same_pause():
    linear = AudioFormat("linear16", 16_000, 1)
    loud, quiet = b"\x00\x30" * 2 * SECOND, bytes(2 * 2 * SECOND)
    audio = loud * 20 + quiet + loud * 2

    assert 20 * SECOND < pieces.cut(audio, linear) < 21 * SECOND
    assert pieces.cut(audio, linear) == pieces.cut(linear.stereo(audio))
    assert len(pieces.half(audio, linear)) == 4 * len(pieces.half(linear.stereo(audio))) // 2
