"""The control of calls of this process and of others; how requests get from one to the other is the store's."""

import json

import pytest

from bridge.call import CallRegistry, ContinuityPolicy
from bridge.call.controlling import Controlling
from bridge.call.requests import Outcome, Request, StreamNote
from bridge.deepgram.configuring import Configuration
from bridge.store.base import Query
from bridge.store.passing import Answered, NotPassed
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, feed, services, started
from tests.fakes.running import deepgram

PAUSE, RESUME = Request("pause", "page"), Request("resume", "api")


class Wire:
    """Passes requests on to the process that is at its other end, or says why it cannot."""

    def __init__(self, says=NotPassed.NO_OWNER):
        self.says = says
        self.answerer = None
        self.other = None
        self.passed = []

    def answer_by(self, answerer):
        self.answerer = answerer

    async def ask(self, call_id, text):
        self.passed.append(text)
        if self.other is None:
            return self.says
        answer = await self.other.answerer(call_id, text)
        return self.says if answer is None else Answered(answer)


@pytest.fixture
async def registry(store):
    async with deepgram() as server:
        calls = CallRegistry(services(store, server, HandClock(), ContinuityPolicy(grace=10.0), flush=1.0), max_calls=3)
        await calls.recover()
        yield calls
        await calls.end_all(0.5)


@pytest.fixture
async def call(registry):
    stream = await registry.open(started())
    feed(stream, 1.0)
    await registry.calls["CA1"].control.written()
    return registry.calls["CA1"]


class Elsewhere:
    """A process that has no call."""

    def __init__(self):
        self.calls = {}
        self.noted = []

    def of_record(self, record_id):
        return None

    async def fail_stream(self, *said):
        self.noted.append(said)

    def stop_stream(self, *said):
        self.noted.append(said)


async def told(store, *kinds):
    return [json.loads(event.body)["data"] for event in await store.read(Query("CA1", kinds))]


async def test_a_call_of_this_process_is_asked_here(registry, store, call):
    wire = Wire()
    controlling = Controlling(registry, store, wire)

    assert await controlling.ask("CA1", PAUSE) == Outcome("done", paused_at=1.0)
    assert wire.passed == []
    assert repr(controlling) == "<Controlling calls of any process>"


async def test_a_call_of_another_process_is_asked_there_and_answered_the_same(registry, store, call):
    here, there = Wire(), Wire()
    here.other = there
    asked = Controlling(Elsewhere(), store, here)
    Controlling(registry, store, there)

    assert await asked.ask("CA1", PAUSE) == Outcome("done", paused_at=1.0)
    assert [data["by"] for data in await told(store, "pause.started")] == ["page"]
    assert await asked.ask("CA1", RESUME) == Outcome("done")
    empty = Request("configure", "api", Configuration((" ",), None))
    assert await asked.ask("CA1", empty) == Outcome("refused", "a keyterm is empty.")


async def test_a_request_of_a_newer_version_is_refused(registry, store, call):
    there = Wire()
    Controlling(registry, store, there)

    outcome = Outcome.read(await there.answerer("CA1", '{"action": "whisper"}'))
    assert (outcome.became, outcome.sentence[:26]) == ("not now", "The process that has the c")


@pytest.mark.parametrize(
    ("says", "became", "part"),
    [
        (NotPassed.NO_CALL, "no call", ""),
        (NotPassed.OVER, "not now", "over"),
        (NotPassed.HERE, "not reached", "takes it up"),
        (NotPassed.NO_OWNER, "not reached", "takes it up"),
        (NotPassed.MANY, "not reached", "Too many"),
        (NotPassed.LATE, "not reached", "Nothing was done"),
        (NotPassed.UNKNOWN, "not reached", "may have done it"),
        (Answered("of a newer version"), "not reached", "may have done it"),
    ],
)
async def test_why_it_could_not_be_passed_on_is_said(store, call, says, became, part):
    outcome = await Controlling(Elsewhere(), store, Wire(says)).ask("CA1", PAUSE)

    assert outcome.became == became
    assert part in outcome.sentence
    assert await told(store, "pause.started") == []


async def test_a_call_that_comes_here_meanwhile_is_asked_here(registry, store, call):
    wire = Wire(NotPassed.HERE)
    places = iter([None, call])

    class Coming:
        def of_record(self, record_id):
            return next(places)

    assert await Controlling(Coming(), store, wire).ask("CA1", PAUSE) == Outcome("done", paused_at=1.0)


async def test_what_has_no_call_that_goes_on_is_not_passed_on(registry, store, call):
    wire = Wire()
    asked = Controlling(Elsewhere(), store, wire)

    assert await asked.ask("CA9", PAUSE) == Outcome("no call")
    assert await asked.ask("CA1", PAUSE) != Outcome("no call")
    await registry.end_all(1.0)
    assert await asked.ask("CA1", PAUSE) == Outcome("not now", "The call is over.")
    assert len(wire.passed) == 1


async def test_where_there_is_no_other_process_that_is_said(store, call):
    outcome = await Controlling(Elsewhere(), store).ask("CA1", PAUSE)
    assert (outcome.became, outcome.sentence[:31]) == ("not now", "The call does not go on here at")


async def test_a_call_that_another_process_has_taken_is_asked_there_though_this_one_goes_on_with_it(
    registry, store, call
):
    here, there = Wire(NotPassed.UNKNOWN), Wire()
    Controlling(registry, store, there)
    await store.release("CA1")

    assert await there.answerer("CA1", PAUSE.to_json()) is None, "the record refuses it"
    assert await there.answerer("CA1", RESUME.to_json()) is None, "and that is known from then on"
    assert await told(store, "pause.started", "pause.ended") == []
    await Controlling(registry, store, here).ask("CA1", RESUME)
    assert here.passed == [RESUME.to_json()]


ERROR = StreamNote("twilio", "CA1", "MZ1", "31921 close error")


async def test_what_a_carrier_says_of_a_stream_gets_to_the_process_that_has_the_call(registry, store, call):
    here, there, elsewhere = Wire(), Wire(), Elsewhere()
    here.other = there
    asked = Controlling(elsewhere, store, here)
    Controlling(registry, store, there)

    await asked.note_stream(ERROR)
    await call.control.written()
    assert [data["error"] for data in await told(store, "stream.failed")] == ["31921 close error"]
    assert (elsewhere.noted, registry.counters["stream_errors"]) == ([], 1)


@pytest.mark.parametrize("says", [NotPassed.NO_OWNER, Answered(Outcome("not now", "of an older version").to_json())])
async def test_what_does_not_get_there_is_noted_where_it_came(store, call, says):
    elsewhere = Elsewhere()
    controlling = Controlling(elsewhere, store, Wire(says))

    await controlling.note_stream(ERROR)
    await controlling.note_stream(StreamNote("twilio", "CA9", "MZ9", None))
    assert elsewhere.noted == [("twilio", "CA1", "MZ1", "31921 close error"), ("CA9", "MZ9")]


async def test_of_a_call_of_this_process_nothing_is_passed_on(registry, store, call):
    wire = Wire()
    await Controlling(registry, store, wire).note_stream(ERROR)
    assert (wire.passed, registry.counters["stream_errors"]) == ([], 1)


async def test_a_record_that_cannot_be_read_keeps_no_one_from_noting(tmp_path):
    closed, elsewhere = SQLiteStore(tmp_path), Elsewhere()
    await Controlling(elsewhere, closed, Wire()).note_stream(ERROR)
    assert len(elsewhere.noted) == 1
