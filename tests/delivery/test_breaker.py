"""The breaker alone, and five hundred lanes against a dead endpoint without a socket."""

import heapq
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.breaker import CircuitBreaker, CircuitBreakerPolicy, State
from bridge.delivery.lane import Answered, Outcome, RetryPolicy, Verdict, judge, passed_over
from bridge.errors import LocalProtocolError
from bridge.failure import Failure
from bridge.outbox import Lane

NOW = 1000.0
RETRY = RetryPolicy()


def lane(call_id: str = "CA1") -> Lane:
    return Lane("webhook", call_id, "{}", 0, 1, 0, 0, None, (), True, "1")


def verdict(outcome: Outcome) -> Verdict:
    return judge(lane(), outcome, NOW, Random(1), RETRY)


OK, DOWN, GONE = verdict(Answered(200)), verdict(Answered(500)), verdict(Answered(410))
REJECTED = verdict(Answered(422))
THROTTLED = verdict(Answered(429, retry_after=30.0))


def post(breaker: CircuitBreaker, call_id: str, outcome: Verdict | None, now: float = NOW) -> None:
    breaker.started(call_id)
    breaker.ended(call_id, outcome, now)


def opened(now: float = NOW) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for n in range(5):
        post(breaker, f"CA{n}", DOWN, now)
    assert breaker.state is State.OPEN
    return breaker


def test_the_cap_is_the_policys() -> None:
    breaker = CircuitBreaker(CircuitBreakerPolicy(in_flight=3))
    for n in range(3):
        assert breaker.slots(NOW) == 3 - n
        breaker.started(f"CA{n}")
    assert breaker.slots(NOW) == 0 and breaker.flies("CA1")
    breaker.ended("CA1", OK, NOW)
    assert breaker.slots(NOW) == 1 and not breaker.flies("CA1")


def test_a_lane_is_in_flight_once() -> None:
    breaker = CircuitBreaker()
    breaker.started("CA1")
    with pytest.raises(LocalProtocolError):
        breaker.started("CA1")


def test_five_failures_in_a_row_open_it() -> None:
    breaker = CircuitBreaker()
    states = []
    for n in range(5):
        post(breaker, f"CA{n}", DOWN)
        states.append(breaker.state)
    assert states == [State.CLOSED] * 4 + [State.OPEN]
    assert breaker.opened == 1


@pytest.mark.parametrize("answer", [OK, REJECTED])
def test_an_answer_about_the_event_ends_the_row(answer: Verdict) -> None:
    breaker = CircuitBreaker()
    for n in range(20):
        post(breaker, f"CA{n}", answer if n % 5 == 4 else DOWN)
    assert breaker.state is State.CLOSED


def test_one_bad_call_alone_never_opens_it() -> None:
    breaker = CircuitBreaker()
    for _ in range(100):
        post(breaker, "CA1", DOWN)
    assert breaker.state is State.CLOSED
    assert breaker.slots(NOW) == 32


def test_a_success_forgets_which_calls_have_failed() -> None:
    breaker = CircuitBreaker()
    post(breaker, "CA1", DOWN)
    post(breaker, "CA2", OK)
    for _ in range(100):
        post(breaker, "CA3", DOWN)
    assert breaker.state is State.CLOSED


def test_probes_come_one_at_a_time_and_ever_more_seldom() -> None:
    breaker, now, waits = opened(), NOW, []
    for _ in range(8):
        start = now
        while not breaker.slots(now):
            now += 0.5
        waits.append(now - start)
        assert breaker.slots(now) == 1
        breaker.started("CA1")
        assert breaker.slots(now + 1e6) == 0
        breaker.ended("CA1", DOWN, now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_probe_that_was_never_sent_may_be_tried_again() -> None:
    breaker = opened()
    post(breaker, "CA1", None, NOW + 1)
    assert breaker.slots(NOW + 1) == 1


def test_a_probe_with_nothing_to_post_says_nothing_of_the_endpoint() -> None:
    breaker = opened()
    post(breaker, "CA9", passed_over(lane("CA9")), NOW + 1.0)

    assert breaker.state is State.OPEN
    assert breaker.slots(NOW + 1.0) == 1


def test_who_was_in_flight_when_it_opened_does_not_make_the_wait_longer() -> None:
    breaker = CircuitBreaker()
    for n in range(32):
        breaker.started(f"CA{n}")
    for n in range(32):
        breaker.ended(f"CA{n}", DOWN, NOW)
    assert breaker.opened == 1
    assert breaker.slots(NOW + 1) == 1


def test_after_a_success_it_opens_up_in_doubling_steps() -> None:
    breaker, limits = opened(), []
    post(breaker, "CA1", OK, NOW + 1)
    while breaker.state is State.HALF_OPEN:
        limits.append(breaker.slots(NOW + 1))
        for n in range(limits[-1]):
            post(breaker, f"CA{n}", OK, NOW + 1)
    assert limits == [2, 4, 8, 16]
    assert breaker.state is State.CLOSED
    assert breaker.slots(NOW + 1) == 32


def test_half_open_every_success_counts_once() -> None:
    breaker, slots = opened(), []
    for n in range(1 + 2 + 4 + 8):
        post(breaker, f"CA{n}", OK, NOW + 1)
        slots.append(breaker.slots(NOW + 1))
    assert slots == [2, 2, *[4] * 4, *[8] * 8, 16]


def test_two_failures_half_open_suffice() -> None:
    breaker = opened()
    post(breaker, "CA1", OK, NOW + 1)
    post(breaker, "CA1", DOWN, NOW + 2)
    post(breaker, "CA2", DOWN, NOW + 2)
    assert breaker.state is State.OPEN


def test_two_failures_half_open_and_it_is_open_again_from_the_first_step() -> None:
    breaker = opened()
    post(breaker, "CA1", OK, NOW + 1)
    states = []
    for call_id in ("CA1", "CA1", "CA2"):
        post(breaker, call_id, DOWN, NOW + 2)
        states.append(breaker.state)
    assert states == [State.HALF_OPEN, State.HALF_OPEN, State.OPEN]
    assert breaker.slots(NOW + 2.9) == 0
    assert breaker.slots(NOW + 3.0) == 1


def test_a_late_success_of_an_older_post_counts_as_a_sign_of_life() -> None:
    breaker = CircuitBreaker()
    breaker.started("slow")
    for n in range(5):
        post(breaker, f"CA{n}", DOWN)
    breaker.ended("slow", OK, NOW)
    assert breaker.state is State.HALF_OPEN


def test_a_pause_stops_everybody_until_it_is_over() -> None:
    breaker = CircuitBreaker()
    post(breaker, "CA1", THROTTLED)
    assert breaker.slots(NOW + 29.9) == 0
    assert breaker.slots(NOW + 30.0) == 32


def test_a_pause_holds_while_open_too_and_a_shorter_one_does_not_end_it() -> None:
    breaker = opened()
    post(breaker, "CA1", THROTTLED, NOW + 1)
    post(breaker, "CA2", verdict(Answered(503, retry_after=1.0)), NOW + 1)
    assert breaker.slots(NOW + 30.9) == 0
    assert breaker.slots(NOW + 31.0) == 1


def test_gone_is_gone_until_it_is_enabled() -> None:
    breaker = CircuitBreaker()
    breaker.started("slow")
    post(breaker, "CA1", GONE)
    breaker.ended("slow", OK, NOW)
    post(breaker, "CA2", DOWN)
    assert breaker.state is State.DISABLED
    assert breaker.slots(NOW + 1e9) == 0
    breaker.disable()
    breaker.enable()
    assert breaker.slots(NOW) == 32


def test_enabling_ends_a_pause_and_an_open_state() -> None:
    breaker = opened()
    post(breaker, "CA1", THROTTLED)
    breaker.enable()
    assert breaker.slots(NOW) == 32
    breaker.enable()


def test_enabling_ends_a_pause_for_any_clock() -> None:
    breaker = CircuitBreaker()
    post(breaker, "CA1", THROTTLED, 0.0)
    breaker.enable()
    assert breaker.slots(0.0) == 32


def test_closed_again_it_knows_nothing_of_what_was() -> None:
    breaker = opened()
    for _ in range(4):
        post(breaker, "CA1", DOWN, NOW + 100)
    breaker.started("the probe")
    breaker.enable()
    for _ in range(100):
        post(breaker, "CA1", DOWN, NOW + 100)
    assert breaker.state is State.CLOSED, "of those that had failed before, none counts"
    post(breaker, "CA2", DOWN, NOW + 200)
    assert breaker.state is State.OPEN
    assert (breaker.slots(NOW + 200.9), breaker.slots(NOW + 201)) == (0, 1), "the probe of then is no probe now"
    post(breaker, "CA1", DOWN, NOW + 201)
    assert (breaker.slots(NOW + 202.9), breaker.slots(NOW + 203)) == (0, 1), "the waits begin with the shortest"


def test_half_open_it_can_be_enabled_at_once() -> None:
    breaker = opened()
    post(breaker, "CA1", OK, NOW + 1)
    breaker.enable()
    assert breaker.slots(NOW + 1) == 32


def test_what_the_table_lacks_is_an_error() -> None:
    with pytest.raises(LocalProtocolError, match="from CLOSED to HALF_OPEN"):
        CircuitBreaker()._enter(State.HALF_OPEN)


def test_its_face() -> None:
    breaker = opened()
    breaker.started("CA1")
    assert repr(breaker) == "<CircuitBreaker OPEN in_flight=1/32 failures=0 opened=1>"


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([OK, DOWN, REJECTED, THROTTLED, GONE, None]), st.floats(0, 70)),
        max_size=100,
    ),
    st.integers(1, 40),
)
def test_whatever_happens_the_slots_have_bounds(
    script: list[tuple[int, Verdict | None, float]], in_flight: int
) -> None:
    breaker, now = CircuitBreaker(CircuitBreakerPolicy(in_flight=in_flight)), NOW
    for n, outcome, wait in script:
        now += wait
        call_id = f"CA{n}"
        if breaker.flies(call_id):
            breaker.ended(call_id, outcome, now)
        elif breaker.slots(now):
            breaker.started(call_id)
        assert 0 <= breaker.slots(now) <= in_flight
        assert breaker.in_flight <= max(in_flight, 1)
    for n in range(6):
        breaker.ended(f"CA{n}", None, now)
    if breaker.state is not State.DISABLED:
        assert breaker.slots(now + 3600) > 0, "it never stays shut"


def simulate(lanes: int, seconds: float, outcome: Outcome, took: float) -> tuple[int, CircuitBreaker]:
    """So many lanes of ended calls against one answer, for so long; how many POSTs there were."""
    breaker, rng, posts = CircuitBreaker(), Random(3), 0
    waiting = [(NOW, f"CA{n}") for n in range(lanes)]
    rows = {f"CA{n}": lane(f"CA{n}") for n in range(lanes)}
    flying: list[tuple[float, str]] = []
    now = NOW
    while now < NOW + seconds:
        while flying and flying[0][0] <= now:
            _, call_id = heapq.heappop(flying)
            judged = judge(rows[call_id], outcome, now, rng, RETRY)
            breaker.ended(call_id, judged, now)
            settlement = judged.settlement
            rows[call_id] = replace(rows[call_id], attempts=settlement.attempts, first_failure=settlement.first_failure)
            heapq.heappush(waiting, (settlement.due, call_id))
        while breaker.slots(now) and waiting and waiting[0][0] <= now:
            _, call_id = heapq.heappop(waiting)
            breaker.started(call_id)
            heapq.heappush(flying, (now + took, call_id))
            posts += 1
        now += 0.25
    return posts, breaker


@pytest.mark.parametrize(("outcome", "took"), [(Failure("connect"), 0.0), (Failure("timeout"), 15.0)])
def test_five_hundred_lanes_do_not_trample_a_dead_endpoint(outcome: Outcome, took: float) -> None:
    posts, breaker = simulate(500, 600.0, outcome, took)
    assert posts <= 32 + 16
    assert breaker.opened == 1
