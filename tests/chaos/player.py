"""Plays one call as its plan says, against a bridge that may be gone: the carrier's part, and its memory of it.

What Twilio says is `bridge.local.stream`'s business. A phone call goes on while nobody transcribes it: a stream that
comes back begins where the call has got to, with a new id, its timestamps and numbers from the beginning again.
"""

import asyncio
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.protocol import State

from bridge.audio import SAMPLE_RATE
from bridge.carriers.parameters import TOKEN
from bridge.events import TRACKS
from bridge.local.caller import frame
from bridge.local.stream import CallerFaults, CallerOptions, messages
from bridge.local.wav import Recording
from tests.chaos.house import House
from tests.chaos.scenario import FRAME, Break, CallPlan
from tests.chaos.speech import Speech
from tests.chaos.spoken import Kill, Leg, Span, Spoken

_PAUSE = 0.1  # seconds between two tries to reach a bridge that is not there
_PATIENCE = 30.0  # seconds for which the first stream is tried
_PARAMETERS = {"direction": "inbound", "from": "+15550101", "to": "+15550123"}
_SOON = 0.1  # a break so shortly after a stream's beginning is left out


@dataclass(slots=True)
class _Lane:
    """One stream, and those that take its place one after the other."""

    number: int
    tracks: tuple[str, ...]
    ends: float
    """Seconds of the call."""
    stops: bool
    breaks: Sequence[Break] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    died: int = 0
    """How often the bridge went away under it."""


class Player:
    """Made for one call; `spoken` is complete after `play` and `remember`."""

    def __init__(self, plan: CallPlan, speech: Speech, house: House) -> None:
        self.plan = plan
        self.spoken = Spoken(
            plan.call_id,
            speech.words(plan),
            plan.late,
            in_order=not any(faults.late_finals for faults in plan.connections),
        )
        self.problems: list[str] = []
        """What the bridge did to a stream that it should not have."""
        self.behind = 0.0
        """The most that a frame went out after it was due, in seconds."""
        self.begun: float | None = None
        """The loop's time at which the first frame began to be spoken."""
        self.asked: list[float] = []
        """The loop's times at which the bridge asked for a stream."""
        self.answered: list[float] = []
        """The loop's times at which the first frame of a stream was sent."""
        self._sound = speech.sound(plan)
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._lanes = 0
        self._token: dict[str, str] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._playing = 0
        self._stopped: set[str] = set()
        """Streams that the bridge has asked to stop, by their ids."""
        self._lost = {
            (loss.channel, number) for loss in plan.losses for number in range(loss.first, loss.first + loss.frames)
        }

    @property
    def drops(self) -> int:
        """How often the carrier lost its socket."""
        return sum(leg.cause == "cut" for leg in self.spoken.legs)

    async def play(self) -> None:
        """From the first frame to the end of the phone call."""
        plan, fork = self.plan, self.plan.fork
        async with asyncio.TaskGroup() as self._tasks:
            ends = fork.first_ends if fork and fork.first_ends is not None else plan.seconds
            stops = fork.first_stops if fork and fork.first_ends is not None else plan.stops
            first = self._lane(TRACKS[:1] if fork and fork.split else TRACKS, ends, stops, plan.breaks)
            self._tasks.create_task(self._play(first))
            if fork:
                ends, stops = min(fork.ends, plan.seconds), plan.stops if fork.ends >= plan.seconds else fork.stops
                second = self._lane(TRACKS[1:] if fork.split else TRACKS, ends, stops)
                self._tasks.create_task(self._play(second, fork.begins))
            if plan.asked is not None:
                # As long as the phone call lasts the bridge may ask for a stream.
                self._tasks.create_task(self._wait_for_the_end())
        self._tasks = None

    def ask(self, tracks: tuple[str, ...], parameters: Mapping[str, str]) -> bool:
        """The bridge asks for a stream; whether one comes."""
        self.asked.append(self._loop.time())
        if self.plan.asked is None or self.begun is None or self._tasks is None or self._over(self.plan.asked + 0.2):
            return False
        # From now on the call takes no stream without one.
        self._token = {name: value for name, value in parameters.items() if name == TOKEN}
        lane = self._lane(tracks, self.plan.seconds, self.plan.stops, parameters=parameters)
        self._tasks.create_task(self._play(lane, self._loop.time() - self.begun + self.plan.asked))
        return True

    def stop(self, stream_id: str) -> bool:
        """The bridge wants a stream stopped; whether there is such a stream."""
        self._stopped.add(stream_id)
        return any(leg.stream_id == stream_id for leg in self.spoken.legs)

    def remember(self) -> None:
        """Write down what the bridge went through, on the call's clock; when it has gone through all of it."""
        if self.begun is None:
            return
        spoken = self.spoken
        spoken.kills = [Kill(kill - self.begun, self._house.lag(kill)) for kill in self._house.kills]
        for restart in self._house.restarts:
            spoken.restarts.append(Span(restart.begun - self.begun, restart.exited - self.begun))
        spoken.full += [Span(begins - self.begun, ends - self.begun) for begins, ends in self._house.full]
        if self._house.stopped is not None:
            spoken.stopped = self._house.stopped - self.begun
        for leg in spoken.legs:
            # What was written into a socket whose other end was dead already.
            ends = [kill.at + FRAME for kill in spoken.kills]
            leg.end = min([leg.end, *(end for end in ends if leg.start < end < leg.end)])
            leg.lag += self._house.lag(self.begun + leg.start)
            if not spoken.keeps:
                self._end_at_sigterm(leg)

    def _end_at_sigterm(self, leg: Leg) -> None:
        """Of a bridge that ends its calls then: the sockets are open a little longer, but nothing of them is taken."""
        for span in self.spoken.restarts:
            if span.start < leg.end and leg.start < span.end:
                leg.end, leg.cause = max(leg.start, min(leg.end, span.start + FRAME)), "closed"

    def _lane(
        self,
        tracks: tuple[str, ...],
        ends: float,
        stops: bool,
        breaks: Sequence[Break] = (),
        parameters: Mapping[str, str] | None = None,
    ) -> _Lane:
        self._lanes += 1
        return _Lane(self._lanes, tracks, ends, stops, breaks, parameters or _PARAMETERS)

    def _over(self, margin: float) -> bool:
        assert self.begun is not None
        return self._loop.time() > self.begun + self.plan.seconds - margin

    async def _wait_for_the_end(self) -> None:
        while self.begun is None:  # noqa: ASYNC110
            if self._house.stopped is not None or self.problems:
                return
            await asyncio.sleep(_PAUSE)
        await asyncio.sleep(self.begun + self.plan.seconds - self._loop.time())

    async def _play(self, lane: _Lane, begins: float | None = None) -> None:
        """`begins`: seconds of the call; None: with the call itself."""
        if begins is not None:
            while self.begun is None:  # noqa: ASYNC110
                if self._house.stopped is not None or self.problems:
                    return
                await asyncio.sleep(_PAUSE)
            await asyncio.sleep(self.begun + begins - self._loop.time())
        while socket := await self._dial(lane):
            try:
                away = await self._stream(socket, lane)
            finally:
                socket.transport.abort()
                await socket.wait_closed()
            if away is None:
                break
            await asyncio.sleep(away)

    async def _dial(self, lane: _Lane) -> ClientConnection | None:
        """A socket, as soon as there is a bridge; None when the stream's time is over."""
        until = self._loop.time() + _PATIENCE if self.begun is None else self.begun + lane.ends - 2 * FRAME
        while self._loop.time() < until and self._house.stopped is None:
            try:
                return await connect(
                    self._house.media_url, compression=None, ping_interval=None, close_timeout=5.0, proxy=None
                )
            except InvalidHandshake as error:
                if self._house.is_up and not self._house.died_since(self._loop.time()):
                    self.problems.append(f"a stream was refused: {error}")
            except (OSError, WebSocketException, TimeoutError):
                pass  # it is down, or was killed in the middle of this
            await asyncio.sleep(_PAUSE)
        if self.begun is None and self._house.stopped is None:
            self.problems.append("the bridge could not be reached")
        return None

    async def _stream(self, socket: ClientConnection, lane: _Lane) -> float | None:
        """One stream; seconds until the next, None if that was the last."""
        if self.begun is None:
            self.begun = self._loop.time()
        first = math.ceil((self._loop.time() - self.begun) / FRAME)
        cut = self._next_break(first, lane)
        leg = self._new_leg(first, lane)
        faults = self._faults(first, lane.tracks, cut.at if cut else None if lane.stops else lane.ends)
        begin, end = (
            round(first * FRAME * SAMPLE_RATE),
            round(math.ceil(round(lane.ends / FRAME, 3)) * FRAME * SAMPLE_RATE),
        )
        left = Recording(self._sound.inbound[begin:end], self._sound.outbound[begin:end])
        options = CallerOptions(
            self.plan.call_id,
            leg.stream_id,
            parameters={**lane.parameters, **self._token},
            tracks=lane.tracks,
            first_ms=self.plan.first_ms,
            seed=self.plan.seed + first + 7919 * (lane.number - 1),
        )
        if not await self._send(socket, messages(left, options, faults), leg, first):
            return await self._mourn(socket, leg, lane)
        if leg.stream_id in self._stopped:
            socket.transport.write(frame(json.dumps({"event": "stop", "streamSid": leg.stream_id, "stop": {}})))
        elif cut or not lane.stops:
            leg.cause = "cut"
            return cut.away if cut else None
        leg.cause = "stopped"
        await socket.close()
        return None

    async def _send(self, socket: ClientConnection, timed: Iterator[tuple[float, str]], leg: Leg, first: int) -> bool:
        """Every message when it is due; False: the socket is gone."""
        assert self.begun is not None
        begins = self.begun + first * FRAME
        reached, sent_all = 0, True
        for due, text in timed:
            wait = begins + due - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if socket.state is not State.OPEN:
                sent_all = False
                break
            if leg.stream_id in self._stopped:
                break
            behind = self._loop.time() - begins - due
            self.behind = max(self.behind, behind)
            if not reached:
                leg.lag = behind  # of its first frames
            if not reached and due:
                self.answered.append(self._loop.time())
            socket.transport.write(frame(text))
            reached = round(due / FRAME)
        self._close_leg(leg, first, first + reached)
        return sent_all

    async def _mourn(self, socket: ClientConnection, leg: Leg, lane: _Lane) -> float | None:
        """The bridge is gone, or has closed the socket: whether, and how soon after its return, the stream is back."""
        await socket.wait_closed()
        if self._house.stopped is not None:
            leg.cause = "closed"
            return None
        assert self.begun is not None
        if self._house.is_up and not self._house.died_since(self.begun + leg.end):
            closed = f"{socket.close_code} {socket.close_reason or ''}".strip()
            self.problems.append(f"the bridge closed stream {leg.stream_id} at {leg.end:.2f} s with {closed}")
        leg.cause = "closed" if self._house.restarting_at(self.begun + leg.end) else "killed"
        lane.died += 1
        later = self.plan.after_kill[lane.died - 1] if lane.died <= len(self.plan.after_kill) else None
        if self.plan.asked is not None:
            return None
        if later is not None:
            await self._house.wait_up()
        return later

    def _next_break(self, first: int, lane: _Lane) -> Break | None:
        breaks = sorted(lane.breaks, key=lambda cut: cut.at)
        return next((cut for cut in breaks if first * FRAME + _SOON < cut.at < lane.ends), None)

    def _new_leg(self, first: int, lane: _Lane) -> Leg:
        stream_id = f"MZ{self.plan.call_id[2:26]}{len(self.spoken.legs):08x}"
        leg = Leg(stream_id, first * FRAME, first * FRAME, channels=tuple(map(TRACKS.index, lane.tracks)))
        leg.since = leg.start
        self.spoken.legs.append(leg)
        return leg

    def _faults(self, first: int, tracks: tuple[str, ...], drop_at: float | None) -> CallerFaults:
        """The plan's faults in the words of a stream that begins at a frame of the call."""
        channels = tuple(map(TRACKS.index, tracks))
        numbers = {key: number for number, key in enumerate(self._frames(channels, first))}

        def those(frames: Iterator[tuple[int, int]]) -> frozenset[int]:
            return frozenset(numbers[key] for key in frames if key in numbers)

        plan = self.plan
        return CallerFaults(
            lost=those(iter(self._lost)),
            repeated=those(iter(plan.repeated)),
            reordered=those(iter(plan.reordered)),
            late=max(0.0, plan.late - first * FRAME - FRAME / 2),
            wobble_ms=plan.wobble_ms,
            garbage_every=plan.garbage_every,
            two_starts=plan.two_starts,
            drop_after=None if drop_at is None else drop_at - first * FRAME - FRAME / 2,
        )

    def _frames(self, channels: tuple[int, ...], first: int, end: int | None = None) -> Iterator[tuple[int, int]]:
        """The media messages of a stream from one frame of the call to another, as (channel, frame)."""
        late = round(self.plan.late / FRAME)
        for number in range(first, round(self.plan.seconds / FRAME) if end is None else end):
            if 0 in channels:
                yield 0, number
            if 1 in channels and number >= late:
                yield 1, number

    def _close_leg(self, leg: Leg, first: int, end: int) -> None:
        """Write down what of it was really sent."""
        sent = [
            number for channel, number in self._frames(leg.channels, first, end) if (channel, number) not in self._lost
        ]
        if not sent:
            leg.start = leg.end = first * FRAME
            return
        leg.start, leg.end = sent[0] * FRAME, (sent[-1] + 1) * FRAME
        for channel, number in sorted(self._lost):
            begin = number * FRAME
            if channel in leg.channels and leg.start <= begin < leg.end and (channel == 0 or begin >= self.plan.late):
                lost = leg.lost[channel]
                if lost and abs(lost[-1].end - begin) < FRAME / 2:
                    lost[-1] = Span(lost[-1].start, begin + FRAME)
                else:
                    lost.append(Span(begin, begin + FRAME))
