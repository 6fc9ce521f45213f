"""What a group of writes does to the rows it has locked, without a database."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from bridge.errors import LocalProtocolError, NotOwner, StoreError
from bridge.events import Event
from bridge.outbox import Batching, Lane, Settlement
from bridge.outlets import Outlet, Outlets, named
from bridge.store.postgres.plan import CallState, LaneState, Plan
from bridge.store.postgres.works import Append, Appended, Delete, Release, Resume, Settle, Work, plain
from tests.fakes import words

OUTLETS = Outlets([Outlet("webhook"), Outlet("tenants", is_pattern=True)])
STARTED, FINAL = words.started(), words.final(seq=2)


def append(*events: Event, epoch: int | None = 1, **given: Any) -> Append:
    return Append.of(events, epoch, **{"endpoints": ("webhook",), **given})


def call(tip: int = 1, **given: Any) -> CallState:
    return CallState(**{"id": "CA1", "tip": tip, "is_open": True, "owner": "me", "epoch": 1, "header": "{}", **given})


def lane(**given: Any) -> LaneState:
    return LaneState(**{"call_id": "CA1", "endpoint": "webhook", **given})


def held(cursor: int = 0, batch_to: int = 1, token: str = "t") -> Lane:
    return Lane("webhook", "CA1", "{}", cursor, batch_to, 0, 0, None, (), False, token)


def planned(
    works: Sequence[Work],
    calls: Sequence[CallState] = (),
    lanes: Sequence[LaneState] = (),
    sizes: Sequence[tuple[str, int, int, int]] = (),
    again: bool = False,
) -> tuple[Plan, list[Any]]:
    plan = Plan(works, "me", Batching(max_events=3), OUTLETS)
    plan.load(calls, lanes, sizes, 1000.0, again=again)
    return plan, plan.run()


def test_a_call_begins_with_its_lanes() -> None:
    plan, (done,) = planned([append(STARTED, FINAL)], [call(0)])
    assert isinstance(done, Appended)
    assert ([event.seq for event in done.events], done.woken) == ([1, 2], True)
    (row,) = plan.changed_lanes()
    assert (row["endpoint"], row["cursor"], row["batch_to"], row["ready_at"]) == ("webhook", 0, 2, 0.0)
    assert plan.changed_calls() == [{"id": "CA1", "tip": 2, "owner": "me", "ended_at": None, "ended_seq": None}]
    assert [event["seq"] for event in plan.events] == [1, 2]
    assert plan.said == [("CA1", 2, FINAL.data.text)]  # type: ignore[attr-defined]
    assert plan.waiting() == Counter(webhook=1)


def test_what_is_locked_and_begun_beforehand() -> None:
    works = [append(words.final("CA2", 5)), append(STARTED), Settle(held(), Settlement(4, None)), Delete("CA0")]
    plan = Plan([*works, Resume("CA1", "webhook", -1)], "me", Batching(), OUTLETS)
    assert plan.calls == ["CA0", "CA1", "CA2"]
    assert list(plan.beginning) == ["CA1"]
    assert plan.asked_sizes == [("CA1", 4), ("CA1", 0)]


@pytest.mark.parametrize(
    "given",
    [
        {"owner": "another"},
        {"owner": None},
        {"epoch": 3},  # it was taken from this process, and this process has taken it back
    ],
)
def test_the_call_of_another_owner_or_epoch_takes_nothing(given: dict[str, Any]) -> None:
    plan, (refused,) = planned([append(FINAL)], [call(**given)])
    assert isinstance(refused, NotOwner)
    assert not plan.events and not plan.changed_calls() and not plan.changed_lanes()


def test_a_call_that_has_ended_takes_what_comes_later_from_any_process() -> None:
    _, (done,) = planned([append(FINAL, epoch=None)], [call(owner="another", is_open=False)])
    assert [event.seq for event in done.events] == [2]


def test_works_see_what_those_before_them_have_left() -> None:
    works = [append(STARTED), append(FINAL), append(words.final(seq=4)), append(FINAL), Release("CA1"), append(FINAL)]
    plan, results = planned(works, [call(0)])
    first, second, hole, repeated, released, late = results
    assert [event.seq for done in (first, second, repeated) for event in done.events] == [1, 2]
    assert isinstance(hole, StoreError) and "without a hole" in str(hole)
    assert released is True
    assert isinstance(late, NotOwner)
    assert plan.changed_calls()[0]["owner"] is None
    assert [row["batch_to"] for row in plan.changed_lanes()] == [1], "a batch is chosen once"


def test_a_call_must_begin_with_its_start() -> None:
    _, (refused,) = planned([append(words.final(seq=1))])
    assert isinstance(refused, StoreError) and "must begin with" in str(refused)


def test_an_append_of_several_calls_is_a_fault_of_ours() -> None:
    with pytest.raises(LocalProtocolError):
        append(STARTED, words.started("CA2"))


def test_a_settlement_chooses_the_next_batch_of_what_is_there_and_what_has_just_come() -> None:
    works = [append(words.final(seq=4)), Settle(held(), Settlement(1, None))]
    plan, (_, settled) = planned(
        works, [call(3)], [lane(batch_to=1, token="t")], [("CA1", 1, 2, 10), ("CA1", 1, 3, 10)]
    )
    assert settled is True
    (row,) = plan.changed_lanes()
    assert (row["cursor"], row["batch_to"], row["token"]) == (1, 4, None)
    assert plan.waiting()["webhook"] == 0


def test_a_settlement_of_a_lost_lease_writes_nothing() -> None:
    for lanes in ([lane(batch_to=1, token="other")], [lane(batch_to=1)], []):
        plan, (settled,) = planned([Settle(held(), Settlement(1, 1))], [call()], lanes)
        assert settled is False
        assert not plan.changed_lanes()


def test_what_may_have_been_done_by_the_try_before_is_told_as_done() -> None:
    works = [append(FINAL), Settle(held(), Settlement(1, 1)), Release("CA1"), Delete("CA2")]
    calls, lanes = [call(2, owner=None)], [lane(cursor=1, batch_to=1)]
    _, (refused, settled, released, deleted) = planned(works, calls, lanes, again=True)
    assert isinstance(refused, NotOwner), "the release was done as well"
    assert (settled, released, deleted) == (True, True, True)
    _, (done,) = planned([append(FINAL)], [call(2)], again=True)
    assert [event.seq for event in done.events] == [2], "its followers have not heard of it"
    _, (done,) = planned([append(FINAL)], [call(2)])
    assert done == Appended(())


def test_the_end_is_written_once() -> None:
    plan, _ = planned([append(words.ended(seq=2)), append(words.final(seq=3), epoch=None)], [call()])
    (row,) = plan.changed_calls()
    assert (row["tip"], row["ended_seq"], row["ended_at"]) == (3, 2, words.STARTED_AT + 60)


def test_resuming_makes_due_what_was_given_up() -> None:
    stuck = lane(batch_to=2, parked="no", reason="no", attempts=4, due_at=9.0)
    plan, (found,) = planned([Resume("CA1", "webhook", None)], [call(2)], [stuck])
    (row,) = plan.changed_lanes()
    assert (found, row["parked"], row["attempts"], row["due_at"]) == (True, None, 0, 0.0)
    assert plan.waiting()["webhook"] == 1


def test_a_replay_takes_the_lease_and_reaches_endpoints_that_get_the_call() -> None:
    header = json.dumps({"to": "+1"})
    leased = lane(cursor=2, batch_to=3, token="t", skipped="[2]")
    plan, (found, lost) = planned(
        [Resume("CA1", "webhook", 1), Settle(held(2, 3), Settlement(3, None))],
        [call(3, header=header)],
        [leased],
        [("CA1", 1, 2, 10), ("CA1", 1, 3, 10)],
    )
    assert (found, lost) == (True, False)
    (row,) = plan.changed_lanes()
    assert (row["cursor"], row["batch_to"], row["skipped"], row["token"]) == (1, 3, "[]", None)
    _, (found,) = planned([Resume("CA1", "another", 0)], [call(1, header=header)])
    assert not found
    _, (missing,) = planned([Resume("CA1", "webhook", 0)])
    assert isinstance(missing, StoreError)


def test_deleting_takes_all_and_says_which_endpoints_lost_a_lane() -> None:
    own = named("tenants", "https://a.example.com/").endpoint
    calls = [call(1, is_open=False)]
    plan, (deleted, again) = planned([Delete("CA1"), Delete("CA1")], calls, [lane(endpoint=own, batch_to=1)])
    assert (deleted, again) == (True, False)
    assert (plan.deleted, plan.left) == (["CA1"], {own})
    assert plan.waiting()[own] == -1
    _, (refused,) = planned([Delete("CA1")], [call()])
    assert isinstance(refused, StoreError) and "going on" in str(refused)


def test_a_record_may_begin_anew_in_the_group_that_deletes_it() -> None:
    plan, (deleted, done) = planned(
        [Delete("CA1"), append(STARTED)], [call(5, is_open=False)], [lane(cursor=5, batch_to=5)]
    )
    assert deleted is True
    assert [event.seq for event in done.events] == [1]
    assert list(plan.begun) == ["CA1"]
    assert [row["batch_to"] for row in plan.changed_lanes()] == [1]


def test_a_call_may_name_its_endpoint() -> None:
    own = named("tenants", "https://a.example.com/hook")
    plan, _ = planned([append(STARTED, endpoints=(), named=own)], [call(0)])
    assert plan.named == {own.endpoint: own.url}
    assert [row["endpoint"] for row in plan.changed_lanes()] == [own.endpoint]


def test_a_text_is_made_fit_for_the_database() -> None:
    assert plain("a\0b\ud800") == "a b?"
    assert plain(None) is None
