"""What one socket may send before others get their turn, and how fast it may go on."""

import pytest

from bridge.web.turn import AT_ONCE, FASTEST, MESSAGE, TAKEN, TURN, Turn

FRAME = 380
"""Octets of an ordinary message."""


def test_a_turn_is_so_many_octets_and_a_short_message_counts_too():
    ordinary, short = Turn(100.0), Turn(100.0)

    assert not any(ordinary.read(FRAME) for _ in range(TURN // (FRAME + MESSAGE)))
    assert ordinary.read(FRAME)
    assert not any(short.read(0) for _ in range(TURN // MESSAGE))
    assert short.read(0)


def test_after_a_turn_the_next_comes_at_once_and_is_as_long():
    turn = Turn(100.0)
    turn.read(TURN)

    assert turn.end(100.0) == 0.0
    assert not turn.read(FRAME)


def test_two_tracks_never_wait():
    turn = Turn(100.0)
    for message in range(360_000):
        if turn.read(FRAME):
            assert turn.end(100.0 + message / 100) == 0.0


def test_what_is_more_than_a_call_sends_waits_for_its_time():
    turn = Turn(100.0)
    turn.read(AT_ONCE + FASTEST)
    assert turn.end(100.0) == pytest.approx(1.0, abs=0.01)
    turn.read(FASTEST)

    assert turn.end(101.0) == pytest.approx(1.0, abs=0.01)


def test_after_a_rest_much_may_come_at_once():
    turn = Turn(100.0)
    turn.read(AT_ONCE)
    turn.end(100.0)
    turn.read(AT_ONCE)

    assert turn.end(101.0 + AT_ONCE / FASTEST) == 0.0


def test_a_read_of_a_call_is_taken_at_once():
    turn = Turn(100.0)

    assert all(turn.take(6 * FRAME, 6, 100.0 + read * 0.06) for read in range(60_000))


def test_a_second_of_a_call_that_waited_is_taken_at_once():
    assert Turn(100.0).take(100 * FRAME, 100, 100.0)


def test_more_than_may_be_taken_at_once_is_not_and_does_not_count():
    turn = Turn(100.0)

    assert turn.take(TAKEN - 2 * MESSAGE, 2, 100.0)
    assert not turn.take(TAKEN - 2 * MESSAGE + 1, 2, 100.0)
    turn.read(AT_ONCE - TAKEN - MESSAGE)
    assert turn.end(100.0) == 0.0


def test_a_flood_of_small_reads_is_taken_at_once_up_to_its_bound():
    turn = Turn(100.0)
    taken = 0
    while turn.take(TAKEN - MESSAGE, 1, 100.0):
        taken += TAKEN

    assert AT_ONCE < taken <= AT_ONCE + 2 * TAKEN
    assert not turn.take(0, 1, 100.0)
    assert turn.take(0, 1, 101.0)
