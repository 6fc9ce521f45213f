"""Traces, as the parts that are traced see them: a call is a trace, and its parts are spans in it.

Whether anything becomes of a span is `telemetry`'s affair; without it these cost nothing. Attributes say what happened,
never what was said, by whom, or where to: no words, no numbers of telephones, no addresses.
"""

from collections.abc import Mapping
from typing import Protocol

Attributes = Mapping[str, str | int | float | bool | None]
"""By name; what is None is left out."""


class Span(Protocol):
    """A part of a call that has begun."""

    @property
    def traceparent(self) -> str | None:
        """What a peer is told, so that its own spans belong to this one; None: nothing. Source: W3C Trace Context."""

    def note(self, attributes: Attributes) -> None:
        """Something has become known."""

    def end(self, fault: str | None = None) -> None:
        """It is over; what is ended twice was ended once. `fault`: why it failed, in words of ours."""


class Traces(Protocol):
    """The traces of all calls. A call is named by its record's id, in whatever process."""

    def begin(self, name: str, call_id: str, attributes: Attributes, *, asks: bool = False) -> Span:
        """A part of a call begins. `asks`: it is a request to a peer."""

    def call(self, call_id: str, start: float, attributes: Attributes, fault: str | None = None) -> None:
        """A call that began at `start`, in seconds since 1970, is over."""

    def parent(self, call_id: str) -> str | None:
        """The `traceparent` of the call itself."""


class NoSpan:
    """Of a call that is not traced."""

    traceparent: str | None = None

    def note(self, attributes: Attributes) -> None:
        """Nothing."""

    def end(self, fault: str | None = None) -> None:
        """Nothing."""


class NoTraces:
    """Nothing is traced."""

    def begin(self, name: str, call_id: str, attributes: Attributes, *, asks: bool = False) -> Span:
        return NO_SPAN

    def call(self, call_id: str, start: float, attributes: Attributes, fault: str | None = None) -> None:
        """Nothing."""

    def parent(self, call_id: str) -> str | None:
        return None


NO_SPAN: Span = NoSpan()

NO_TRACES: Traces = NoTraces()
