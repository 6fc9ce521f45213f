"""The pauses of a call's transcription, as people asked for them: a machine without a clock.

What is said in a pause, a card's number, is heard by no one. Aligned audio leaves for the disk and for Deepgram at one
place, and there silence takes the place of a pause, sample by sample, on both channels: the clock goes on, and all
times after it are right.

A pause begins where the audio ends that has come of both tracks: all that comes after it was asked for is part of it.
It ends a little after the moment by the clock, and no earlier than the audio that has come: what the network holds up
is part of the pause too. Either way the doubt is the pause's.

    HEARING  what is said is transcribed
    PAUSED   what is said is nowhere
    OVER     the call is
"""

from collections.abc import Iterable
from enum import Enum, auto

from bridge.audio import CHANNELS, SAMPLES_PER_MS, silence
from bridge.errors import LocalProtocolError
from bridge.spans import Span, SpanSet

_WOBBLE = 10 * SAMPLES_PER_MS
"""Samples by which audio may have its place later than it was said."""

_END = 2**53
"""A sample after every call."""


class State(Enum):
    """Whether the call is heard; what each means stands above."""

    HEARING = auto()
    PAUSED = auto()
    OVER = auto()


class Trigger(Enum):
    """What moves it."""

    PAUSE = auto()
    RESUME = auto()
    END = auto()


TRANSITIONS: dict[State, dict[Trigger, State]] = {
    # Asked for twice, by two people or once more after an answer was lost, it is done once.
    State.HEARING: {Trigger.PAUSE: State.PAUSED, Trigger.RESUME: State.HEARING, Trigger.END: State.OVER},
    State.PAUSED: {Trigger.PAUSE: State.PAUSED, Trigger.RESUME: State.HEARING, Trigger.END: State.OVER},
    State.OVER: {},
}


class Pauses:
    """Of one call. Positions are samples of it."""

    def __init__(self, past: Iterable[Span] = (), since: int | None = None) -> None:
        """Of a call that another process has begun: its pauses that are over, and where one began that is not."""
        self.state = State.HEARING if since is None else State.PAUSED
        self._spans = SpanSet(past)
        self._since = 0  # of the pause that goes on
        self._until = 0  # where the last one ends
        if since is not None:
            self._begin(since)

    def __repr__(self) -> str:
        return f"<Pauses {self.state.name} {self._spans!r}>"

    @property
    def since(self) -> int | None:
        """Where the pause began that goes on."""
        return self._since if self.state is State.PAUSED else None

    def pause(self, placed: int) -> int | None:
        """Where a pause begins; None: there is one. `placed`: where the audio ends that has come of both tracks."""
        if not self._become(Trigger.PAUSE):
            return None
        self._begin(max(placed, self._until))
        return self._since

    def resume(self, received: int, elapsed: int) -> Span | None:
        """The pause that is over now, which may reach beyond the audio that has come; None: there was none.
        `received`: where all audio ends that has come; `elapsed`: the moment by the clock."""
        return self._finish(max(received, elapsed + _WOBBLE)) if self._become(Trigger.RESUME) else None

    def end(self, position: int) -> Span | None:
        """The call is over at `position`: the pause that it ended in, if it did."""
        paused = self.state is State.PAUSED
        self._become(Trigger.END)
        return self._finish(position) if paused else None

    def muted(self, audio: bytes, start: int) -> bytes:
        """Interleaved audio that begins at `start` as it may leave: without what lies in a pause."""
        if start >= self._until:
            return audio
        end = start + len(audio) // CHANNELS
        found = self._spans.common(start, end)
        if not found:
            return audio
        left = bytearray(audio)
        for span in found:
            left[(span.start - start) * CHANNELS : (span.end - start) * CHANNELS] = silence(span.length * CHANNELS)
        return bytes(left)

    def outside(self, span: Span) -> list[Span]:
        """What of a span lies in no pause."""
        return self._spans.missing(*span)

    def _become(self, trigger: Trigger) -> bool:
        """Whether that changed anything. Raises LocalProtocolError where the table has no such transition."""
        state = self.state
        if trigger not in TRANSITIONS[state]:
            raise LocalProtocolError(f"a transcription that is {state.name} cannot be asked to {trigger.name}")
        self.state = TRANSITIONS[state][trigger]
        return self.state is not state

    def _begin(self, position: int) -> None:
        self._since, self._until = position, _END
        self._spans.add(position, _END)

    def _finish(self, position: int) -> Span:
        self._until = max(position, self._since)
        self._spans.remove(self._until, _END)
        return Span(self._since, self._until)
