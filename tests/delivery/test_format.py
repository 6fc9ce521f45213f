"""Our own format: what it asks to know, and what a batch becomes. Twilio's is in `test_twilio`."""

import json

from standardwebhooks import Webhook

from bridge.delivery.format import Envelopes
from bridge.delivery.signing import Signer, format_secret
from bridge.outbox import Lane, call_header
from bridge.store.base import StoredEvent
from tests.fakes import words

SECRET = format_secret(b"s" * 32)
LANE = Lane("webhook", "CA1", call_header(words.started()), 1, 3, 0, 0, None, (1,), False, "token")


def test_a_batch_is_one_request_that_names_what_was_passed_over() -> None:
    events = [
        StoredEvent("CA1", seq, event.type, event.to_json()) for seq in (2, 3) for event in [words.final(seq=seq)]
    ]

    (part,) = Envelopes(Signer(SECRET)).parts(LANE, events)

    body = json.loads(part.request.body)
    assert part.lane is LANE
    assert ([event["seq"] for event in body["events"]], body["skipped"]) == ([2, 3], [1])
    assert part.request.headers(5.0)["webhook-id"] == "evt_CA1_2_3"
    assert part.request.headers(5.0) != part.request.headers(6.0)


def test_each_attempt_is_signed_with_its_own_time() -> None:
    import time

    request = Envelopes(Signer(SECRET)).interim("CA1", LANE.header, words.speech())

    assert Webhook(SECRET).verify(request.body, dict(request.headers(time.time())))


def test_it_needs_nothing_but_the_batch() -> None:
    made = Envelopes(Signer(SECRET))
    made.recall(LANE, [])
    made.settled(LANE, 3)

    assert made.known(LANE) == LANE.cursor
