import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.window import AudioWindow


def filled(*chunks, limit=1000):
    window = AudioWindow(limit)
    for chunk in chunks:
        window.append(chunk)
    return window


def drain(window):
    out = b""
    while window.next_size():
        out += window.next_chunk()
    return out


def test_what_comes_in_goes_out_once():
    window = filled(b"aabb", b"cc")

    assert drain(window) == b"aabbcc"
    assert (window.sent, window.end, window.waiting) == (3, 3, 0)


def test_what_is_trimmed_does_not_come_again():
    window = filled(b"aabb", b"cc", b"dd")
    drain(window)
    window.trim(2)

    assert window.rewind(2) == 2
    assert drain(window) == b"ccdd"


def test_a_chunk_that_is_covered_in_part_is_kept_whole():
    window = filled(b"aabb", b"cc")
    drain(window)

    assert window.rewind(1) == 0
    assert drain(window) == b"aabbcc"


def test_to_begin_again_lets_go_of_what_is_not_needed_any_more():
    window = filled(b"aabb", b"cc", b"dd")
    drain(window)

    assert window.rewind(2) == 2
    assert drain(window) == b"ccdd"


def test_sizes_are_in_samples():
    window = filled(b"aabb", b"cc", limit=1)
    window.refill(b"aabb", 2)

    sizes = []
    while size := window.next_size():
        sizes.append((size, window.next_chunk()))
    assert sizes == [(2, b"aabb"), (1, b"cc")]


@pytest.mark.parametrize(
    ("samples", "tail"), [(0, b""), (1, b"dd"), (2, b"bbccdd"), (3, b"bbccdd"), (4, b"aabbccdd"), (9, b"aabbccdd")]
)
def test_the_tail_is_of_whole_chunks_and_as_long_as_was_asked(samples, tail):
    assert filled(b"aa", b"bbcc", b"dd").tail(samples) == tail


def test_what_was_not_sent_is_never_trimmed():
    window = filled(b"aa", b"bb")
    window.next_chunk()
    window.trim(2)

    assert window.start == 1
    assert drain(window) == b"bb"


def test_the_oldest_falls_off_the_bound():
    window = filled(b"aa", b"bb", b"cc", limit=2)

    assert (window.start, window.sent, window.end, window.missing) == (1, 0, 3, 1)
    assert window.next_size() == 0
    window.skip(1)
    assert drain(window) == b"bbcc"


def test_what_fell_off_can_be_put_back():
    window = filled(b"aa", b"bb", b"cc", limit=2)
    window.refill(b"aa", 1)

    assert window.missing == 0
    assert drain(window) == b"aabbcc"


def test_what_was_put_back_for_one_socket_is_not_handed_out_to_the_next():
    window = filled(b"aa", b"bb", b"cc", limit=2)
    window.refill(b"aa", 1)
    window.rewind(0)

    assert (window.missing, window.next_size()) == (1, 0)


def test_more_than_is_missing_is_cut_off():
    window = AudioWindow(2, 100)
    for chunk in (b"aa", b"bb", b"cc"):
        window.append(chunk)
    window.refill(b"aaxx", 1)

    assert drain(window) == b"aabbcc"


def test_what_is_not_missing_is_not_put_back():
    window = filled(b"aa", b"bb")
    window.refill(b"xx", 1)

    assert drain(window) == b"aabb"


def test_no_more_is_given_up_than_is_missing():
    window = filled(b"aa", b"bb", b"cc", limit=2)
    window.skip(3)

    assert window.sent == 1
    assert drain(window) == b"bbcc"


def test_a_window_may_begin_in_the_middle_of_a_call():
    window = AudioWindow(10, 100)
    window.append(b"aa")

    assert (window.sent, window.end, window.missing) == (100, 101, 0)
    assert window.rewind(90) == 90
    assert window.missing == 10


def test_one_chunk_larger_than_the_bound_is_kept():
    assert drain(filled(b"aabbcc", limit=1)) == b"aabbcc"
    assert filled(b"aabbcc", b"dd", limit=1).start == 3


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from(["append", "send", "trim", "rewind"]), st.integers(1, 6)), max_size=60),
)
def test_whatever_is_done_the_positions_name_the_audio(limit, steps):
    window, whole = AudioWindow(limit), b""
    for step, number in steps:
        match step:
            case "append":
                chunk = bytes([len(whole) % 251]) * 2 * number
                whole += chunk
                window.append(chunk)
            case "send" if window.next_size():
                start = window.sent
                chunk = window.next_chunk()
                assert chunk == whole[2 * start : 2 * window.sent]
            case "trim":
                window.trim(number)
            case "rewind":
                window.rewind(number)
        assert 0 <= window.start <= window.end == len(whole) // 2
        assert window.waiting == window.end - window.sent >= window.missing


def test_what_is_kept_elsewhere_falls_off_whether_it_was_sent_or_not():
    window = filled(b"aabb", b"cc", b"dddd")
    assert window.next_chunk() == b"aabb"
    assert window.spare(4) == b"aabbcc", "not half a chunk"
    assert (window.start, window.end, window.sent, window.missing) == (3, 5, 2, 1)

    window.refill(b"cc", 2)
    assert drain(window) == b"ccdddd"
    assert window.spare(5) == b"dddd"
    assert (window.start, window.waiting, window.missing) == (5, 0, 0)
    window.append(b"ee")
    assert drain(window) == b"ee"


def test_what_is_passed_on_is_held_as_if_it_had_come_and_gone_out():
    passing, waiting = AudioWindow(3), AudioWindow(3)
    for chunk in (b"aabb", b"cc", b"dd"):
        passing.pass_on(chunk)
        waiting.append(chunk)
        waiting.next_chunk()

    assert repr(passing) == repr(waiting)
    assert passing.rewind(2) == waiting.rewind(2) == 2
    assert drain(passing) == drain(waiting) == b"ccdd"
