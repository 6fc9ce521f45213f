"""The bound of the end of a call, with the test holding the clock."""

from bridge.deepgram.ending import Ending
from bridge.deepgram.exchange import SessionPolicy

POLICY = SessionPolicy(speed=1.25, flush=5.0, catch_up=10.0)
KEPT = SessionPolicy(speed=1.25, flush=5.0, catch_up=10.0, kept=True)


def begun(unsent, uncovered, policy=POLICY):
    ending = Ending(policy)
    ending.begin(100.0, unsent, uncovered)
    return ending


def test_before_the_end_there_is_no_deadline():
    ending = Ending(POLICY)

    assert (ending.begun, ending.leaving, ending.deadline) == (False, False, None)


def test_what_waits_is_given_the_time_that_sending_it_takes():
    assert begun(0.0, 3.0).deadline == 105.0
    assert begun(12.5, 20.0).deadline == 115.0
    assert begun(12.5, 20.0).begun


def test_once_all_is_sent_only_the_last_results_are_waited_for():
    ending = begun(12.5, 20.0)
    ending.all_sent(103.0)

    assert ending.deadline == 108.0


def test_another_socket_may_send_once_more_what_is_not_covered():
    ending = begun(0.0, 12.5)
    ending.plan(101.0, 10.0)

    assert ending.deadline == 114.0


def test_sockets_that_are_lost_for_ever_do_not_put_it_off_for_ever():
    ending = begun(0.0, 12.5)
    for now in range(101, 200):
        ending.plan(now, 12.5)
        ending.all_sent(now)

    assert ending.deadline == 115.0


def test_much_that_is_kept_is_left_for_later():
    ending = begun(20.0, 20.0, KEPT)

    assert (ending.leaving, ending.deadline) == (True, 105.0)
    assert not begun(20.0, 20.0).leaving


def test_a_little_that_is_kept_is_sent():
    ending = begun(10.0, 10.0, KEPT)

    assert (ending.leaving, ending.deadline) == (False, 113.0)


def test_kept_audio_never_puts_it_off_for_longer_than_catching_up_may_take():
    ending = begun(0.0, 3600.0, KEPT)
    ending.plan(103.0, 10.0)
    ending.plan(114.0, 10.0)

    assert ending.deadline == 115.0
