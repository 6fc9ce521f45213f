"""What is measured of deliveries."""

from dataclasses import replace

import pytest

from bridge.delivery.timing import Timing
from bridge.outbox import Lane
from bridge.store.base import StoredEvent
from tests.fakes import words

MADE = 1_795_168_812.345
"""2026-11-20T10:00:12.345Z"""

LANE = Lane(
    "webhook", "CA1", "{}", cursor=0, batch_to=2, attempts=0, rejections=0, first_failure=None, skipped=(),
    call_ended=False, token="1",
)  # fmt: skip


def stored(seq, type_, time="2026-11-20T10:00:12.345Z"):
    return StoredEvent(
        "CA1", seq, type_, f'{{"seq":{seq},"id":"CA1-{seq}","type":"{type_}","time":"{time}","data":{{}}}}'
    )


BATCH = [stored(1, "call.started"), stored(2, "transcript.final")]


def test_a_final_is_measured_from_its_making_to_its_first_post():
    timing = Timing()
    timing.post(LANE, BATCH, MADE + 0.012)
    timing.post(replace(LANE, attempts=1), BATCH, MADE + 3)
    timing.post(replace(LANE, rejections=1), BATCH, MADE + 9)

    assert timing.result.measured == 1
    assert timing.result.total == pytest.approx(0.012, abs=1e-6)


def test_every_event_is_measured_to_the_answer_that_accepts_it():
    timing = Timing()
    timing.accept(replace(LANE, attempts=3), BATCH, MADE + 90_000)

    assert (timing.lag.measured, timing.attempts.measured, timing.attempts.total) == (2, 1, 4)
    assert dict(timing.lag.buckets)["86400.0"] == 0
    assert dict(timing.lag.buckets)["259200.0"] == 2


def test_an_event_that_does_not_say_when_it_was_made_is_left_out():
    timing = Timing()
    timing.accept(LANE, [stored(1, "event.lost", "some day"), StoredEvent("CA1", 2, "x", "{}")], MADE)

    assert timing.lag.measured == 0


def test_the_time_is_found_in_events_as_they_are_written():
    final = replace(words.final(text='"time":"2001'), time="2026-11-20T10:00:12.345Z")
    timing = Timing()
    timing.post(LANE, [StoredEvent("CA1", 1, final.type, final.to_json())], MADE + 1)

    assert timing.result.total == pytest.approx(1.0, abs=1e-6)
