"""Every answer, every branch of the table, with the test holding the clock and the dice."""

from dataclasses import replace
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.lane import (
    Answer,
    Answered,
    Outcome,
    RetryPolicy,
    Verdict,
    classify,
    describe,
    judge,
    parse_retry_after,
    passed_over,
    retry_delay,
)
from bridge.failure import Failure, Kind
from bridge.outbox import Lane, Settlement

NOW = 1_800_000_000.0
POLICY = RetryPolicy()
EXACT = RetryPolicy(jitter=0.0)
LANE = Lane("webhook", "CA1", "{}", 10, 11, 0, 0, None, (), False, "1")


def verdict(lane: Lane, outcome: Outcome, now: float = NOW, policy: RetryPolicy = EXACT) -> Verdict:
    return judge(lane, outcome, now, Random(1), policy)


def after(lane: Lane, settlement: Settlement) -> Lane:
    """The lane as it is claimed again, as a store would have it."""
    return replace(
        lane,
        cursor=settlement.cursor,
        batch_to=settlement.batch_to if settlement.batch_to is not None else settlement.cursor + 1,
        attempts=settlement.attempts,
        rejections=settlement.rejections,
        first_failure=settlement.first_failure,
        skipped=settlement.skipped,
    )


# --- what an answer means -------------------------------------------------------------------------------------------

FAILURES = [Failure(reason) for reason in get_args(Kind)]


def test_every_status_has_a_meaning() -> None:
    expected = {400: Answer.REJECTED, 422: Answer.REJECTED, 413: Answer.TOO_LARGE, 410: Answer.GONE}
    expected |= dict.fromkeys(range(200, 300), Answer.ACCEPTED)
    for status in range(100, 600):
        assert classify(Answered(status)) is expected.get(status, Answer.FAILED), status


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_throttles_where_it_is_meant_to(status: int) -> None:
    assert classify(Answered(status, retry_after=0.0)) is Answer.THROTTLED
    assert classify(Answered(500, retry_after=9.0)) is Answer.FAILED
    assert classify(Answered(200, retry_after=9.0)) is Answer.ACCEPTED


@pytest.mark.parametrize("outcome", FAILURES)
def test_no_answer_is_a_failure(outcome: Outcome) -> None:
    assert classify(outcome) is Answer.FAILED


def test_what_its_endpoint_is_not_told_is_settled_without_asking_it() -> None:
    told = passed_over(replace(LANE, batch_to=20, attempts=3))

    assert (told.action, told.endpoint) == ("delivered", "unasked")
    assert told.settlement == Settlement(20, None)


def test_a_reason_is_fit_for_a_log() -> None:
    assert describe(Answered(503)) == "status 503"
    assert describe(Answered(302, location="evil.example")) == "status 302, to evil.example"
    assert describe(Failure("timeout")) == "timeout"
    assert describe(Failure("connect", "ECONNREFUSED")) == "connect (ECONNREFUSED)"


# --- 2xx ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_accepted_goes_on_and_forgets_all_failures(status: int) -> None:
    troubled = replace(LANE, batch_to=15, attempts=4, rejections=2, first_failure=NOW - 60, skipped=(9,))
    assert verdict(troubled, Answered(status)) == Verdict(
        "delivered", Settlement(15, None), "alive", f"status {status}"
    )


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome", [*FAILURES, *(Answered(s) for s in (301, 302, 307, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504))]
)
def test_a_failure_repeats_the_same_batch(outcome: Outcome) -> None:
    lane = replace(LANE, batch_to=15, skipped=(3,))
    judged = verdict(lane, outcome)
    assert (judged.action, judged.endpoint) == ("retry", "failing")
    assert judged.settlement == Settlement(
        10, 15, due=NOW + 1, attempts=1, first_failure=NOW, skipped=(3,), reason=describe(outcome)
    )


def delays(lane: Lane, count: int, policy: RetryPolicy = EXACT) -> list[float]:
    now, waited = NOW, []
    for _ in range(count):
        settlement = verdict(lane, Answered(500), now, policy).settlement
        waited.append(settlement.due - now)
        now, lane = settlement.due, after(lane, settlement)
    return waited


def test_the_schedule_while_the_call_lives() -> None:
    assert delays(LANE, 10) == [1, 2, 5, 10, 20, 30, 60, 60, 60, 60]


def test_the_schedule_after_the_call() -> None:
    minutes = [5, 15, 30, 60, 120, 240, 240, 240]
    assert delays(replace(LANE, call_ended=True), 15) == [1, 2, 5, 10, 20, 30, 60, *(60 * m for m in minutes)]


def test_a_call_that_ends_in_an_outage_begins_the_later_schedule_at_its_beginning() -> None:
    lane = LANE
    for n in range(200):
        lane = after(lane, verdict(lane, Answered(500), NOW + 60 * n).settlement)
    assert delays(replace(lane, call_ended=True), 3) == [300, 900, 1800]


@given(st.integers(0, 2**32), st.booleans(), st.integers(0, 20))
def test_jitter_keeps_its_bounds(seed: int, ended: bool, attempts: int) -> None:
    lane = replace(LANE, call_ended=ended, attempts=attempts)
    settlement = judge(lane, Answered(500), NOW, Random(seed), POLICY).settlement
    plain = retry_delay(settlement.attempts, ended, POLICY)
    assert 0.8 * plain <= settlement.due - NOW <= 1.2 * plain + 1e-6


def test_jitter_spreads() -> None:
    rng = Random(7)
    assert len({judge(LANE, Answered(500), NOW, rng, POLICY).settlement.due for _ in range(50)}) > 40


def test_after_72_hours_the_lane_is_parked_as_it_is() -> None:
    lane = replace(LANE, batch_to=20, attempts=12, first_failure=NOW - 72 * 3600, skipped=(2,), call_ended=True)
    assert verdict(lane, Answered(500), NOW - 1).action == "retry"
    judged = verdict(lane, Answered(500))
    assert judged.action == "park"
    assert judged.settlement.parked == "given up after 72.0 hours; the last: status 500"
    assert (judged.settlement.cursor, judged.settlement.batch_to, judged.settlement.skipped) == (10, 20, (2,))


def test_days_in_which_the_bridge_was_off_do_not_park_a_lane() -> None:
    lane = replace(LANE, attempts=1, first_failure=NOW - 73 * 3600, call_ended=True)
    actions = []
    while not actions or actions[-1] == "retry":
        judged = verdict(lane, Failure("connect"))
        lane = after(lane, judged.settlement)
        actions.append(judged.action)
    assert actions == ["retry"] * 11 + ["park"]


def test_how_often_a_dead_endpoint_is_asked_in_72_hours() -> None:
    lane, now, attempts = replace(LANE, call_ended=True), NOW, 0
    while (judged := verdict(lane, Failure("connect"), now)).action == "retry":
        lane, now, attempts = after(lane, judged.settlement), judged.settlement.due, attempts + 1
    assert attempts == 30
    assert 72 <= (now - NOW) / 3600 <= 76


def test_a_clock_set_back_does_not_park_later_than_it_should() -> None:
    lane = replace(LANE, first_failure=NOW + 3600)
    assert verdict(lane, Answered(500)).settlement.first_failure == NOW


# --- 429 and 503 with Retry-After -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_after", "pause", "wait"),
    [(0.0, 0.0, 1.0), (0.5, 0.5, 1.0), (30.0, 30.0, 30.0), (1e9, 60.0, 60.0)],
)
def test_retry_after_pauses_the_endpoint_within_bounds(retry_after: float, pause: float, wait: float) -> None:
    judged = verdict(LANE, Answered(429, retry_after=retry_after))
    assert (judged.action, judged.endpoint, judged.pause) == ("retry", "failing", pause)
    assert judged.settlement.due == NOW + wait


def test_only_a_call_that_has_ended_waits_as_long_as_it_is_told() -> None:
    judged = verdict(replace(LANE, call_ended=True), Answered(429, retry_after=1e9))
    assert (judged.pause, judged.settlement.due) == (60.0, NOW + 3600.0)


def test_a_lane_far_down_its_schedule_does_not_hold_the_endpoint_to_it() -> None:
    judged = verdict(replace(LANE, attempts=12, call_ended=True), Answered(503, retry_after=5.0))
    assert judged.pause == 5.0
    assert judged.settlement.due == NOW + 14400


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("9" * 400, 999999999999.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30.0),
        ("Fri, 15 Jan 2027 09:00:30 +0100", 30.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("Fri Jan 15 08:00:30 2027", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_rubbish_in_retry_after_is_no_more_than_that(header: str) -> None:
    parsed = parse_retry_after(header, NOW)
    assert parsed is None or parsed >= 0


# --- 400, 413, 422, 410 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_unacceptable_batch_is_halved_at_once(status: int) -> None:
    lane = replace(LANE, batch_to=17, attempts=2, first_failure=NOW - 9, skipped=(4,))
    judged = verdict(lane, Answered(status))
    assert (judged.action, judged.endpoint) == ("split", "alive")
    assert judged.settlement == Settlement(
        10, 13, attempts=2, first_failure=NOW - 9, skipped=(4,), reason=f"status {status}"
    )


@pytest.mark.parametrize("events", range(2, 51))
def test_halving_reaches_a_single_event(events: int) -> None:
    lane, steps = replace(LANE, batch_to=10 + events), 0
    while (judged := verdict(lane, Answered(413))).action == "split":
        lane, steps = after(lane, judged.settlement), steps + 1
    assert lane.batch_to == 11 and steps <= 6


def test_one_event_that_is_too_large_is_skipped() -> None:
    judged = verdict(replace(LANE, skipped=(4,)), Answered(413))
    assert (judged.action, judged.endpoint) == ("skip", "alive")
    assert judged.settlement == Settlement(11, None, skipped=(4, 11))


@pytest.mark.parametrize("status", [400, 422])
def test_two_events_that_are_refused_are_tried_one_by_one(status: int) -> None:
    judged = verdict(replace(LANE, cursor=4, batch_to=6), Answered(status))
    assert (judged.action, judged.settlement.batch_to) == ("split", 5)


@pytest.mark.parametrize("status", [400, 422])
def test_one_event_is_skipped_at_the_fifth_refusal(status: int) -> None:
    lane, actions = LANE, []
    for _ in range(5):
        judged = verdict(lane, Answered(status))
        actions.append(judged.action)
        lane = after(lane, judged.settlement)
        assert judged.endpoint == "alive"
    assert actions == ["retry"] * 4 + ["skip"]
    assert (lane.cursor, lane.skipped, lane.attempts, lane.rejections, lane.first_failure) == (11, (11,), 0, 0, None)


def test_only_refusals_count_towards_skipping() -> None:
    lane = LANE
    for _ in range(20):
        lane = after(lane, verdict(lane, Failure("timeout")).settlement)
    judged = verdict(lane, Answered(422))
    assert judged.action == "retry"
    assert judged.settlement.rejections == 1


def test_refusals_are_remembered_over_other_failures() -> None:
    lane = LANE
    for outcome in (Answered(422), Answered(500), Answered(400), Answered(422), Failure("reset"), Answered(422)):
        lane = after(lane, verdict(lane, outcome).settlement)
    assert verdict(lane, Answered(422)).action == "skip"


def test_gone_leaves_the_lane_as_it_is() -> None:
    lane = replace(LANE, batch_to=14, attempts=3, rejections=1, first_failure=NOW - 9, skipped=(2,))
    judged = verdict(lane, Answered(410))
    assert (judged.action, judged.endpoint) == ("disable", "gone")
    assert judged.settlement == Settlement(
        10, 14, attempts=3, rejections=1, first_failure=NOW - 9, skipped=(2,), reason="status 410"
    )


# --- whatever happens -----------------------------------------------------------------------------------------------

OUTCOMES = st.one_of(
    st.sampled_from(FAILURES),
    st.builds(
        Answered,
        st.one_of(st.sampled_from([200, 400, 410, 413, 422, 429, 500, 503]), st.integers(100, 599)),
        st.none() | st.floats(0, 1e6),
    ),
)


@given(st.lists(st.tuples(OUTCOMES, st.booleans()), max_size=60), st.integers(1, 50), st.randoms(use_true_random=False))
def test_whatever_is_answered_nothing_is_passed_over_in_silence(
    script: list[tuple[Outcome, bool]], events: int, rng: Random
) -> None:
    """Follow a lane through any row of answers: its cursor only moves over what was accepted or is named as skipped."""
    lane, now = replace(LANE, cursor=0, batch_to=events), NOW
    delivered: set[int] = set()
    skipped: set[int] = set()
    for outcome, ended in script:
        lane = replace(lane, call_ended=lane.call_ended or ended)
        judged = judge(lane, outcome, now, rng, POLICY)
        settlement = judged.settlement
        batch = set(range(lane.cursor + 1, lane.batch_to + 1))
        match judged.action:
            case "delivered":
                assert classify(outcome) is Answer.ACCEPTED
                delivered |= batch
                skipped -= set(lane.skipped)
                assert settlement.cursor == lane.batch_to
            case "skip":
                assert len(batch) == 1
                skipped |= batch
                assert settlement.cursor == lane.batch_to
            case "retry" | "park" | "disable":
                assert (settlement.cursor, settlement.batch_to) == (lane.cursor, lane.batch_to)
            case "split":
                assert settlement.cursor == lane.cursor
                assert settlement.batch_to is not None
                assert lane.cursor < settlement.batch_to < lane.batch_to
        assert set(settlement.skipped) == skipped
        assert settlement.due == 0 or settlement.due >= now
        assert (judged.action == "park") == (settlement.parked is not None)
        now = max(now, settlement.due)
        lane = after(lane, settlement)
