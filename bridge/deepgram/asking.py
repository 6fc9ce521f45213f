"""What Deepgram is asked for beside the audio: to settle what it has heard, and to change its options.

A machine without a clock; it says which texts are due. What was said up to some moment is asked for once the socket has
been sent the audio up to it: before that there is nothing to settle.
"""

from collections.abc import Iterator

from bridge.audio import CHANNELS
from bridge.deepgram.configuring import Configuration, Configured, Configuring
from bridge.deepgram.dialect import Dialect, Listen
from bridge.deepgram.messages import ConfigureAnswer, DeepgramError
from bridge.deepgram.standing import Standing
from bridge.recognition import Result

_CONFIGURE_ERRORS = frozenset(("InvalidConfigureMessage", "KeytermsNotSupported"))
"""How Deepgram refused a change before it had an answer of its own for that."""


class Asking:
    """Of one call, over all its sockets. Positions are samples of the call."""

    def __init__(self, patience: float, channels: int = CHANNELS, dialect: Dialect | None = None) -> None:
        """`patience`: seconds for which an interim may stand. `dialect`: by default Deepgram's `/v1/listen`."""
        self._dialect = dialect or Listen()
        self._standing = Standing(patience)
        self._configuring = Configuring()
        self._channels = channels
        self._settle_at: int | None = None
        self._settled_at = 0  # what was asked for last

    def __repr__(self) -> str:
        return f"<Asking {self._standing!r} {self._configuring!r} settle at {self._settle_at}>"

    @property
    def is_settled(self) -> bool:
        """Whether no words wait for their final."""
        return self._standing.is_empty

    @property
    def settles(self) -> bool:
        """Whether the recognizer can be asked for that."""
        return self._dialect.settle(0) is not None

    def finalize(self, position: int) -> None:
        """Have everything settled that was said before `position`."""
        self._settle_at = max(position, self._settle_at or 0)

    def configure(self, configuration: Configuration) -> None:
        """Have something changed."""
        self._configuring.ask(configuration)

    def go_on_with(self, configuration: Configuration) -> None:
        """What another process has had changed; call first."""
        self._configuring.go_on_with(configuration)

    def withdraw(self, configuration: Configuration) -> None:
        """The answer is not waited for any more."""
        self._configuring.withdraw(configuration)

    def hear(self, result: Result, now: float) -> None:
        """Take what is new in a result."""
        self._standing.hear(result, now)

    def answered(self, answer: ConfigureAnswer | DeepgramError) -> Configured | None:
        """What an answer, or an error, says of a change."""
        if isinstance(answer, DeepgramError) and answer.code not in _CONFIGURE_ERRORS:
            return None
        return self._configuring.answered(answer)

    def connected(self, start: int = 0) -> None:
        """Another socket is open: from `start` on it hears the words again, and is as the last one was made."""
        if self._settled_at > start:
            self.finalize(self._settled_at)
        self._standing.clear()
        self._configuring.connected()

    def pause(self) -> Iterator[str]:
        """What to send now that no audio comes."""
        return self._finals(self._standing.pause())

    def rests(self, now: float) -> bool:
        """Whether nothing is `due`, however much audio has been sent."""
        return self._settle_at is None and now < self._standing.due_at and not self._configuring.waits

    def due(self, sent: int, now: float) -> Iterator[str]:
        """What to send. `sent`: how much of the audio Deepgram has got."""
        yield from self.settling(sent)
        yield from self._finals(self._standing.due(sent, now))
        if self._configuring.waits and (text := self._configuring.due(now)):
            yield text

    def settling(self, sent: int) -> Iterator[str]:
        """Of that what is to be sent before any more audio, which may hold half a word."""
        if self._settle_at is not None and sent >= self._settle_at:
            self._settled_at, self._settle_at = self._settle_at, None
            yield from filter(None, map(self._dialect.settle, range(self._channels)))

    def _finals(self, channels: Iterator[int]) -> Iterator[str]:
        return filter(None, map(self._dialect.finalize, channels))
