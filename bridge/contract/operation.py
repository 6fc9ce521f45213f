"""What a handler says of itself to machines: its path, what it takes and what it answers. It stands at the handler.

    @documented("GET /calls", "listCalls", tag="record", takes=[LIMIT], answers={200: CallPage}, refuses={400: "…"})
    async def index(self, request): …

The docstring of the handler is the operation's description. `bridge.web.contract` lists the classes that have such
handlers; a test finds a route that has no operation, an operation that has no route, and an answer that is not there.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal, TypeVar

from typing_extensions import TypedDict

from bridge.contract import docstrings
from bridge.contract.schemas import Schema

H = TypeVar("H", bound=Callable[..., Any])

JSON = "application/json"

Guard = Literal["open", "setting", "reader", "link", "twilio", "telnyx", "jambonz"]
"""Who is let in: everyone; everyone or a reader, as a setting says; a reader with a token or a session; these, and
those with a link to the call; a carrier.
"""


class Refusal(TypedDict):
    """Why a request was refused."""

    error: str
    """A sentence for people; it may be worded otherwise in any version."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a request may have in its query, its path or its head."""

    name: str
    what: str
    """For people, with the unit."""
    schema: Schema
    place: Literal["query", "path", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered with one status."""

    what: str
    bodies: Mapping[str, "type | Schema"] = field(default_factory=dict)
    """By their content type: a type of ours, or a schema. None: there is no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What each header says that matters."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    name: str
    """In clients that are made of the document."""
    tag: str
    summary: str
    what: str
    guard: Guard
    takes: tuple[Parameter, ...]
    body: "type | UnionType | Schema | None"
    """What it takes; one of several types."""
    body_type: str
    body_required: bool
    answers: Mapping[int, Answer]
    refuses: Mapping[int, str]
    """By status, when it is refused; the body is always a `Refusal`."""


PATH_PARAMETERS = {
    "id": Parameter("id", "The record's id.", {"type": "string"}, "path"),
}
"""Those that need no words at each handler."""

_OPERATIONS = "__operations__"


def whole(name: str, what: str, *, default: int | None = None, least: int = 0, most: int = 2**53) -> Parameter:
    """A whole number in the query."""
    schema: Schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name, what, schema if default is None else {**schema, "default": default})


def text(name: str, what: str, **schema: Any) -> Parameter:
    """A text in the query; `schema`: what else JSON Schema can say of it."""
    return Parameter(name, what, {"type": "string", **schema})


def documented(route: str, name: str, **more: Any) -> Callable[[H], H]:
    """Say what a handler does: its docstring, and what `operation` takes."""

    def note(handler: H) -> H:
        said = inspect.getdoc(handler) or ""
        setattr(handler, _OPERATIONS, (*operations(handler), operation(route, name, said, **more)))
        return handler

    return note


def operations(handler: Any) -> tuple[Operation, ...]:
    """Those that a handler is documented with; a wrapper that has its handler's attributes has them too."""
    found: tuple[Operation, ...] = getattr(handler, _OPERATIONS, ())
    return found


def all_operations(classes: Iterable[type]) -> list[Operation]:
    """Those of all handlers of these classes."""
    return [one for each in classes for member in vars(each).values() for one in operations(member)]


def operation(
    route: str,
    name: str,
    said: str,
    *,
    tag: str,
    answers: Mapping[int, "Answer | type"],
    guard: Guard = "reader",
    takes: Iterable[Parameter] = (),
    body: "type | UnionType | Schema | None" = None,
    body_type: str = JSON,
    body_required: bool = False,
    refuses: Mapping[int, str] | None = None,
    what: str = "",
) -> Operation:
    """One method of one path, `route`. `said`: its docstring. `what`: more than that, for clients.

    `refuses`: the statuses of its own; those of the guard, and of a body that cannot be read, are added.
    """
    method, path = route.split(" ")
    takes = tuple(takes)
    named = {one.name for one in takes if one.place == "path"}
    in_path = [PATH_PARAMETERS[each] for each in re.findall(r"{(\w+)}", path) if each not in named]
    summary, _, rest = docstrings.text(said).partition("\n\n")
    return Operation(
        method=method,
        path=path,
        name=name,
        tag=tag,
        summary=summary.rstrip("."),
        what="\n\n".join(part for part in (rest, what) if part),
        guard=guard,
        takes=(*in_path, *takes),
        body=body,
        body_type=body_type,
        body_required=body_required,
        answers={status: one if isinstance(one, Answer) else _answer(one) for status, one in answers.items()},
        refuses={**_of_guard(guard), **(_OF_BODY if body is not None else {}), **(refuses or {})},
    )


def _answer(kind: type) -> Answer:
    return Answer(docstrings.text(kind.__doc__ or "").partition("\n\n")[0], {JSON: kind})


_OF_BODY = {
    400: "The body cannot be read.",
    408: "The body did not come in time.",
    413: "The body is too large.",
}


def _of_guard(guard: Guard) -> Mapping[int, str]:
    if guard in ("setting", "reader", "link"):
        return {
            401: "There is no token, or none that is valid.",
            403: "The reader has not the right to it, or a session is used from elsewhere than the bridge's own page.",
            503: "The record cannot be read now.",
        }
    return {}
