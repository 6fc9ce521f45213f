"""Requests that are passed on to another process, with the clock in hand."""

import pytest

from bridge.store.passing import Answered, NotPassed
from bridge.store.postgres.asked import (
    MOST,
    TO_ANSWER,
    TO_BEGIN,
    Asked,
    Found,
    Inbox,
    Owner,
    Place,
    Step,
    Taken,
    refusal,
)

WAITS = Found(taken=False, refused=None, answer=None)
TAKEN = Found(taken=True, refused=None, answer=None)
MOVED = Found(taken=True, refused="moved", answer=None)


def owner(node: str | None = "other", *, ended: bool = False, alive: bool = True, waiting: int = 0) -> Owner:
    return Owner(node, ended, alive, waiting)


def taken(id: str = "r1", left: float = 5.0, *, ours: bool = True) -> Taken:
    return Taken("CA1", id, "asker", "{}", left, ours)


class TestAsked:
    def test_the_owner_is_asked_for_as_long_as_it_may_begin(self) -> None:
        asked = Asked("me", 100.0)
        assert asked.place(owner(), 101.0) == Place("other", TO_BEGIN - 1.0)
        assert repr(asked) == "<Asked moves=0>"

    @pytest.mark.parametrize(
        ("found", "why"),
        [
            (None, NotPassed.NO_CALL),
            (owner(ended=True), NotPassed.OVER),
            (owner("me"), NotPassed.HERE),
            (owner(None, alive=False), NotPassed.NO_OWNER),
            (owner(alive=False), NotPassed.NO_OWNER),
            (owner(waiting=MOST), NotPassed.MANY),
        ],
    )
    def test_whom_no_one_is_asked_for(self, found: Owner | None, why: NotPassed) -> None:
        assert Asked("me", 0.0).place(found, 0.0) is why

    def test_an_answer_counts_whenever_it_comes(self) -> None:
        asked = Asked("me", 0.0)
        assert asked.look(WAITS, 1.0) is Step.WAIT
        assert asked.look(TAKEN, 2.0) is Step.WAIT
        assert asked.look(Found(True, None, ""), 1000.0) == Answered("")

    def test_what_no_one_has_taken_in_time_is_withdrawn(self) -> None:
        asked = Asked("me", 0.0)
        assert asked.look(WAITS, TO_BEGIN - 0.1) is Step.WAIT
        assert asked.look(WAITS, TO_BEGIN) is Step.WITHDRAW
        assert asked.look(TAKEN, TO_BEGIN) is Step.WAIT, "it was taken in the last moment"

    def test_what_was_taken_and_is_not_answered_is_not_known(self) -> None:
        asked = Asked("me", 0.0)
        assert asked.look(TAKEN, TO_BEGIN + TO_ANSWER - 0.1) is Step.WAIT
        assert asked.look(TAKEN, TO_BEGIN + TO_ANSWER) is NotPassed.UNKNOWN
        assert Asked("me", 0.0).look(None, 1.0) is NotPassed.UNKNOWN

    def test_it_follows_a_call_that_has_moved_once_and_within_its_time(self) -> None:
        asked = Asked("me", 0.0)
        assert asked.look(MOVED, 2.0) is Step.PASS_ON
        assert asked.place(owner("third"), 2.0) == Place("third", TO_BEGIN - 2.0)
        assert asked.look(MOVED, 3.0) is NotPassed.NO_OWNER

        late = Asked("me", 0.0)
        assert late.look(MOVED, TO_BEGIN) is Step.PASS_ON
        assert late.place(owner("third"), TO_BEGIN) is NotPassed.LATE

    def test_who_could_not_begin_in_time_says_so(self) -> None:
        assert Asked("me", 0.0).look(Found(True, "late", None), 1.0) is NotPassed.LATE


class TestInbox:
    def test_a_request_is_new_once(self) -> None:
        inbox = Inbox()
        assert inbox.new([taken("r1"), taken("r2")], 0.0) == [taken("r1"), taken("r2")]
        assert inbox.new([taken("r1"), taken("r3")], 1.0) == [taken("r3")]
        assert inbox.new([taken("r1")], 6.0) == [], "the database's clock may be another"
        assert repr(inbox) == "<Inbox knows 3>"

    def test_what_cannot_come_again_is_forgotten(self) -> None:
        inbox = Inbox()
        inbox.new([taken()], 0.0)
        inbox.new([], 1000.0)
        assert repr(inbox) == "<Inbox knows 0>"


def test_what_is_not_begun() -> None:
    assert refusal(taken(left=5.0), asked=100.0, now=104.9) is None
    assert refusal(taken(left=5.0), asked=100.0, now=105.0) == "late"
    assert refusal(taken(ours=False), asked=100.0, now=100.0) == "moved"
