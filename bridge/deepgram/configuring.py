"""What of Deepgram's options changes while a call goes on: a machine without a clock.

Only one change is on its way at a time, since Deepgram refuses another until it has answered. What it has taken is
asked for once more on the next socket, which knows nothing of it. Deepgram of before autumn 2026 takes numerals without
an answer: it is not waited for without end.

Source: https://developers.deepgram.com/docs/configure
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.deepgram import options
from bridge.deepgram.messages import ConfigureAnswer, DeepgramError
from bridge.deepgram.options import Options
from bridge.errors import ConfigError

PATIENCE = 5.0
"""Seconds after which an answer is not waited for any more."""

_NAMES = frozenset(("keyterm", "numerals"))


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is to change; None: it stays as it is."""

    keyterms: tuple[str, ...] | None = None
    """All of them; empty: none any more."""
    numerals: bool | None = None
    """Whether numbers are written in digits."""

    @property
    def message(self) -> str:
        """As Deepgram takes it."""
        keyterms = {} if self.keyterms is None else {"keyterms": list(self.keyterms)}
        features = {} if self.numerals is None else {"features": {"numerals": self.numerals}}
        return json.dumps({"type": "Configure", **keyterms, **features})

    def over(self, before: "Configuration | None") -> "Configuration":
        """Both, of which this one is the newer."""
        if before is None:
            return self
        return Configuration(
            before.keyterms if self.keyterms is None else self.keyterms,
            before.numerals if self.numerals is None else self.numerals,
        )

    def check(self, current: Options) -> None:
        """Raises ConfigError for what Deepgram would refuse in a call with these options, or choke on: a list that is
        too long may silence the socket without a word."""
        terms = self.keyterms or ()
        if any(not term.strip() for term in terms):
            raise ConfigError("a keyterm is empty")
        wanted: Mapping[str, str] = {f"deepgram.keyterm.{number}": term for number, term in enumerate(terms)}
        changed = options.override(current, wanted, _NAMES)
        if terms and (doubt := next((doubt for doubt in options.doubts(changed) if "keyterm" in doubt), None)):
            raise ConfigError(doubt)


@dataclass(frozen=True, slots=True)
class Configured:
    """Deepgram has answered."""

    configuration: Configuration
    """What it was asked for."""
    request_id: str | None
    refusal: str | None = None
    """In Deepgram's words why it would not; None: it has."""
    again: bool = False
    """It had been taken before, on another socket."""


class Configuring:
    """Of one call, over all its sockets."""

    def __init__(self) -> None:
        self._taken: Configuration | None = None  # all changes that Deepgram has taken
        self._asked: Configuration | None = None  # on its way
        self._asked_at = 0.0
        self._waiting: deque[Configuration] = deque()  # to be sent on this socket

    def __repr__(self) -> str:
        return f"<Configuring waiting {len(self._waiting)}, on its way {self._asked is not None}>"

    @property
    def waits(self) -> bool:
        """Something is to be sent."""
        return bool(self._waiting)

    def go_on_with(self, taken: Configuration) -> None:
        """Another process has had this taken; call first."""
        self._taken = taken

    def ask(self, configuration: Configuration) -> None:
        """Have this changed, now or with the next socket."""
        self._waiting.append(configuration)

    def withdraw(self, configuration: Configuration) -> None:
        """The answer is waited for no longer: what has not been sent will not be."""
        if configuration in self._waiting:
            self._waiting.remove(configuration)

    def connected(self) -> None:
        """Another socket is open; it is to be as the last one was, and has heard nothing of what was on its way."""
        if self._asked and self._asked is not self._taken:
            self._waiting.appendleft(self._asked)
        self._asked = None
        if self._taken:
            self._waiting.appendleft(self._taken)

    def due(self, now: float) -> str | None:
        """What to send now."""
        if not self._waiting or (self._asked and now - self._asked_at < PATIENCE):
            return None
        self._asked, self._asked_at = self._waiting.popleft(), now
        return self._asked.message

    def answered(self, answer: ConfigureAnswer | DeepgramError) -> Configured | None:
        """What an answer means; None: nothing that was asked for."""
        asked, self._asked = self._asked, None
        if asked is None:
            return None
        again = asked is self._taken  # then a refusal is this socket's alone: the next may be at another origin
        if isinstance(answer, ConfigureAnswer) and answer.code is None:
            self._taken = asked.over(self._taken)
            return Configured(asked, answer.request_id, again=again)
        request_id = answer.request_id if isinstance(answer, ConfigureAnswer) else None
        return Configured(asked, request_id, f"{answer.code}: {answer.description}".rstrip(": "), again)
