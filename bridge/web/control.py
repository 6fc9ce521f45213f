"""Handler for the control of a call that goes on: `POST /calls/{id}/control`.

    {"action": "pause"}      from now on nothing is transcribed, kept or recorded; again: nothing changes
    {"action": "resume"}     the call is heard again; again: nothing changes
    {"action": "finalize"}   what was said so far gets its final
    {"action": "configure", "keyterms": ["Acme"], "numerals": true}
                             Deepgram changes what is given; the keyterms replace all there were
    {"action": "stop"}       the transcription ends, with its last words

200 once that is durable, with how the call stands: `call`, `action`, `paused`, `paused_at` (seconds of the call, or
null). 400: it cannot be understood, or Deepgram refuses, in its words; 404: there is no such call; 409: it makes no
sense now; 503, 504: the record, or Deepgram, has not answered. A call of another process of the same record is asked
there, and answered the same; 503 if that process does not answer.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired

from aiohttp import web
from pydantic import ConfigDict
from typing_extensions import TypedDict

from bridge.call.controlling import Controlling
from bridge.call.requests import ACTIONS, Action, Became, Outcome, Request
from bridge.contract.operation import documented
from bridge.deepgram.configuring import Configuration
from bridge.web.access import VISITOR, Access
from bridge.web.http import BadRequest, answer, json_object, no_such_call, refusal

_CONFIGURE = "configure"

_STATUSES: Mapping[Became, int] = {
    "refused": 400,
    "not now": 409,
    "not answered": 504,
    "not written": 503,
    "not reached": 503,
}


class ControlRequest(TypedDict):
    """What is to be done."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    action: Literal["pause", "resume", "finalize", "stop"]
    """`pause`: from now on nothing is transcribed, kept or recorded; again: nothing changes.
    `resume`: the call is heard again; again: nothing changes.
    `finalize`: what was said so far gets its final.
    `stop`: the transcription ends, with its last words.
    """


class ConfigureRequest(TypedDict):
    """What Deepgram is to change: one of the two, or both."""

    __pydantic_config__ = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 2})  # type: ignore[misc]

    action: Literal["configure"]
    keyterms: NotRequired[list[str]]
    """All that there are from now on; an empty list takes all away."""
    numerals: NotRequired[bool]
    """Whether numbers are written in digits."""


class Controlled(TypedDict):
    """It is done, and durable."""

    call: str
    """The record's id."""
    action: str
    paused: bool
    """Whether the call is paused now."""
    paused_at: float | None
    """Since when, in seconds of the call."""


class ControlHandlers:
    """All require access of their own: a link to a call only reads."""

    def __init__(self, controlling: Controlling, access: Access) -> None:
        self._controlling = controlling
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """For clients with a token, and for the page."""
        return [web.post("/calls/{id}/control", self._access.of_call(self.control, "control"))]

    @documented(
        "POST /calls/{id}/control",
        "controlCall",
        tag="live",
        body=ControlRequest | ConfigureRequest,
        body_required=True,
        answers={200: Controlled},
        refuses={
            400: "It cannot be understood, or Deepgram refuses, in its words.",
            404: "There is no such call.",
            409: "It makes no sense now; a call that is over, for one.",
            503: "It is done, but not written down yet; or the process that has the call does not answer.",
            504: "Deepgram has not answered.",
        },
    )
    async def control(self, request: web.Request) -> web.Response:
        """Pause, resume, settle, configure or stop the transcription of a call that goes on."""
        call_id = request.match_info["id"]
        try:
            action, configuration = _read(await json_object(request))
        except BadRequest as error:
            return refusal(400, f"{error}.")
        wanted = Request(action, "page" if request[VISITOR].via == "session" else "api", configuration)
        outcome = await self._controlling.ask(call_id, wanted)
        return _done(call_id, action, outcome) if outcome.became == "done" else _not_done(outcome)


def _done(call_id: str, action: str, outcome: Outcome) -> web.Response:
    done: Controlled = {
        "call": call_id,
        "action": action,
        "paused": outcome.paused_at is not None,
        "paused_at": outcome.paused_at,
    }
    return answer(done)


def _not_done(outcome: Outcome) -> web.Response:
    return no_such_call() if outcome.became == "no call" else refusal(_STATUSES[outcome.became], outcome.sentence)


def _read(body: dict[str, Any] | None) -> tuple[Action, Configuration | None]:
    """The action, and what is to be configured. Raises BadRequest."""
    if body is None or body.get("action") not in ACTIONS:
        raise BadRequest(f"action must be one of {', '.join(ACTIONS)}, in a body of application/json")
    action: Action = body["action"]
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
