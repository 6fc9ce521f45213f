import pytest

from bridge.deepgram.breaker import CircuitBreaker, CircuitBreakerPolicy
from bridge.deepgram.messages import Refusal

BUSY = Refusal(429, "too many", "r1")
NO_ANSWER = Refusal(None, "no answer", None)
BROKE = Refusal(402, "no credit", "r2")
BAD = Refusal(400, "no such model", "r3")
NO_MODEL = Refusal(403, "no access to the model", "r4")
POLICY = CircuitBreakerPolicy()


def opened(refusal=BUSY, now=0.0):
    breaker = CircuitBreaker()
    for _ in range(POLICY.failures):
        breaker.failed(refusal, now)
    return breaker


def test_every_call_may_pass_at_first():
    assert CircuitBreaker().ask(0.0) is None


def test_a_few_failures_do_not_open_it():
    breaker = CircuitBreaker()
    for _ in range(POLICY.failures - 1):
        breaker.failed(BUSY, 0.0)

    assert breaker.is_closed


def test_a_success_between_failures_starts_the_count_again():
    breaker = CircuitBreaker()
    for _ in range(3 * POLICY.failures):
        breaker.failed(BUSY, 0.0)
        breaker.succeeded()

    assert breaker.is_closed


def test_failures_in_a_row_close_it_and_the_reason_is_passed_on():
    breaker = opened()

    assert breaker.ask(0.5) == BUSY
    assert breaker.turned_away == 1


@pytest.mark.parametrize("status", [401, 402, 403])
def test_an_account_that_must_be_mended_closes_it_at_once(status):
    breaker = CircuitBreaker()
    breaker.failed(Refusal(status, "no", None), 0.0)

    assert breaker.ask(POLICY.account_probe - 0.1) is not None
    assert breaker.ask(POLICY.account_probe) is None


def test_a_request_that_can_never_work_closes_nothing():
    breaker = CircuitBreaker()
    for _ in range(100):
        breaker.failed(BAD, 0.0)

    assert breaker.is_closed


def test_a_model_of_a_calls_own_that_is_refused_closes_nothing():
    breaker = CircuitBreaker()
    for _ in range(100):
        breaker.failed(NO_MODEL, 0.0, own_options=True)

    assert breaker.is_closed


@pytest.mark.parametrize("refusal", [BUSY, NO_ANSWER, BROKE])
def test_whatever_else_a_call_with_options_of_its_own_is_told_counts(refusal):
    breaker = CircuitBreaker()
    for _ in range(POLICY.failures):
        breaker.failed(refusal, 0.0, own_options=True)

    assert not breaker.is_closed


@pytest.mark.parametrize("refusal", [BAD, NO_MODEL])
def test_a_probe_that_tells_nothing_leaves_it_to_the_next(refusal):
    breaker = opened()
    breaker.ask(1.0)
    breaker.failed(refusal, 1.5, own_options=True)

    assert not breaker.is_closed
    assert breaker.ask(1.5) is None


def test_one_probe_at_a_time_passes():
    breaker = opened()

    assert breaker.ask(1.0) is None
    assert breaker.ask(1.0) == BUSY


def test_a_probe_that_fails_doubles_the_wait():
    breaker, now, waits = opened(NO_ANSWER), 0.0, []
    for _ in range(8):
        asked = now
        while breaker.ask(asked) is not None:
            asked += 0.5
        waits.append(asked - now)
        breaker.failed(NO_ANSWER, asked)
        now = asked

    assert waits == [1, 2, 4, 4, 4, 4, 4, 4]


def test_a_probe_that_succeeds_opens_it_for_all():
    breaker = opened()
    breaker.ask(1.0)
    breaker.succeeded()

    assert [breaker.ask(1.0), breaker.ask(1.0)] == [None, None]


def test_after_healing_the_waits_begin_short_again():
    breaker = opened()
    for now in (1.0, 3.0, 7.0):
        breaker.ask(now)
        breaker.failed(BUSY, now)
    breaker.succeeded()
    for _ in range(POLICY.failures):
        breaker.failed(BUSY, 100.0)

    assert breaker.ask(101.0) is None


def test_a_probe_that_never_tells_does_not_block_for_ever():
    breaker = opened()
    breaker.ask(1.0)

    assert breaker.ask(1.0 + POLICY.patience) is None


def test_repr_shows_its_state():
    assert repr(opened()) == "<CircuitBreaker opened by 429, 5 failures, 0 turned away>"
