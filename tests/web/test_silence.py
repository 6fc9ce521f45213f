"""When a carrier's socket counts as silent, with the test holding the clock."""

from bridge.standstill import READING, STOOD_STILL
from bridge.web.silence import Silence


def test_a_socket_is_silent_if_nothing_was_heard_from_one_look_to_the_next():
    silence = Silence(60.0)
    assert silence.look(0, 5.0, 5.0) == 65.0, "the first look"
    assert silence.look(3, 65.0, 65.0) == 125.0
    assert silence.look(3, 125.0, 125.0) is None


def test_where_the_process_stood_still_what_came_is_read_first():
    silence = Silence(60.0)
    silence.look(3, 5.0, 5.0)
    assert silence.look(3, 90.0, 65.0) == 90.0 + READING
    assert silence.look(7, 90.5, 90.5) == 150.5, "that was the process's silence, and not the carrier's"


def test_and_if_nothing_had_come_it_is_silent_after_all():
    silence = Silence(60.0)
    silence.look(3, 5.0, 5.0)
    again = silence.look(3, 90.0, 65.0)
    assert silence.look(3, again, again) is None


def test_a_process_that_is_busy_is_late_too():
    silence = Silence(60.0)
    silence.look(3, 5.0, 5.0)
    assert silence.look(3, 65.0 + STOOD_STILL, 65.0) is None
