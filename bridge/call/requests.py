"""What is asked of a call, or told of its streams, and what became of it: values, and their JSON for another process.

Who reads the JSON may be of another version: what it does not know is no request to it, and no outcome.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from bridge.deepgram.configuring import Configuration
from bridge.events import AskedBy

Action = Literal["pause", "resume", "finalize", "stop", "configure"]

ACTIONS: tuple[Action, ...] = get_args(Action)

Became = Literal["done", "refused", "not now", "not answered", "not written", "no call", "not reached"]

_LONGEST = 4000  # characters of a sentence: a refusal may be Deepgram's


@dataclass(frozen=True, slots=True)
class Request:
    """What a call is to do."""

    action: Action
    by: AskedBy
    configuration: Configuration | None = None
    """With `configure`: what is to change."""

    def to_json(self) -> str:
        """For `read`."""
        said: dict[str, Any] = {"action": self.action, "by": self.by}
        if self.configuration:
            said |= {"keyterms": self.configuration.keyterms, "numerals": self.configuration.numerals}
        return json.dumps(said)

    @classmethod
    def read(cls, text: str) -> "Request | None":
        """None: it is none that is known here."""
        said = _object(text)
        action: Any = said.get("action")
        by: Any = said.get("by")
        if action not in ACTIONS or by not in get_args(AskedBy):
            return None
        if action != "configure":
            return cls(action, by)
        match said.get("keyterms"), said.get("numerals"):
            case None, bool() as numerals:
                return cls(action, by, Configuration(None, numerals))
            case list(keyterms), bool() | None as numerals:
                return cls(action, by, Configuration(tuple(map(str, keyterms)), numerals))
        return None


_NOTE = "note stream"


@dataclass(frozen=True, slots=True)
class StreamNote:
    """What a carrier says of a stream beside it."""

    carrier: str
    call_id: str
    """The carrier's."""
    stream_id: str
    error: str | None
    """How it went wrong; None: it has stopped."""

    def to_json(self) -> str:
        """For `read`."""
        return json.dumps({"action": _NOTE, **asdict(self)})

    @classmethod
    def read(cls, text: str) -> "StreamNote | None":
        """None: it is none."""
        said = _object(text)
        match [said.get(name) for name in ("action", "carrier", "call_id", "stream_id", "error")]:
            case [action, str() as carrier, str() as call_id, str() as stream_id, str() | None as error] if (
                action == _NOTE
            ):
                return cls(carrier, call_id, stream_id, error)
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    became: Became
    """`done`, and durable; `refused`: it cannot be done, or Deepgram will not; `not now`: it makes no sense as the call
    stands; `not answered`: Deepgram has not; `not written`: it is done, and not durable; `no call`: there is none;
    `not reached`: the process that has the call was not.
    """
    sentence: str = ""
    """Why, for a person; empty if it is done."""
    paused_at: float | None = None
    """If it is done: since when the call is paused, in seconds of the call; None: it is not."""

    def to_json(self) -> str:
        """For `read`."""
        sentence = self.sentence[:_LONGEST]
        return json.dumps({"became": self.became, "sentence": sentence, "paused_at": self.paused_at})

    @classmethod
    def read(cls, text: str) -> "Outcome | None":
        """None: it is none that is known here."""
        said = _object(text)
        became: Any = said.get("became")
        match said.get("sentence"), said.get("paused_at"):
            case str() as sentence, int() | float() | None as paused_at if became in get_args(Became):
                return cls(became, sentence, paused_at)
        return None


def _object(text: str) -> dict[str, Any]:
    """What is no object is as good as an empty one."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
