"""One POST: how it ended is remembered, counted and measured."""

import time
from collections import Counter

import pytest

from bridge.delivery.attempts import Attempts
from bridge.delivery.format import Envelopes
from bridge.delivery.lane import Answered
from bridge.delivery.poster import Poster
from bridge.delivery.signing import Signer
from bridge.local.receiver import Fault, Receiver
from bridge.outbox import Lane, call_header
from bridge.store.base import StoredEvent
from tests.fakes import words
from tests.fakes.running import WEBHOOK_SECRET

LANE = Lane("webhook", "CA1", call_header(words.started()), 0, 1, 0, 0, None, (), False, "")


@pytest.fixture
async def receiver():
    async with Receiver(WEBHOOK_SECRET) as running:
        yield running


def request():
    began = words.started()
    [(_, made)] = Envelopes(Signer(WEBHOOK_SECRET)).parts(LANE, [StoredEvent("CA1", 1, began.type, began.to_json())])
    return made


async def test_how_it_ended_is_remembered(receiver):
    now = time.time()  # signatures are checked against it
    moments = iter([10.0, 10.25, 20.0, 21.5])
    counters = Counter()
    async with Poster(receiver.url) as poster:
        attempts = Attempts(poster, counters, clock=lambda: now, monotonic=lambda: next(moments))
        outcome, first = await attempts.post(LANE, request())
        receiver.faults = [Fault(status=503)]
        await attempts.post(LANE, request())

    assert isinstance(outcome, Answered) and outcome.status == 204
    assert (first.at, first.took, first.accepted, first.answer) == (now, 0.25, True, "status 204")
    assert (attempts.last.took, attempts.last.accepted, attempts.last.answer) == (1.5, False, "status 503")
    assert attempts.accepted_at == now
    assert (attempts.timing.answer.measured, attempts.timing.answer.total) == (2, 1.75)
    assert counters == {"posts": 2}
