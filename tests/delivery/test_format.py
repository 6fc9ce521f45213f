"""Our own format: what it asks to know, and what a batch becomes. Twilio's is in `test_twilio`."""

import json
from dataclasses import replace

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


# --- an endpoint that is told of some events only --------------------------------------------------------------------

TYPES = {"call.started", "call.ended"}


def stored(finals: int = 3) -> list[StoredEvent]:
    return [
        StoredEvent("CA1", event.seq or 0, event.type, event.to_json()) for event in words.conversation(finals=finals)
    ]


def lane(cursor: int, batch_to: int, skipped: tuple[int, ...] = ()) -> Lane:
    return Lane("webhook", "CA1", LANE.header, cursor, batch_to, 0, 0, None, skipped, False, "token")


def told(made: Envelopes, here: Lane, events: list[StoredEvent]) -> list[tuple[int | None, list[int]]]:
    """What a batch becomes, as (after, the seq of its events); it is settled."""
    if (known := made.known(here)) < here.cursor:
        made.recall(here, events[known : here.cursor])
    bodies = [json.loads(part.request.body) for part in made.parts(here, events[here.cursor : here.batch_to])]
    made.settled(here, here.batch_to)
    return [(body.get("after"), [event["seq"] for event in body["events"]]) for body in bodies]


def test_each_envelope_names_the_event_before_it_that_was_for_the_endpoint() -> None:
    made, events = Envelopes(Signer(SECRET), types=TYPES), stored(finals=3)

    assert [told(made, lane(cursor, to), events) for cursor, to in ((0, 2), (2, 4), (4, 5))] == [
        [(0, [1])],
        [],
        [(1, [5])],
    ]


def test_after_a_restart_or_a_rewind_the_chain_is_the_same() -> None:
    events = stored(finals=3)
    made = Envelopes(Signer(SECRET), types=TYPES)

    assert told(Envelopes(Signer(SECRET), types=TYPES), lane(3, 5), events) == [(1, [5])]
    assert told(made, lane(0, 5), events) == [(0, [1, 5])]
    assert told(made, lane(0, 1), events) == [(0, [1])], "it is told once more"
    assert told(made, lane(4, 5), events) == [(1, [5])]
    assert told(made.apart(), lane(4, 5), events) == [(1, [5])]


def test_what_is_tried_again_and_what_is_forgotten_is_read_again() -> None:
    made, events = Envelopes(Signer(SECRET), types=TYPES, remembered=1), stored(finals=3)
    here = lane(0, 5)
    made.known(here)
    first = made.parts(here, events)
    made.settled(here, 0)
    made.known(here)
    assert [part.request.body for part in made.parts(here, events)] == [part.request.body for part in first]

    made.known(replace(here, call_id="CA2"))
    assert told(made, lane(4, 5), events) == [(1, [5])]


def test_an_endpoint_that_is_told_all_needs_no_chain() -> None:
    assert told(Envelopes(Signer(SECRET)), lane(1, 3), stored()) == [(None, [2, 3])]


def test_an_end_with_its_transcript_goes_alone() -> None:
    made, events = Envelopes(Signer(SECRET), transcript=True), stored(finals=3)
    assert made.needs(events) == ("transcript.final",)
    assert made.needs(events[:4]) == Envelopes(Signer(SECRET)).needs(events) == ()

    before, end = made.parts(lane(1, 5, skipped=(1,)), events[1:], events[1:4])
    assert ((before.lane.cursor, before.lane.batch_to), (end.lane.cursor, end.lane.batch_to)) == ((1, 4), (4, 5))
    assert json.loads(before.request.body)["skipped"] == [1] and b"skipped" not in end.request.body
    (event,) = json.loads(end.request.body)["events"]
    assert [turn["text"] for turn in event["data"]["transcript"]["turns"]] == ["words of 2 words of 3 words of 4"]
    assert end.request.headers(1.0)["webhook-id"] == "evt_CA1_5_5"


def test_an_endpoint_that_is_not_told_of_the_end_needs_no_transcript() -> None:
    assert Envelopes(Signer(SECRET), types={"call.started"}, transcript=True).needs(stored()) == ()
