"""Handler for the control of a call that goes on: `POST /calls/{id}/control`.

    {"action": "pause"}      from now on nothing is transcribed, kept or recorded; again: nothing changes
    {"action": "resume"}     the call is heard again; again: nothing changes
    {"action": "finalize"}   what was said so far gets its final
    {"action": "configure", "keyterms": ["Acme"], "numerals": true}
                             Deepgram changes what is given; the keyterms replace all there were
    {"action": "stop"}       the transcription ends, with its last words

200 once that is durable, with how the call stands: `call`, `action`, `paused`, `paused_at` (seconds of the call, or
null). 400: it cannot be understood, or Deepgram refuses, in its words; 404: there is no such call; 409: it makes no
sense now; 503, 504: the record, or Deepgram, has not answered.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from bridge.call import Call
from bridge.call.control import Control, NotAnswered, NotNow, NotTaken
from bridge.deepgram.configuring import Configuration
from bridge.errors import ConfigError
from bridge.events import AskedBy
from bridge.store import CallFilter, CallIndex
from bridge.web.access import Access
from bridge.web.http import BadRequest, answer, json_object, no_such_call, refusal

_DO: Mapping[str, Callable[[Control, AskedBy], None]] = {
    "pause": Control.pause,
    "resume": Control.resume,
    "finalize": lambda control, by: control.finalize(),
    "stop": lambda control, by: control.stop(),
}
_CONFIGURE = "configure"
ACTIONS = (*_DO, _CONFIGURE)

_WRITTEN = 5.0  # seconds within which the store must have it


class Calls(Protocol):
    """Finds calls that go on."""

    def of_record(self, record_id: str) -> Call | None:
        """The call that goes on in a record; None: none does here."""


class ControlHandlers:
    """All require access of their own: a link to a call only reads."""

    def __init__(self, calls: Calls, index: CallIndex, access: Access) -> None:
        self._calls = calls
        self._index = index
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """For clients with a token, and for the page."""
        return [web.post("/calls/{id}/control", self._access.only(self.control))]

    async def control(self, request: web.Request) -> web.Response:
        """Do what is asked."""
        call_id = request.match_info["id"]
        try:
            action, configuration = _read(await json_object(request))
            call = self._calls.of_record(call_id)
            if call is None:
                return await self._not_here(call_id)
            by: AskedBy = "page" if self._access.is_page(request) else "api"
            if configuration:
                await call.control.configure(configuration, by)
            else:
                _DO[action](call.control, by)
            async with asyncio.timeout(_WRITTEN):
                await call.control.written()
        except (BadRequest, ConfigError, NotTaken) as error:
            return refusal(400, f"{error}.".replace("..", "."))
        except NotNow as error:
            return refusal(409, f"{error}.")
        except NotAnswered as error:
            return refusal(504, f"{error}.")
        except TimeoutError:
            return refusal(503, "It is done, but not written down yet: a bridge that restarts now does not know it.")
        paused_at = call.control.paused_at
        return answer({"call": call_id, "action": action, "paused": paused_at is not None, "paused_at": paused_at})

    async def _not_here(self, call_id: str) -> web.Response:
        found = await self._index.find(CallFilter(id=call_id), limit=1)
        if not found:
            return no_such_call()
        if found[0].row.ended_at is not None:
            return refusal(409, "The call is over.")
        return refusal(409, "The call does not go on here at this moment: another process has it, or takes it up.")


def _read(body: dict[str, Any] | None) -> tuple[str, Configuration | None]:
    """The action, and what is to be configured. Raises BadRequest."""
    if body is None or body.get("action") not in ACTIONS:
        raise BadRequest(f"action must be one of {', '.join(ACTIONS)}, in a body of application/json")
    action: str = body["action"]
    allowed = {"action", "keyterms", "numerals"} if action == _CONFIGURE else {"action"}
    if unknown := sorted(body.keys() - allowed):
        raise BadRequest(f"{action} takes no {unknown[0][:80]}" if unknown[0].isprintable() else "a field is unknown")
    return action, _configuration(body) if action == _CONFIGURE else None


def _configuration(body: Mapping[str, Any]) -> Configuration:
    keyterms, numerals = body.get("keyterms"), body.get("numerals")
    if keyterms is None and numerals is None:
        raise BadRequest("configure takes keyterms, numerals, or both")
    if keyterms is not None and not (isinstance(keyterms, list) and all(isinstance(term, str) for term in keyterms)):
        raise BadRequest("keyterms must be a list of texts; an empty one takes all away")
    if numerals is not None and not isinstance(numerals, bool):
        raise BadRequest("numerals must be true or false")
    return Configuration(None if keyterms is None else tuple(keyterms), numerals)
