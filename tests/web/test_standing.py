"""How endpoints and stuck calls are told."""

import pytest

from bridge.delivery.breaker import State
from bridge.delivery.format import Envelopes
from bridge.delivery.sender import Attempt, Sender
from bridge.delivery.signing import Signer
from bridge.outbox import Backlog, StuckLane
from bridge.store.sqlite import SQLiteStore
from bridge.web import standing
from tests.fakes.running import WEBHOOK_SECRET

NOW = 1_800_000_000.0
TIME = "2027-01-15T08:00:00.000Z"


@pytest.fixture
def sender(tmp_path):
    format_ = Envelopes(Signer(WEBHOOK_SECRET), types={"call.started", "call.ended"})
    return Sender(SQLiteStore(tmp_path), "https://app.example.com/calls?token=secret", format_, clock=lambda: NOW)


async def test_an_endpoint_that_was_not_asked_yet(sender):
    assert standing.endpoint("crm", sender, None, NOW) == {
        "name": "crm",
        "url": "https://app.example.com",
        "state": "well",
        "events": ["call.ended", "call.started"],
        "in_flight": 0,
        "waiting": 0,
        "parked": 0,
        "last": None,
        "accepted_at": None,
        "next_try": None,
    }


async def test_its_last_answer_and_its_next_try(sender):
    sender.attempts.last = Attempt(NOW, 0.12345, False, "status 500")

    told = standing.endpoint("crm", sender, Backlog("crm", 2, 1, NOW + 60), NOW)

    assert (told["state"], told["waiting"], told["parked"]) == ("failing", 2, 1)
    assert told["last"] == {"at": TIME, "took": 0.123, "accepted": False, "answer": "status 500"}
    assert told["next_try"] == "2027-01-15T08:01:00.000Z"
    assert standing.endpoint("crm", sender, Backlog("crm", 2, 1, 0.0), NOW)["next_try"] == TIME


@pytest.mark.parametrize(
    ("state", "told"), [(State.OPEN, "refusing"), (State.HALF_OPEN, "recovering"), (State.DISABLED, "gone")]
)
async def test_how_hard_it_is_pressed(sender, state, told):
    sender.breaker.state = state

    found = standing.endpoint("crm", sender, Backlog("crm", 1, 0, 0.0), NOW)

    assert found["state"] == told
    assert (found["next_try"] is None) == (told == "gone")


def test_one_that_is_in_the_settings_no_more():
    told = standing.endpoint("old", None, Backlog("old", 3, 1, 0.0), NOW)

    assert (told["state"], told["url"], told["waiting"], told["next_try"]) == ("removed", None, 3, None)


def test_a_call_that_is_stuck():
    waits = StuckLane("crm", "CA1", 4, 9, 3, NOW - 5, NOW, None, "timeout")
    given_up = StuckLane("crm", "CA2", 4, 9, 13, 0.0, NOW, "given up after 72.0 hours", "timeout")

    assert standing.stuck(waits, NOW) == {
        "endpoint": "crm",
        "call_id": "CA1",
        "cursor": 4,
        "seq": 9,
        "attempts": 3,
        "since": TIME,
        "reason": "timeout",
        "parked": False,
        "next_try": TIME,
    }
    told = standing.stuck(given_up, NOW)
    assert (told["parked"], told["next_try"], told["reason"]) == (True, None, "given up after 72.0 hours")
