"""What becomes of a call as its streams come, overlap, go and come back: a machine without a socket or a clock.

A call may have any number of streams: one for each track, a fork that came twice, a replacement for one that was lost.
All of them are placed on one clock, which starts with the first frame of the first stream. While every stream is lost
the call waits for another, the clock goes on, and silence takes the place of what the carrier does not send. The call
ends with its last stream, after its grace, when it is told to, or has lasted too long; or the next process gets it.

Times are seconds on a clock that is never set; positions are samples since call time 0. A stream is named by a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.audio import SAMPLE_RATE
from bridge.call.lull import Lull, LullPolicy
from bridge.call.states import OVER, State, Trigger, follow
from bridge.events import TRACKS, EndReason, Track
from bridge.standstill import READING, stood_still

Interruption = Literal["carrier_reconnected", "bridge_restarted"]
"""Why there was no stream, as `ResumeReason` has it."""


@dataclass(frozen=True, slots=True)
class ContinuityPolicy:
    """How patient a call is with its carrier. All in seconds."""

    grace: float = 15.0
    """For which a call waits for another stream after its last one was lost; 0: not at all."""
    tick: float = 0.25
    """Between two pieces of silence while there is no stream."""
    lag: float = 0.1
    """By which silence stays behind the clock, so that the next stream's first frame finds its place free."""
    ask_again: float = 4.0
    """Between two requests to the carrier for a stream that it would not send."""
    ask_soon: float = 0.25
    """Until it is asked again for a stream that it has sent, and that no process could take; doubles each time."""
    lull: LullPolicy = LullPolicy()
    """When a stream that is there counts as silent."""
    longest: float = 86_400.0
    """That a call may last, whatever its streams do."""


# What the call is asked to do.


@dataclass(frozen=True, slots=True)
class Begin:
    """The call's clock started `ago` seconds before now: call time 0 is the first sample of the first frame."""

    ago: float


@dataclass(frozen=True, slots=True)
class Place:
    """The earliest frame of a stream belongs at `position`."""

    stream: int
    position: int
    resumed: Interruption | None
    """Why there was no stream before; None: there was one, or this is the first."""
    heard: int | None
    """Where the audio ended then."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing more comes of this stream: what waits of it takes its place. The call goes on."""

    stream: int


@dataclass(frozen=True, slots=True)
class Fill:
    """The call goes on in silence up to `position`."""

    position: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing comes for now: what was said last is to be settled without what follows."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the carrier for a stream of these tracks; answer with `ask_refused` if it will not send one."""

    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The call is over."""

    reason: EndReason


Command = Begin | Place | Drop | Fill | Pause | Ask | End


class Continuity:
    """Tell it what the streams do, do what `data_to_send` asks, and wake it when `get_timer` says."""

    def __init__(self, policy: ContinuityPolicy) -> None:
        self.state = State.STARTING
        self.policy = policy
        self.heard: int | None = None
        """Where the audio of the lost streams ended; None while a stream is heard, or before any was."""
        self._origin: float | None = None  # the clock at call time 0
        self._streams: dict[int, tuple[Track, ...]] = {}  # what each is to carry
        self._interrupted: Interruption | None = None  # what the next stream's first frame puts an end to
        self._reason: EndReason = "carrier_disconnected"  # why the call ends if no other stream comes
        self._expires: float | None = None  # when the grace is over
        self._ends: float | None = None  # when the call has lasted as long as it may
        self._fill_at: float | None = None
        self._lull = Lull(policy.lull)
        self._missing: tuple[Track, ...] = ()  # tracks that the carrier is asked for
        self._ask_at: float | None = None
        self._ask_until = 0.0
        self._ask_soon = policy.ask_soon
        self._commands: list[Command] = []

    def __repr__(self) -> str:
        return f"<Continuity {self.state.name} streams {len(self._streams)} heard {self.heard} missing {self._missing}>"

    @property
    def waiting(self) -> bool:
        """Whether the call has no stream and another may come."""
        return self._expires is not None

    @property
    def leaving(self) -> bool:
        """Whether the call goes to another process."""
        return self.state is State.LEAVING

    def elapsed(self, now: float) -> int:
        """Samples from call time 0 to now; 0 before the clock has started."""
        return 0 if self._origin is None else max(0, round((now - self._origin) * SAMPLE_RATE))

    # In.

    def begin(self, now: float) -> None:
        """A new call; call first."""
        self._ends = now + self.policy.longest

    def adopt(self, origin: float, heard: int, tracks: Sequence[Track], now: float) -> None:
        """Go on with a call that another process has left open; call first.

        `origin`: when call time 0 was. `heard`: where its audio ended. `tracks`: those that it had, for which the
        carrier is asked at once.
        """
        self._origin = origin
        self._ends = origin + self.policy.longest
        self.heard = heard
        self._interrupted = "bridge_restarted"
        self._wait("bridge_restarted", tracks, now)

    def attach(self, stream: int, tracks: Sequence[Track]) -> None:
        """A stream of this call is there. `tracks`: those that it is to carry; none: both."""
        self._become(Trigger.ATTACHED)
        self._streams[stream] = tuple(tracks) or TRACKS
        self._missing = tuple(track for track in self._missing if track not in self._streams[stream])
        self._expires = None
        if not self._missing:
            self._ask_at = None

    def receive_first(self, stream: int, samples: int, late: float, now: float) -> None:
        """The first frame of a stream: `samples` long, `late` seconds after it came. Answers with its place."""
        self._become(Trigger.PLACED)
        ago = late + samples / SAMPLE_RATE
        if self._origin is None:
            self._origin = now - ago
            self._commands.append(Begin(ago))
        position = max(0, self.elapsed(now) - round(ago * SAMPLE_RATE))
        self._commands.append(Place(stream, position, self._interrupted, self.heard))
        self._interrupted = self.heard = self._fill_at = None
        if self.state is State.STREAMING:
            self._lull.begin(position + samples, now)

    def join(self, stream: int, origin: float, heard: int, now: float) -> None:
        """A stream goes on with the audio of another process without a break, where that ends. `origin`: the clock at
        call time 0, as this stream tells; `heard`: where it goes on."""
        self._become(Trigger.PLACED)
        self._origin = origin
        self._interrupted = self.heard = self._fill_at = None
        self._lull.begin(heard, now)

    def stop(self, stream: int) -> None:
        """The carrier has ended a stream in order, as it does at a hang-up."""
        if self._streams.pop(stream, None) is None:
            return
        if self._streams:
            # Another stream still carries the call: one for each track, or a fork that came twice.
            self._commands.append(Drop(stream))
        else:
            self._end("stopped", Trigger.STOPPED)

    def lose(self, stream: int, reason: EndReason, received: int, now: float) -> None:
        """A stream is gone without its end. `received`: where the audio ends that has come so far."""
        gone = self._streams.pop(stream, None)
        if gone is None:
            return
        self._commands.append(Drop(stream))
        carried = {track for others in self._streams.values() for track in others}
        missing = [track for track in gone if track not in carried]
        if self._streams:
            # The call goes on; what no stream carries now is asked for as long as a lost call would be.
            if not self.leaving:  # else it is for the next process to ask
                self._ask(missing, now)
            return
        self._become(Trigger.LOST)
        if self.state is State.GRACE and self.heard is None:
            self.heard = received
            self._interrupted = "carrier_reconnected"
            self._fill_at = now + self.policy.tick
            self._lull.end()
        if not self.leaving:
            self._wait(reason, missing, now)
        if self.state is State.GRACE:
            self._commands.append(Pause())

    def ask_refused(self, now: float) -> None:
        """The carrier would not send the stream it was asked for: it is asked again a little later."""
        again = now + self.policy.ask_again
        if self._missing and again < self._ask_until:
            self._ask_at = again

    def ask_failed(self, now: float) -> None:
        """The stream it was asked for came to no process that could take it: the next may come to another."""
        again = now + self._ask_soon
        self._ask_soon = min(self.policy.ask_again, 2 * self._ask_soon)
        if self._missing and self._ask_at is None and again < self._ask_until:
            self._ask_at = again

    def end(self, reason: EndReason) -> None:
        """End the call, whatever its streams do; it ends once."""
        if self.state not in OVER:
            self._end(reason, Trigger.ENDED)

    def leave(self) -> None:
        """The process is about to stop: wait for nothing any more, and ask for nothing."""
        self._become(Trigger.LEAVING)
        self._wait_for_nothing()

    def let_go(self, received: int) -> None:
        """The process stops now. `received`: where the audio ends that has come."""
        self._become(Trigger.LEFT)
        if self.heard is None:
            self.heard = received

    # When.

    def get_timer(self) -> float | None:
        """When to call `handle_timer`; None: not at all."""
        times = (self._expires, self._fill_at, self._ask_at, self._ends, self._lull.look_at)
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float, received: int, due: float | None = None) -> None:
        """What is due by `now`. `received`: where the audio ends that has come, or that took its place.

        `due`: when this was to be called. If that is long ago, nothing was read meanwhile, and that is done first.
        """
        if due is not None and stood_still(now, due):
            self._put_off(now - due, now + READING)
            return
        if self._ends is not None and now >= self._ends:
            self._end("max_duration", Trigger.ENDED)
        elif self._expires is not None and now >= self._expires:
            self._end(self._reason, Trigger.EXPIRED)
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            self._commands.append(Ask(self._missing))
        if self._fill_at is not None and now >= self._fill_at:
            self._fill_at = now + self.policy.tick
            # Deepgram settles what was said when it hears the pause, and nothing piles up for later.
            self._commands.append(Fill(self.elapsed(now) - round(self.policy.lag * SAMPLE_RATE)))
        if self._lull.look_at is not None and now >= self._lull.look_at:
            self._look(received, now)

    # Out.

    def data_to_send(self) -> list[Command]:
        """What the call is to do, in order."""
        commands, self._commands = self._commands, []
        return commands

    # Inside.

    def _become(self, trigger: Trigger) -> None:
        self.state = follow(self.state, trigger)

    def _put_off(self, seconds: float, until: float) -> None:
        """The process stood still for so long: conclude nothing before it has read what came."""
        self._expires, self._fill_at, self._ask_at, self._ends = (
            None if time is None else max(time, until)
            for time in (self._expires, self._fill_at, self._ask_at, self._ends)
        )
        self._lull.put_off(seconds, until)

    def _look(self, received: int, now: float) -> None:
        before = self._lull.paused
        position = self._lull.look(received, now)
        if position is None:
            return
        if not before:
            self._commands.append(Pause())
        self._commands.append(Fill(position))

    def _wait(self, reason: EndReason, tracks: Sequence[Track], now: float) -> None:
        self._reason = reason
        if self.policy.grace <= 0:
            self._end(reason, Trigger.EXPIRED)
            return
        self._expires = now + self.policy.grace
        self._ask(tracks, now)

    def _ask(self, tracks: Sequence[Track], now: float) -> None:
        self._ask_until, self._ask_soon = now + self.policy.grace, self.policy.ask_soon
        self._missing = tuple(track for track in TRACKS if track in self._missing or track in tracks)
        if self._missing:
            self._ask_at = now

    def _end(self, reason: EndReason, trigger: Trigger) -> None:
        self._become(trigger)
        self._streams.clear()
        self._wait_for_nothing()
        self._commands.append(End(reason))

    def _wait_for_nothing(self) -> None:
        self._expires = self._fill_at = self._ask_at = self._ends = None
        self._lull.end()
        self._missing = ()
