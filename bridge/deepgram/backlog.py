"""The call's audio as Deepgram has yet to settle it, and where what Deepgram says of it belongs in the call.

Keeps three things in step: the window holds audio, the coverage knows what finals have settled, and the timeline turns
the times of one socket, which start at 0 again, into the call's. A socket begins at the earliest moment that is not
covered. What the window could not hold is fetched from where it is kept, or given up and told. When to send is the
session's affair.
"""

from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS
from bridge.deepgram.coverage import Coverage, before
from bridge.deepgram.delay import CallDelay, DelayMeter
from bridge.deepgram.exchange import AudioLost, Fetch, SessionPolicy, Uncovered
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.sounds import Sounds, audible
from bridge.deepgram.timeline import Timeline
from bridge.deepgram.window import AudioWindow
from bridge.recognition import Recognized, Result
from bridge.spans import Span

_CHUNK = 60 * SAMPLES_PER_MS  # samples in a message of fetched audio
_QUIET = SAMPLE_RATE // 5  # samples without a sound before a cut: no word lies across it
_EDGE = SAMPLE_RATE // 2  # samples before a cut within the audio in which no word is trusted
_AT_ONCE = SAMPLE_RATE  # samples that are worth the work of being spared
_FETCH = 10 * SAMPLE_RATE  # samples fetched at once
_REACH = 10 * SAMPLE_RATE  # how far back a hole is sent once more, where audio is kept for later


class Backlog:
    """Of one call, over all its sockets. Positions are samples of the call."""

    def __init__(
        self,
        policy: SessionPolicy,
        start: int,
        latency: LatencyMeter | None = None,
        delay: DelayMeter | None = None,
    ) -> None:
        """`start`: position of the first sample that will come."""
        self._delay = CallDelay(delay or DelayMeter())
        self._latency = latency or LatencyMeter()
        self._kept = policy.kept
        self._held = int(policy.held * SAMPLE_RATE)
        self._format = policy.format
        self._block = policy.format.block
        self._window = AudioWindow(int(policy.window * SAMPLE_RATE), start, self._block)
        self._coverage = Coverage(policy.covered or (start,) * policy.format.channels)
        self._timeline = Timeline(start)
        self._sounds = Sounds(policy.format)
        self._unheard = start  # before this, audio fell off the window without a note of its sounds

    def __repr__(self) -> str:
        return f"<Backlog {self._window!r} {self._coverage!r}>"

    @property
    def settled(self) -> int:
        """How far every channel is covered by finals without a hole."""
        return self._coverage.earliest

    @property
    def holes(self) -> list[Uncovered]:
        """What finals have passed over and not covered, so far."""
        return self._coverage.holes

    @property
    def begun(self) -> bool:
        """This socket has been sent audio."""
        return self._timeline.sent > 0

    @property
    def ready(self) -> bool:
        """There is a chunk that can be sent now, without a fetch."""
        return self._window.next_size() > 0

    @property
    def level(self) -> bool:
        """This socket has been sent audio, and all there is."""
        window = self._window
        return window.sent == window.end and self._timeline.sent > 0

    @property
    def sent(self) -> int:
        """How far this socket has been sent the call."""
        return self._window.sent

    @property
    def unsent(self) -> float:
        """Seconds of audio that this socket has not been sent."""
        return self._window.waiting / SAMPLE_RATE

    @property
    def uncovered(self) -> bool:
        """Another socket would be sent something."""
        return self._window.end > self._replay_from()

    @property
    def waiting(self) -> float:
        """Seconds of audio that another socket would have to be sent."""
        held = 0 if self._kept else self._window.start
        return (self._window.end - max(held, self._replay_from())) / SAMPLE_RATE

    @property
    def mid_speech(self) -> bool:
        """There is sound where the audio ends, so a word may go on after it."""
        return self._format.is_audible(self._window.tail(_QUIET))

    def append(self, chunk: bytes, now: float) -> None:
        """More of the call: whole samples."""
        start = self._window.start
        self._window.append(chunk)
        self._delay.received(self._window.end, now)
        if self._window.start != start:
            self._unheard = self._window.start

    def pass_on(self, chunk: bytes, now: float) -> None:
        """As `append` and then `next_chunk`, of one that is `level`."""
        window = self._window
        start = window.start
        window.pass_on(chunk)
        self._delay.passed(now)
        self._timeline.advance(len(chunk) // self._block)
        if window.start != start:
            self._unheard = window.start

    def spare(self, kept: int) -> None:
        """Audio before a position can be fetched: memory holds only the newest seconds of it."""
        start = self._window.start
        kept = min(kept, self._window.end - self._held)
        if kept - start < _AT_ONCE:
            return
        if fallen := self._window.spare(kept):
            self._sounds.note(start, fallen)
        self._sounds.forget(max(self.settled, self._window.end - self._window.limit))

    def rewind(self) -> list[AudioLost]:
        """Begin another socket; what is lost for good, because it fell off the window and is not kept elsewhere."""
        skipped = [] if self._kept else self._coverage.skip(self._replay_from(), self._window.start)
        self._timeline = Timeline(self._window.rewind(self._replay_from()))
        self._coverage.begin(self._window.sent)
        return _lost(skipped)

    def next_chunk(self, now: float) -> bytes:
        """The oldest chunk that this socket has not been sent."""
        chunk = self._window.next_chunk()
        self._delay.sent(self._window.sent, now)
        self._timeline.advance(len(chunk) // self._block)
        return chunk

    def missing(self) -> Fetch | None:
        """What must be fetched before the next chunk can be sent; None: nothing."""
        missing = self._window.missing
        return Fetch(self._window.sent, min(missing, _FETCH)) if missing else None

    def refill(self, asked: int, start: int, audio: bytes) -> list[AudioLost]:
        """What was fetched where `asked` was asked for, from `start` on; what is lost because it is gone there too.

        What was asked for a socket that is gone is let go: the next one asks for what it needs.
        """
        if asked != self._window.sent:
            return []
        skipped: list[Uncovered] = []
        if start > asked or not audio:
            self._window.skip(start if audio else self._window.start)
            self._timeline.skip_to(self._window.sent)
            skipped = self._coverage.skip(asked, self._window.sent)
        self._window.refill(audio, _CHUNK)
        return _lost(skipped)

    def hear(self, message: Recognized, *, partial: bool) -> Recognized | None:
        """What is new in a message, at its place in the call. `partial`: audio follows that this socket is not sent."""
        if isinstance(message, Result) and not message.is_final:
            self._latency.add(self._timeline.sent, message.span.end)
        moved = self._timeline.moved(message)
        if not isinstance(moved, Result):
            return moved
        if partial:
            moved = before(moved, self._window.sent - _EDGE)
        fresh = self._coverage.fresh(moved, self._window.sent)
        if moved.is_final:
            self._window.trim(self._replay_from())
        return fresh

    def settle_quiet(self) -> None:
        """The socket is lost. Where it has heard no word for long, and has sent no final either, another one is not
        sent all of it again: what is silent lacks nothing, and what is kept is transcribed later."""
        for channel, span in self._coverage.quiet:
            if not self._has_sound(channel, span):
                self._coverage.settle(channel, span)
            elif self._kept:
                self._coverage.pass_over(channel, span)

    def settle_tail(self) -> None:
        """Deepgram has said its last: what it was sent and has not answered by now is a hole like any other."""
        self._coverage.settle_tail(self._window.sent, self._has_sound)

    def give_up(self) -> tuple[Uncovered, ...]:
        """What no final covers, at the end."""
        return tuple(self._coverage.give_up(self._window.end))

    def _has_sound(self, channel: int, span: Span) -> bool:
        """Whether a channel may say something in a span; where memory knows nothing of it, it may."""
        window = self._window
        if span.start < max(self._unheard, window.end - window.limit) or self._sounds.any_in(channel, span):
            return True
        start = max(span.start, window.start)
        held = self._format.mulaw(window.tail(window.end - start), channel)
        first = len(held) - (window.end - start)
        return bool(audible(held[first : first + max(0, span.end - start)]))

    def _replay_from(self) -> int:
        # Without kept audio, sending a hole once more is the only chance that its words have.
        return self._coverage.replay_from(_REACH if self._kept else self._window.limit)


def _lost(skipped: list[Uncovered]) -> list[AudioLost]:
    return [AudioLost(channel, span, "overflow") for channel, span in skipped]
