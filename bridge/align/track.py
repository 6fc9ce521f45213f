"""One track: where its next frame belongs, and what becomes of one that comes early, late, twice or askew.

Two rules place every frame. After audio the *sum* decides: a frame whose timestamp is near the end of the audio
follows it octet for octet, as timestamps wobble by a couple of milliseconds and audio does not. After silence the
*timestamp* decides. A slow average of the difference between the two sees to it that they do not part.

A track knows nothing of the other one. When to stop waiting for a missing frame is the aligner's decision.
"""

from bisect import insort
from collections import Counter
from math import inf
from typing import NamedTuple

from bridge.align.gaps import Gap, Gaps
from bridge.align.policy import AlignPolicy
from bridge.align.sequence import Sequence
from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, silence
from bridge.events import Cause
from bridge.events import Track as Direction

DRIFT = 4 * SAMPLES_PER_MS
"""The average deviation that is put right. A clock 200 ppm off gets there in 20 s; wobble never does."""

MAX_PENDING = 256
"""Frames that may wait for what is missing before them; more come only from a peer that sends nonsense."""

USUAL_FRAME = 20 * SAMPLES_PER_MS


class Frame(NamedTuple):
    """A frame on the call's clock."""

    position: int
    """Samples since call time 0, by its timestamp."""
    sequence: int | None
    payload: bytes


def _order(frame: Frame) -> tuple[int, int]:
    return frame.position, frame.sequence or 0


class Track:
    """Places the frames of one track. Positions are samples of the call."""

    def __init__(
        self,
        name: Direction,
        policy: AlignPolicy,
        counters: Counter[str],
        told: list[Gap],
        start: int = 0,
        heard: int | None = None,
    ) -> None:
        self.name = name
        self.audio = bytearray()
        """What is placed and not yet taken."""
        self.next = start
        """Where `audio` ends."""
        self.in_step = False
        """`audio` ends in audio, nothing waits, and one stream alone carries the track: a frame stamped near `next` and
        after `last` needs only `append`."""
        self.shared = False
        """More than one stream carries the track."""
        self.hold = policy.hold_ms * SAMPLES_PER_MS
        """Samples to wait for a frame of this track."""
        self.gaps = Gaps(name, told)
        self._max_hold = policy.max_hold_ms * SAMPLES_PER_MS
        self._tolerance = policy.tolerance_ms * SAMPLES_PER_MS
        self._counters = counters
        self._silent = True
        """What stands before `next` is silence of ours, or nothing."""
        self._gap = heard
        """Where that silence began. None: the track had not started by then."""
        self._why: Cause | None = None
        """Its cause, if that is known before the next frame comes."""
        self._forget_stream(Sequence())

    def _forget_stream(self, sequence: Sequence) -> None:
        self.sequence = sequence
        """The numbers of the stream that the track is heard from."""
        self._pending: list[Frame] = []
        """Frames that wait for what is missing before them, in order."""
        self.last: float = -inf
        """The newest timestamp, as a position, of all but those that wait."""
        self._number: int | None = None
        """The number of the last frame in `audio`."""
        self._deviation = 0.0
        """Samples by which timestamps run ahead of the audio, averaged over about a second."""

    def __repr__(self) -> str:
        waiting = f", {len(self._pending)} waiting" if self._pending else ""
        return f"{self.name} at {self.next / SAMPLE_RATE:.3f} s{waiting}"

    @property
    def started(self) -> bool:
        """Some audio of this track has come."""
        return self._gap is not None or not self._silent

    @property
    def silent_since(self) -> int | None:
        """Where the silence began that its audio ends in; None: it ends in audio, or has not started."""
        return self._gap if self._silent else None

    @property
    def heard(self) -> float:
        """The newest timestamp, as a position."""
        return self._pending[-1].position if self._pending else self.last

    def append(self, position: int, sequence: int | None, payload: bytes) -> None:
        """Add a frame to the end of the audio, whatever its timestamp says."""
        # The hot path: a hundred times a second and call.
        size, deviation = len(payload), self._deviation
        self._deviation = deviation = deviation + (position - self.next - deviation) * size / (size + SAMPLE_RATE)
        if not -DRIFT < deviation < DRIFT:
            payload = self._correct(payload)
            size = len(payload)
        self.audio += payload
        self.next += size
        self.last = position
        self._number = sequence

    def _correct(self, payload: bytes) -> bytes:
        """The audio has parted from the clock for good: give it as many samples as time has passed."""
        ahead = round(self._deviation)
        if ahead > 0:
            self._counters["padded"] += ahead
            self._deviation -= ahead
            return silence(ahead) + payload
        surplus = min(-ahead, len(payload))
        self._counters["trimmed"] += surplus
        self._deviation += surplus
        return payload[surplus:]

    def receive(self, frame: Frame, newest: int, *, repeated: bool) -> None:
        """Take any frame. `newest` is how far the clock has got; `repeated`: the frame's number came before."""
        if self._is_duplicate(frame, repeated):
            self._counters["duplicate"] += 1
        elif frame.position - self.next < self._tolerance:
            self._place(frame, newest)
            self._settle(-inf, newest)
        elif len(self._pending) >= MAX_PENDING:
            self._counters["overflow"] += 1
        else:
            insort(self._pending, frame, key=_order)
            self.in_step = False

    def _is_duplicate(self, frame: Frame, repeated: bool) -> bool:
        if frame.sequence is None:
            # Only the timestamp can tell, and frames shorter than its millisecond may share one.
            repeated = len(frame.payload) >= SAMPLES_PER_MS
        if not repeated:
            return False
        if frame.position > self.last:
            return any(waiting[:2] == frame[:2] for waiting in self._pending)
        return True

    def give_up(self, limit: float, newest: int) -> None:
        """Wait no longer for what is missing before `limit`: what waits after it takes its place."""
        if self._pending:
            self._settle(limit, newest)

    def _settle(self, limit: float, newest: int) -> None:
        """Place what waits, up to the first frame that still has something missing before it."""
        while self._pending:
            position = self._pending[0].position
            if position - self.next >= self._tolerance and position > limit:
                break
            self._place(self._pending.pop(0), newest)
        self.in_step = not (self._silent or self._pending or self.shared)

    def _place(self, frame: Frame, newest: int) -> None:
        """Put a frame where it belongs; nothing comes in between any more."""
        ahead = frame.position - self.next
        if ahead >= self._tolerance or (self._silent and ahead > 0):
            self.fill(frame.position)
        elif ahead <= -self._tolerance:
            rest = self._unplaced(frame, newest)
            if not rest:
                self.last = max(self.last, frame.position)
                return
            if len(rest) < len(frame.payload):
                frame = Frame(self.next, frame.sequence, rest)
        if self._silent:
            self._end_silence(frame)
        self.append(*frame)

    def _unplaced(self, frame: Frame, newest: int) -> bytes:
        """What to keep of a frame that begins before the end of the audio by more than the usual wobble."""
        overlap = self.next - frame.position
        rest = frame.payload[overlap:]
        if self._silent:
            # Its place, or the head of it, has been given to silence.
            self._note_late(newest - frame.position)
            self._why = self._why or "late"
            return rest
        newer = frame.position > self.last
        if newer and overlap < 2 * self._tolerance:
            # The next frame, only stamped askew. Cutting it would lose audio for good.
            return frame.payload
        if len(rest) >= self._tolerance:
            # A frame with a known head and a new tail.
            self._counters["trimmed"] += overlap
            return rest
        if newer:
            # A payload longer than the time it is stamped with.
            self._counters["trimmed"] += len(frame.payload)
        else:
            # Its place was given up, and what came after it has been placed.
            self._note_late(newest - frame.position)
        return b""

    def _note_late(self, lateness: int) -> None:
        """A track that lags behind the other one for good would lose every frame: wait for it longer from now on."""
        self._counters["late"] += 1
        if self.hold < lateness <= self._max_hold:
            self.hold = min(self._max_hold, lateness + 2 * self._tolerance)

    def fill(self, position: int) -> None:
        """Silence up to `position`: what is missing there will not be waited for."""
        if position <= self.next:
            return
        if not self._silent:
            self._silent = True
            self._gap = self.next
            self.in_step = False
        self.audio += silence(position - self.next)
        self.next = position

    def _end_silence(self, frame: Frame) -> None:
        """A frame comes after silence: the place is the one its timestamp says, and the gap before it is complete."""
        if self._gap is not None and self._gap < self.next:
            self._note_gap(self._gap, frame.sequence, len(frame.payload))
        self._gap = self._why = None
        self._silent = False
        self._deviation = 0.0

    def _note_gap(self, start: int, sequence: int | None, size: int) -> None:
        """There is silence from `start` to `next`, before message `sequence`, where frames of `size` were expected."""
        why: Cause = self._why or "not_sent"
        if self._why is None and self._number is not None and sequence is not None:
            # The numbers count both tracks: a long pause is not lost because the other track lost one frame in it.
            lost = self.sequence.missing(self._number, sequence) * size
            if 2 * lost >= self.next - start:
                why = "lost"
        self._counters["holes"] += 1
        self.gaps.add(start, self.next, why)

    def take(self, until: int) -> bytearray:
        """What of `audio` goes out now, up to a position: silence stands for what is missing before it."""
        self.fill(until)
        self.gaps.reached(until)
        audio, left = self.audio, self.next - until
        if not left:
            self.audio = bytearray()
            return audio
        taken = audio[:-left]
        del audio[:-left]
        return taken

    def end_stream(self, end: int, pause: int) -> None:
        """Nothing more will come: silence up to `end`. Told as a gap only when it is `pause` samples or more, as
        no two tracks end on the same frame."""
        self.fill(end)
        if self._gap is not None and end - self._gap >= pause:
            self._note_gap(self._gap, self.sequence.expected, USUAL_FRAME)
            self._gap = end
        self.gaps.tell()
        self.in_step = False

    def join(self, sequence: Sequence) -> None:
        """Another process has heard it up to `next`, where it ends in audio that a stream goes on with."""
        self._silent = False
        self._gap = None
        self.change_stream(sequence)

    def begin_stream(self, sequence: Sequence, why: Cause) -> None:
        """Another stream goes on with this track: its first frame's timestamp decides, and the silence before it, if
        the track had begun, has a cause."""
        if self.started and self._gap is None:
            self._gap = self.next
        self._silent = True
        self._why = why
        self._forget_stream(sequence)
        self.in_step = False

    def change_stream(self, sequence: Sequence) -> None:
        """Another stream goes on where the audio ends, without a break. What waits of the stream before is forgotten:
        the other one has it too.
        """
        self._forget_stream(sequence)
        self.last = self.next - USUAL_FRAME  # it was heard just now: it is not idle
        self.in_step = False
