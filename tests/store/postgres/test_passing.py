"""Requests that go from one process to another by a PostgreSQL server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bridge.errors import StoreError
from bridge.store import ManagedStore
from bridge.store.passing import LARGEST, Answered, Answerer, NotPassed, Passing
from bridge.store.postgres import asked
from bridge.store.postgres.connections import Database
from bridge.store.postgres.passing import PostgresPassing
from bridge.store.postgres.store import PostgresStore
from tests.fakes import postgres, words
from tests.fakes.stores import Open
from tests.fakes.waiting import until

pytestmark = pytest.mark.postgres


@pytest.fixture
def reopen() -> Open:
    return partial(postgres.fresh(), lease=60.0)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is not what is tested."""
    monkeypatch.setattr(asked, "TO_BEGIN", 60.0)
    monkeypatch.setattr(asked, "TO_ANSWER", 60.0)


class Answers:
    """Notes what it is asked, and answers when it may; where `text` is None, that the call is not here."""

    def __init__(self, text: str | None = "done") -> None:
        self.text = text
        self.asked: list[tuple[str, str]] = []
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self, call_id: str, text: str) -> str | None:
        self.asked.append((call_id, text))
        await self.may.wait()
        return self.text


def passing_of(store: ManagedStore, answerer: Answerer | None = None) -> Passing:
    assert store.passing
    if answerer:
        store.passing.answer_by(answerer)
    return store.passing


def rows() -> list[tuple[object, ...]]:
    return postgres.execute("SELECT call_id, taken_at IS NOT NULL, refused, answer FROM bridge.request ORDER BY id")


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@asynccontextmanager
async def by_hand(clock: Clock) -> AsyncIterator[PostgresPassing]:
    """An asker that hears no messages, and whose time the test tells."""
    database = Database(postgres.server().url)
    yield PostgresPassing(
        database, "asker", wake=lambda node: None, hears=lambda: False, counters=Counter(), monotonic=clock
    )
    await database.close()


def place(store: ManagedStore, id: str = "r1", seconds: float = 60.0) -> None:
    """A request for a process, in the name of one that does not wait for the answer."""
    postgres.execute(
        "INSERT INTO bridge.request (call_id, id, node, asker, body, expires_at) "
        f"VALUES ('CA1', '{id}', '{store.owner}', 'asker', '{id}', clock_timestamp() + {seconds} * interval '1 second')"
    )
    assert isinstance(store.passing, PostgresPassing)
    store.passing.look()


async def test_the_owner_of_a_call_carries_out_what_another_process_was_asked_for(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, answers := Answers("süß\n"))
        await one.append([words.started("CA1"), words.final("CA1", 2)])
        assert await passing_of(two).ask("CA1", "päuse") == Answered("süß\n")
        assert answers.asked == [("CA1", "päuse")]
        assert rows() == [], "nothing of it stays"
        assert (two.counters["passed_on"], one.counters["carried_out"]) == (1, 1)
        assert repr(two.passing).startswith("<PostgresPassing")


async def test_whom_no_one_can_be_asked_for(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, answers := Answers())
        await one.append(words.conversation("CA2"))
        await one.append([words.started("CA1")])
        passing = passing_of(two)
        assert await passing.ask("CA9", "") is NotPassed.NO_CALL
        assert await passing.ask("CA2", "") is NotPassed.OVER
        assert await passing_of(one).ask("CA1", "") is NotPassed.HERE
        with pytest.raises(StoreError, match="too long"):
            await passing.ask("CA1", "x" * (LARGEST + 1))
        with monkeypatch.context() as patch:
            patch.setattr(asked, "MOST", 1)
            answers.may.clear()
            place(one)
            assert await passing.ask("CA1", "") is NotPassed.MANY
            answers.may.set()
        await one.release("CA1")
        assert await passing.ask("CA1", "") is NotPassed.NO_OWNER
        assert two.counters["not_passed_on"] == 4
        assert [text for _, text in answers.asked if text != "r1"] == []


async def test_the_owner_that_has_not_begun_in_time_does_not_begin_later(reopen: Open) -> None:
    clock = Clock()
    async with reopen() as one, by_hand(clock) as asker:
        assert isinstance(one.passing, PostgresPassing)
        passing_of(one, answers := Answers())
        await one.append([words.started("CA1")])
        await one.passing.close()  # as a process that is stopped, or busy: its lease has not run out yet
        asking = asyncio.create_task(asker.ask("CA1", "pause"))
        await until(lambda: rows() == [("CA1", False, None, None)])
        clock.time += asked.TO_BEGIN
        assert await asking is NotPassed.LATE
        assert rows() == []
        one.passing.start()
        place(one, "later")
        await until(lambda: answers.asked)
        assert answers.asked == [("CA1", "later")]


async def test_what_has_expired_is_not_begun_and_goes(reopen: Open) -> None:
    async with reopen() as one:
        passing_of(one, answers := Answers())
        await one.append([words.started("CA1")])
        place(one, "expired", seconds=-0.001)
        place(one, "left over", seconds=-61.0)
        place(one, "in time")
        await until(lambda: answers.asked)
        await until(lambda: len(rows()) == 2)
        assert answers.asked == [("CA1", "in time")]


async def test_an_owner_that_does_not_answer_may_have_done_it(reopen: Open) -> None:
    clock = Clock()
    async with reopen() as one, by_hand(clock) as asker:
        passing_of(one, answers := Answers())
        answers.may.clear()
        await one.append([words.started("CA1")])
        asking = asyncio.create_task(asker.ask("CA1", "pause"))
        await until(lambda: answers.asked)
        clock.time += asked.TO_BEGIN + asked.TO_ANSWER
        assert await asking is NotPassed.UNKNOWN
        answers.may.set()


async def test_a_request_is_carried_out_once_however_often_it_is_found(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, answers := Answers())
        answers.may.clear()
        await one.append([words.started("CA1")])
        asking = asyncio.create_task(passing_of(two).ask("CA1", "first"))
        await until(lambda: answers.asked)
        asking_too = asyncio.create_task(passing_of(two).ask("CA1", "second"))
        await until(lambda: len(answers.asked) == 2)  # with it the first was found again
        answers.may.set()
        assert await asking == await asking_too == Answered("done")
        assert [text for _, text in answers.asked] == ["first", "second"]


async def test_a_request_follows_a_call_that_has_moved(reopen: Open) -> None:
    async with reopen() as one, reopen() as two, reopen() as three:

        async def hand_over(call_id: str, text: str) -> None:
            await one.release(call_id)
            assert await two.take(call_id)

        passing_of(one, hand_over)
        passing_of(two, answers := Answers())
        await one.append([words.started("CA1")])
        assert await passing_of(three).ask("CA1", "pause") == Answered("done")
        assert answers.asked == [("CA1", "pause")]
        assert rows() == []


async def test_it_follows_only_once(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, answers := Answers(None))
        await one.append([words.started("CA1")])
        assert await passing_of(two).ask("CA1", "pause") is NotPassed.NO_OWNER
        assert len(answers.asked) == 2
        assert rows() == []


async def test_a_call_that_comes_to_the_process_that_was_asked(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:

        async def hand_over(call_id: str, text: str) -> None:
            await one.release(call_id)
            assert await two.take(call_id)

        passing_of(one, hand_over)
        await one.append([words.started("CA1")])
        assert await passing_of(two).ask("CA1", "pause") is NotPassed.HERE


async def test_a_process_that_has_lost_a_call_carries_nothing_out(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, answers := Answers())
        await one.append([words.started("CA1")])
        await one.release("CA1")
        assert await two.take("CA1")
        place(one)
        await until(lambda: rows() == [("CA1", True, "moved", None)])
        assert answers.asked == []


async def test_a_process_that_answers_nothing_yet_has_no_calls(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        await one.append([words.started("CA1")])
        assert await passing_of(two).ask("CA1", "pause") is NotPassed.NO_OWNER


async def test_connections_that_are_lost_meanwhile_lose_nothing(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, answers := Answers())
        answers.may.clear()
        await one.append([words.started("CA1")])
        asking = asyncio.create_task(passing_of(two).ask("CA1", "pause"))
        await until(lambda: answers.asked)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bridge %'"
        )
        answers.may.set()
        assert await asking == Answered("done")
        assert len(answers.asked) == 1


async def test_what_the_database_refuses_is_told_once_and_tried_again(
    reopen: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with reopen() as one, reopen() as two:
        passing_of(one, Answers())
        await one.append([words.started("CA1")])
        postgres.execute("ALTER TABLE bridge.request RENAME TO elsewhere")
        try:
            with pytest.raises(StoreError, match="42P01"):
                await passing_of(two).ask("CA1", "pause")
            await until(lambda: "requests of other processes cannot be read" in caplog.messages)
        finally:
            postgres.execute("ALTER TABLE bridge.elsewhere RENAME TO request")
        assert await passing_of(two).ask("CA1", "pause") == Answered("done")


async def test_an_answerer_that_fails_harms_no_other(reopen: Open, caplog: pytest.LogCaptureFixture) -> None:
    async with reopen() as one:

        async def fails(call_id: str, text: str) -> str:
            raise ValueError

        passing_of(one, fails)
        await one.append([words.started("CA1")])
        place(one)
        await until(lambda: "a request of another process failed" in caplog.messages)
        passing_of(one, Answers())
        place(one, "r2")
        await until(lambda: ("CA1", True, None, "done") in rows())


async def test_without_messages_the_poll_finds_requests_and_answers(
    reopen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.store.postgres.bus.CHANNEL", "elsewhere")
    async with reopen() as one, reopen() as two:
        passing_of(one, Answers())
        await one.append([words.started("CA1")])
        assert await passing_of(two).ask("CA1", "pause") == Answered("done")


async def test_behind_a_pooler_requests_are_passed_on(reopen: Open) -> None:
    with postgres.pooler() as url:
        async with PostgresStore(url) as one, PostgresStore(url) as two:
            passing_of(one, Answers())
            await one.append([words.started("CA1")])
            assert await passing_of(two).ask("CA1", "pause") == Answered("done")
