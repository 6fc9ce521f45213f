"""When the next try is due, with the test's clock and chance."""

from random import Random

from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.retries import Retries

POLICY = SessionPolicy(first_retry=0.25, longest_retry=4.0)


def test_pauses_double_up_to_a_bound_and_differ():
    retries, pauses = Retries(POLICY, Random(1)), []
    for _ in range(40):
        retries.fail(100.0)
        pauses.append(retries.at - 100.0)

    for pause, longest in zip(pauses, [0.25, 0.5, 1.0, 2.0, *[4.0] * 36], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) == 40
    assert retries.attempt == 40


def test_what_will_hardly_heal_soon_is_tried_slowly():
    retries = Retries(POLICY, Random(1))
    retries.fail(0.0, slow=True)

    assert 2.0 <= retries.at <= 4.0


def test_after_progress_the_next_pause_is_short_again():
    retries = Retries(POLICY, Random(1))
    for _ in range(5):
        retries.fail(0.0)
    retries.forget()
    retries.fail(0.0)

    assert retries.attempt == 1
    assert retries.at <= 0.25


def test_a_try_that_need_not_wait_is_due_now():
    retries = Retries(POLICY, Random(1))
    retries.hasten(0.4)
    assert retries.at is None
    retries.fail(0.5)
    retries.hasten(0.6)

    assert retries.at == 0.6


def test_a_failure_for_good_is_counted_and_nothing_is_due():
    retries = Retries(POLICY, Random(1))
    retries.fail_for_good()

    assert (retries.attempt, retries.at) == (1, None)
