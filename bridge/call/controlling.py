"""The control of any call of the record: of this process's by itself, of another's by passing the request on. What a
carrier says of a stream, which a balancer brings to any process, goes the same way.

Where a call moves from one process to another a request finds it, or is refused: none is carried out by two.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.call.call import Call
from bridge.call.control import Control, NotAnswered, NotNow, NotTaken
from bridge.call.requests import Outcome, Request, StreamNote
from bridge.errors import BridgeError, ConfigError, StoreError
from bridge.events import AskedBy
from bridge.store.base import CallFilter, CallIndex
from bridge.store.passing import Answered, NotPassed, Passing

log = logging.getLogger("bridge.call")

_DO: Mapping[str, Callable[[Control, AskedBy], None]] = {
    "pause": Control.pause,
    "resume": Control.resume,
    "finalize": lambda control, by: control.finalize(),
    "stop": lambda control, by: control.stop(),
}

WRITTEN = 5.0
"""Seconds within which the store must have it."""

_NOT_WRITTEN = "It is done, but not written down yet: a bridge that restarts now does not know it."
_NO_CALL = Outcome("no call")
_OVER = Outcome("not now", "The call is over.")
_NOT_HERE = Outcome("not now", "The call does not go on here at this moment: another process has it, or takes it up.")
_TAKEN_UP = "No process goes on with the call at this moment: one takes it up. Nothing was done; ask again in a moment."
_UNKNOWN_THERE = Outcome("not now", "The process that has the call is of another version, and knows no such request.")

_NOT_PASSED: Mapping[NotPassed, Outcome] = {
    NotPassed.NO_CALL: _NO_CALL,
    NotPassed.OVER: _OVER,
    NotPassed.HERE: Outcome("not reached", _TAKEN_UP),
    NotPassed.NO_OWNER: Outcome("not reached", _TAKEN_UP),
    NotPassed.MANY: Outcome(
        "not reached", "Too many requests wait for the process that has the call. Nothing was done; ask again."
    ),
    NotPassed.LATE: Outcome(
        "not reached", "The process that has the call does not answer. Nothing was done; ask again in a moment."
    ),
    NotPassed.UNKNOWN: Outcome(
        "not reached",
        "The process that has the call has not answered: it may have done it, or not. The events of the call say.",
    ),
}


class Calls(Protocol):
    """The calls that go on here."""

    calls: dict[str, Call]

    def of_record(self, record_id: str) -> Call | None:
        """The call that goes on in a record; None: none does here."""

    async def fail_stream(self, carrier: str, call_id: str, stream_id: str | None, error: str) -> None:
        """As the registry's."""

    def stop_stream(self, call_id: str, stream_id: str) -> None:
        """As the registry's."""


class Controlling:
    """`ask` for those who ask this process; what others pass on is carried out by itself."""

    def __init__(self, calls: Calls, index: CallIndex, passing: Passing | None = None) -> None:
        """`passing`: how other processes of the record are reached; None: there are none."""
        self._calls = calls
        self._index = index
        self._passing = passing
        if passing:
            passing.answer_by(self._answer)

    def __repr__(self) -> str:
        return f"<Controlling {'calls of any process' if self._passing else 'calls'}>"

    async def ask(self, call_id: str, request: Request) -> Outcome:
        """Carry a request out, wherever the call goes on. Raises StoreError where the record cannot be read."""
        call = self._here(call_id)
        if call and (done := await self._carry_out(call, request)):
            return done
        found = await self._index.find(CallFilter(id=call_id), limit=1)
        if not found:
            return _NO_CALL
        if found[0].row.ended_at is not None:
            return _OVER
        if self._passing is None:
            return _NOT_HERE
        became = await self._passing.ask(call_id, request.to_json())
        if isinstance(became, Answered):
            return Outcome.read(became.text) or _NOT_PASSED[NotPassed.UNKNOWN]
        call = self._here(call_id) if became is NotPassed.HERE else None  # it has come here meanwhile
        if call and (done := await self._carry_out(call, request)):
            return done
        log.warning("a request was not passed on", extra={"call_id": call_id, "reason": became.value})
        return _NOT_PASSED[became]

    async def note_stream(self, note: StreamNote) -> None:
        """Note what a carrier says of a stream, at the process that has its call; where that is not found, here."""
        try:
            if self._passing and note.call_id not in self._calls.calls and await self._pass_on(self._passing, note):
                return
        except StoreError as error:
            log.error("what a carrier says is not passed on", extra={"call_id": note.call_id, "reason": str(error)})
        await self._note(note)

    async def _pass_on(self, passing: Passing, note: StreamNote) -> bool:
        found = await self._index.find(CallFilter(carrier_call_id=note.call_id, active=True), limit=1)
        became = await passing.ask(found[0].row.id, note.to_json()) if found else None
        outcome = Outcome.read(became.text) if isinstance(became, Answered) else None
        return outcome is not None and outcome.became == "done"

    async def _note(self, note: StreamNote) -> None:
        if note.error is None:
            self._calls.stop_stream(note.call_id, note.stream_id)
        else:
            await self._calls.fail_stream(note.carrier, note.call_id, note.stream_id, note.error)

    async def _answer(self, call_id: str, text: str) -> str | None:
        """As an `Answerer`."""
        call = self._here(call_id)
        if call is None:
            return None
        if note := StreamNote.read(text):
            await self._note(note)
            return Outcome("done").to_json()
        request = Request.read(text)
        outcome = await self._carry_out(call, request) if request else _UNKNOWN_THERE
        return outcome.to_json() if outcome else None

    async def _carry_out(self, call: Call, request: Request) -> Outcome | None:
        """None: another process has taken the call meanwhile, and what was done here is in no record."""
        outcome = await carry_out(call, request)
        return None if self._passing and call.control.lost else outcome

    def _here(self, call_id: str) -> Call | None:
        """A call of this process; not one that another process has taken from it, which the store told it."""
        call = self._calls.of_record(call_id)
        return None if call is None or (self._passing and call.control.lost) else call


async def carry_out(call: Call, request: Request) -> Outcome:
    """Have a call of this process do it; until that is durable."""
    control = call.control
    try:
        if request.configuration:
            await control.configure(request.configuration, request.by)
        else:
            _DO[request.action](control, request.by)
        async with asyncio.timeout(WRITTEN):
            await control.written()
    except (ConfigError, NotTaken) as error:
        return Outcome("refused", _sentence(error))
    except NotNow as error:
        return Outcome("not now", _sentence(error))
    except NotAnswered as error:
        return Outcome("not answered", _sentence(error))
    except TimeoutError:
        return Outcome("not written", _NOT_WRITTEN)
    return Outcome("done", paused_at=control.paused_at)


def _sentence(error: BridgeError) -> str:
    return f"{error}.".replace("..", ".")
