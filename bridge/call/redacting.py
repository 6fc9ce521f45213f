"""Redaction on its way from a recognizer to a record: the machine, and the timer that it asks for."""

import asyncio
from collections.abc import Callable, Iterable

from bridge.clock import Clock
from bridge.recognition import Recognized
from bridge.redaction.redactor import Redactor
from bridge.redaction.rules import Rules


class Redacting:
    """Of one call, on its event loop."""

    def __init__(self, redactor: Redactor, clock: Clock, tell: Callable[[Iterable[Recognized]], None]) -> None:
        """`tell` is given what may be told, in order; nothing, where there is no news."""
        self._redactor = redactor
        self._clock = clock
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return repr(self._redactor)

    @property
    def rules(self) -> Rules:
        """What is taken out."""
        return self._redactor.rules

    @property
    def held_from(self) -> int | None:
        """Where in the call the first final begins that is held; None: none is."""
        return self._redactor.held_from

    def receive(self, message: Recognized) -> None:
        """What the recognizer says."""
        if not self.rules:
            self._tell((message,))
            return
        self._tell(self._redactor.receive(message, self._clock.now()))
        self._arm()

    def veiled(self, text: str) -> str:
        """A text by itself, without what is not to be read."""
        return self._redactor.veiled(text, growing=False)

    def finish(self, *, cut: bool = False) -> None:
        """Nothing more comes: tell what is held. `cut`: the call goes on elsewhere."""
        self._tell(self._redactor.finish(cut=cut))
        self._arm()

    def _arm(self) -> None:
        due = self._redactor.get_timer()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, due - self._clock.now()), self._wake, due)

    def _wake(self, due: float) -> None:
        self._timer = None
        self._tell(self._redactor.handle_timer(max(due, self._clock.now())))  # the loop may be early
        self._arm()
