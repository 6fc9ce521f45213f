"""The load: callers, Deepgram and webhook in one loop with one clock, cheap enough not to distort what they load.

Whatever can be made before is: at 100 calls a frame is due every 100 µs.
"""

import gc
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from time import monotonic, process_time

from scripts.benchmark import media
from scripts.benchmark.caller import Caller
from scripts.benchmark.deepgram import Recognizer
from scripts.benchmark.delays import FinalDelays
from scripts.benchmark.follower import Follower
from scripts.benchmark.loop import Loop, exact_timers
from scripts.benchmark.peers import Broken, Listener
from scripts.benchmark.processes import Processes
from scripts.benchmark.schedule import PERIOD, slots
from scripts.benchmark.target import Core, Target, first_core
from scripts.benchmark.webhook import Receiver

_IDLE = 1.0  # seconds after the start of the target until its memory is what it takes without calls
_SETTLE = 3.0  # seconds after the last call has begun, before anything is measured
_END = 1.5  # seconds in which calls are ended
_SPARE = 2.0  # seconds of frames, should a call be let in late
_MOST_BEHIND = 100  # frames
_LOOK = 8  # frames that may be sent without a look at the sockets, when they are late

Frames = list[tuple[list[bytes], list[bytes]]]


def make_frames(calls: int, seconds: float) -> Frames:
    """All frames of all calls. Every load sends the same, so that they are made once."""
    count, random = round((_SETTLE + seconds + _SPARE) / PERIOD), Random(1)
    # A call is opened every period, and the first go on while the others come.
    return [media.frames(call, calls - call + count, random) for call in range(calls)]


@dataclass(frozen=True)
class Figures:
    """What a load cost the target, and how it went."""

    cpu: float
    """Milliseconds of a core per call-second."""
    memory: float
    """Thousands of octets per call."""
    reads: float
    """System calls per call-second."""
    audio: list[float]
    """Delays from the sending of a frame that completes a chunk to the chunk's arrival, in ms."""
    finals: list[float]
    """Delays from the sending of a final to the arrival of its POST, in ms."""
    late: list[float]
    """How late frames were sent, in ms."""
    own: float
    """Share of its core that the load itself took, in percent."""
    stolen: float
    """Share of the target's core that the host gave to others, in percent."""
    foreign: float
    """Share of the target's core that other processes of this machine had, in percent."""


@dataclass(frozen=True)
class _Snapshot:
    at: float
    cpu: float
    reads: int
    core: Core
    own: float

    @classmethod
    def of(cls, target: Target | Processes) -> "_Snapshot":
        return cls(monotonic(), target.cpu(), target.reads(), first_core(), process_time())


class Generator:
    """One load. Start the target with its addresses, then `run`."""

    def __init__(self, frames: Frames, tls: ssl.SSLContext | None = None, readers: Sequence[str] = ()) -> None:
        """`tls`: with which our Deepgram serves; None: in plain. `readers`: the tokens of who reads the live feed."""
        self._frames = frames
        self._readers = readers
        self._loop = Loop()
        self._callers: list[Caller] = []
        self._slots = slots(len(frames))
        self._period = 0
        self._finals = FinalDelays()
        self._audio_delays: list[float] = []
        self._final_delays: list[float] = []
        self._late: list[float] = []
        recognizer = partial(Recognizer, heard=self._heard, said=self._finals.said)
        self._deepgram = Listener(self._loop, recognizer, tls)
        self._webhook = Listener(self._loop, partial(Receiver, posted=self._posted))
        self.deepgram_url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self._deepgram.port}"
        self.webhook_url = f"http://127.0.0.1:{self._webhook.port}/hook"

    def run(self, target: Target | Processes, seconds: float) -> Figures:
        """Load the target with all calls, and measure it for so long. Raises Broken."""
        target.wait_until_ready()
        self._loop.serve_until(monotonic() + _IDLE)
        idle = target.memory()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            with exact_timers():
                return self._measure(target, seconds, idle)
        finally:
            gc.enable()
            gc.unfreeze()
            self._loop.close()

    def _measure(self, target: Target | Processes, seconds: float, idle: int) -> Figures:
        for token in self._readers:
            Follower(self._loop, target.port, token)
        self._origin = monotonic()
        while len(self._callers) < len(self._frames):
            self._call(target.port)
            self._play_period()
        self._play(_SETTLE)
        for values in (self._audio_delays, self._final_delays, self._late):
            values.clear()
        before = _Snapshot.of(target)
        self._play(seconds)
        figures = self._figures(before, _Snapshot.of(target), target.memory() - idle)
        self._check()
        for caller in self._callers:
            caller.stop()
        self._loop.serve_until(monotonic() + _END)
        return figures

    def _figures(self, before: _Snapshot, after: _Snapshot, memory: int) -> Figures:
        calls, seconds = len(self._callers), after.at - before.at
        used = after.cpu - before.cpu
        busy, stolen = (now - then for then, now in zip(before.core, after.core, strict=True))
        return Figures(
            cpu=used / seconds / calls * 1000,
            memory=memory / calls / 1000,
            reads=(after.reads - before.reads) / seconds / calls,
            audio=self._audio_delays.copy(),
            finals=self._final_delays.copy(),
            late=self._late.copy(),
            own=(after.own - before.own) / seconds * 100,
            stolen=stolen / seconds * 100,
            foreign=max(0.0, busy - used) / seconds * 100,
        )

    def _check(self) -> None:
        """Raises Broken if the target has not done what was measured."""
        if not all(caller.began for caller in self._callers):
            raise Broken("the target did not let in all calls")
        if max(caller.delays.behind for caller in self._callers) > _MOST_BEHIND:
            raise Broken("the target does not keep up; try fewer calls")

    def _call(self, port: int) -> None:
        number = len(self._callers)
        self._callers.append(Caller(self._loop, port, number, self._frames[number], lambda: self._period + 1))

    def _play(self, seconds: float) -> None:
        until = monotonic() + seconds
        while monotonic() < until:
            self._play_period()

    def _play_period(self) -> None:
        """Send each frame of a period when it is due, and serve the sockets in between."""
        origin, period = self._origin + self._period * PERIOD, self._period
        callers, late, serve_until = self._callers, self._late, self._loop.serve_until
        for place, (offset, call, track) in enumerate(self._slots):
            if call >= len(callers):
                continue
            due = origin + offset
            if monotonic() < due:
                serve_until(due)
            elif place % _LOOK == 0:
                self._loop.serve()
            late.append((callers[call].play(track, period) - due) * 1000)
        self._period += 1
        serve_until(origin + PERIOD)

    def _heard(self, end: media.Ending, now: float) -> None:
        if end.call < len(self._callers):
            delay = self._callers[end.call].delays.heard(end.frames, now)
            if delay is not None:
                self._audio_delays.append(delay * 1000)

    def _posted(self, tag: tuple[int, int], now: float) -> None:
        delay = self._finals.posted(tag, now)
        if delay is not None:
            self._final_delays.append(delay * 1000)
