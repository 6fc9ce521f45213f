"""What a lane does after each answer: pure decisions, an outcome in, a verdict out.

A lane is one call's way to one endpoint: event n+1 waits until n was accepted or visibly skipped. Its state is the
store's row (`Lane`), its memory the next row (`Settlement`); this module holds the rules between the two and no state
of its own. How the endpoint as a whole is treated is the business of `breaker`, which reads the same verdict.

    answer                          the lane                                            the endpoint
    2xx                             on to what piled up                                 alive
    429, 503 with Retry-After       retries by schedule, not before the pause is over   failing, paused
    400, 422                        halves; a single event, the fifth time: skipped     alive
    413                             halves; a single event: skipped                     alive
    410                             waits as it is                                      gone
    3xx, other 4xx, 5xx, no answer  retries by schedule; parked after 72 hours, and     failing
                                    no sooner than the schedule is through

A Retry-After holds back the endpoint, and the lane of a call that goes on, for a minute at the most: the words of a
live call are worth little after an hour.

Standard Webhooks asks for most of this. The schedule is ours: its example jumps from 5 seconds to 5 minutes, which
would freeze a live call.
"""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from random import Random
from typing import Literal, assert_never

from bridge.failure import Failure
from bridge.outbox import Lane, Settlement


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a lane tries again, and when it stops."""

    live: tuple[float, ...] = (1, 2, 5, 10, 20, 30, 60)
    """Seconds after the first, second … failure. While the call lives the last is repeated."""
    after_call: tuple[float, ...] = (300, 900, 1800, 3600, 7200, 14400)
    """Seconds, continuing `live` once the call has ended; the last is repeated."""
    jitter: float = 0.2
    """Every delay is longer or shorter by up to this share."""
    give_up_after: float = 72 * 3600
    """Seconds from the first failure of a row to the parking of the lane, if `after_call` has been gone through by
    then: the time in which the bridge was off does not count as trying."""
    max_rejections: int = 5
    """Answers 400 or 422 to one event before it is skipped."""
    max_pause: float = 3600
    """The longest Retry-After that is honoured, in seconds, by the lane of a call that has ended."""
    max_live_pause: float = 60
    """The same for calls that go on, and for the endpoint as a whole, which has their events too."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The endpoint answered."""

    status: int
    retry_after: float | None = None
    """Seconds from now."""
    location: str | None = None
    """The host a redirect points to."""
    media_type: str | None = None
    """Of the answer's body, in small letters."""


Outcome = Answered | Failure


class Answer(Enum):
    """What an outcome means, whatever its number."""

    ACCEPTED = auto()
    THROTTLED = auto()
    REJECTED = auto()
    TOO_LARGE = auto()
    GONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now."""

    action: Literal["delivered", "retry", "split", "skip", "park", "disable"]
    settlement: Settlement
    endpoint: Literal["alive", "failing", "gone", "unasked"]
    """`unasked`: there was nothing to post, which says nothing about it."""
    reason: str
    """For the log: a status or a kind of failure, nothing the endpoint wrote."""
    pause: float = 0.0
    """Seconds for which the whole endpoint asks to be left alone."""


def classify(outcome: Outcome) -> Answer:
    """What an outcome means, by the table above; 429 and 503 are THROTTLED only where a Retry-After makes sense."""
    match outcome:
        case Failure():
            return Answer.FAILED
        case Answered(status=status):
            if 200 <= status < 300:
                return Answer.ACCEPTED
            if status in (429, 503) and outcome.retry_after is not None:
                return Answer.THROTTLED
            return {
                400: Answer.REJECTED,
                422: Answer.REJECTED,
                413: Answer.TOO_LARGE,
                410: Answer.GONE,
            }.get(status, Answer.FAILED)
        case _:
            assert_never(outcome)


def judge(lane: Lane, outcome: Outcome, now: float, rng: Random, policy: RetryPolicy) -> Verdict:
    """What becomes of a claimed lane whose batch met this outcome; `now`: seconds since 1970."""
    reason = describe(outcome)
    answer = classify(outcome)
    match answer:
        case Answer.ACCEPTED:
            return Verdict("delivered", Settlement(lane.batch_to, None), "alive", reason)
        case Answer.FAILED:
            return _retry(lane, reason, now, rng, policy)
        case Answer.THROTTLED:
            assert isinstance(outcome, Answered) and outcome.retry_after is not None
            return _retry(lane, reason, now, rng, policy, asked=outcome.retry_after)
        case Answer.GONE:
            return Verdict("disable", _unchanged(lane, reason), "gone", reason)
        case Answer.TOO_LARGE:
            return _split(lane, reason) if _events(lane) > 1 else _skip(lane, reason)
        case Answer.REJECTED:
            if _events(lane) > 1:
                return _split(lane, reason)
            if lane.rejections + 1 >= policy.max_rejections:
                return _skip(lane, reason)
            return _retry(lane, reason, now, rng, policy, rejected=True)
        case _:
            assert_never(answer)


def passed_over(lane: Lane) -> Verdict:
    """What becomes of a lane whose batch holds nothing that its endpoint is told."""
    settlement = Settlement(lane.batch_to, None, skipped=lane.skipped)
    return Verdict("delivered", settlement, "unasked", "nothing to post")


def describe(outcome: Outcome) -> str:
    """An outcome in a few words that may stand in a log."""
    match outcome:
        case Failure():
            return str(outcome)
        case Answered(status=status, location=location):
            return f"status {status}, to {location}" if location else f"status {status}"
        case _:
            assert_never(outcome)


def retry_delay(failures: int, call_ended: bool, policy: RetryPolicy) -> float:
    """Seconds to wait after so many failures in a row, before jitter."""
    if failures <= len(policy.live) or not call_ended:
        return policy.live[min(failures, len(policy.live)) - 1]
    return policy.after_call[min(failures - len(policy.live), len(policy.after_call)) - 1]


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` that a Retry-After header asks for; None: there is none, or no sense in it.

    Source: RFC 9110 §10.2.3, a number of seconds or a date.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _events(lane: Lane) -> int:
    return lane.batch_to - lane.cursor


def _retry(
    lane: Lane,
    reason: str,
    now: float,
    rng: Random,
    policy: RetryPolicy,
    *,
    asked: float = 0.0,
    rejected: bool = False,
) -> Verdict:
    """The same batch again, later; or never, when it has been tried for too long. `asked`: seconds of a Retry-After."""
    endpoint: Literal["alive", "failing"] = "alive" if rejected else "failing"
    first_failure = now if lane.first_failure is None else min(lane.first_failure, now)
    # While the call lives, the count stays on the last step of the live schedule: after a long outage the schedule
    # that follows the call begins at its own first step, not hours in.
    failures = lane.attempts + 1 if lane.call_ended else min(lane.attempts + 1, len(policy.live))
    delay = retry_delay(failures, lane.call_ended, policy) * rng.uniform(1 - policy.jitter, 1 + policy.jitter)
    tried = lane.attempts + 1 >= len(policy.live) + len(policy.after_call)
    pause = min(asked, policy.max_pause if lane.call_ended else policy.max_live_pause)
    given_up = tried and now - first_failure >= policy.give_up_after
    settlement = Settlement(
        cursor=lane.cursor,
        batch_to=lane.batch_to,
        due=now + max(delay, pause),
        attempts=failures,
        rejections=lane.rejections + rejected,
        first_failure=first_failure,
        skipped=lane.skipped,
        parked=f"given up after {(now - first_failure) / 3600:.1f} hours; the last: {reason}" if given_up else None,
        reason=reason,
    )
    return Verdict("park" if given_up else "retry", settlement, endpoint, reason, min(asked, policy.max_live_pause))


def _split(lane: Lane, reason: str) -> Verdict:
    """The first half of the batch, at once: it is another request, so there is nothing to wait for."""
    half = lane.cursor + _events(lane) // 2
    settlement = Settlement(
        lane.cursor,
        half,
        attempts=lane.attempts,
        first_failure=lane.first_failure,
        skipped=lane.skipped,
        reason=reason,
    )
    return Verdict("split", settlement, "alive", reason)


def _skip(lane: Lane, reason: str) -> Verdict:
    """Past one event that will never be taken; the next delivery names it, the record keeps it."""
    settlement = Settlement(lane.batch_to, None, skipped=(*lane.skipped, lane.batch_to))
    return Verdict("skip", settlement, "alive", reason)


def _unchanged(lane: Lane, reason: str) -> Settlement:
    return Settlement(
        lane.cursor,
        lane.batch_to,
        attempts=lane.attempts,
        rejections=lane.rejections,
        first_failure=lane.first_failure,
        skipped=lane.skipped,
        reason=reason,
    )
