"""Plays one call as its plan says, against a bridge that may be gone: the carrier's part, and its memory of it.

What Twilio says is `bridge.local.stream`'s business. A phone call goes on while nobody transcribes it: a stream that
comes back begins where the call has got to, with a new id, its timestamps and numbers from the beginning again.
"""

import asyncio
import math
from collections.abc import Iterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.protocol import State

from bridge.audio import SAMPLE_RATE
from bridge.local.caller import frame
from bridge.local.stream import CallerFaults, CallerOptions, messages
from bridge.local.wav import Recording
from tests.chaos.house import House
from tests.chaos.scenario import FRAME, Break, CallPlan
from tests.chaos.speech import Speech
from tests.chaos.spoken import Kill, Leg, Span, Spoken

_PAUSE = 0.1  # seconds between two tries to reach a bridge that is not there
_PATIENCE = 30.0  # seconds for which the first stream is tried
_SOON = 0.1  # a break so shortly after a stream's beginning is left out


class Player:
    """Made for one call; `spoken` is complete after `play` and `remember`."""

    def __init__(self, plan: CallPlan, speech: Speech, house: House) -> None:
        self.plan = plan
        self.spoken = Spoken(plan.call_id, speech.words(plan), plan.late)
        self.problems: list[str] = []
        """What the bridge did to a stream that it should not have."""
        self.behind = 0.0
        """The most that a frame went out after it was due, in seconds."""
        self.begun: float | None = None
        """The loop's time at which the first frame began to be spoken."""
        self._sound = speech.sound(plan)
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._lost = {
            (loss.channel, number) for loss in plan.losses for number in range(loss.first, loss.first + loss.frames)
        }

    @property
    def drops(self) -> int:
        """How often the carrier lost its socket."""
        return sum(leg.cause == "cut" for leg in self.spoken.legs)

    async def play(self) -> None:
        """From the first frame to the end of the phone call."""
        while socket := await self._dial():
            try:
                away = await self._stream(socket)
            finally:
                socket.transport.abort()
                await socket.wait_closed()
            if away is None:
                break
            await asyncio.sleep(away)

    def remember(self) -> None:
        """Write down what the bridge went through, on the call's clock; when it has gone through all of it."""
        if self.begun is None:
            return
        spoken = self.spoken
        spoken.kills = [Kill(kill - self.begun, self._house.lag(kill)) for kill in self._house.kills]
        if self._house.stopped is not None:
            spoken.stopped = self._house.stopped - self.begun
        for leg in spoken.legs:
            # What was written into a socket whose other end was dead already.
            ends = [kill.at + FRAME for kill in spoken.kills]
            leg.end = min([leg.end, *(end for end in ends if leg.start < end < leg.end)])
            leg.lag += self._house.lag(self.begun + leg.start)

    async def _dial(self) -> ClientConnection | None:
        """A socket, as soon as there is a bridge; None when the phone call is over."""
        until = self._loop.time() + _PATIENCE if self.begun is None else self.begun + self.plan.seconds - 2 * FRAME
        while self._loop.time() < until and self._house.stopped is None:
            try:
                return await connect(
                    self._house.media_url, compression=None, ping_interval=None, close_timeout=5.0, proxy=None
                )
            except InvalidHandshake as error:
                if self._house.is_up:
                    self.problems.append(f"a stream was refused: {error}")
            except (OSError, WebSocketException, TimeoutError):
                pass  # it is down, or was killed in the middle of this
            await asyncio.sleep(_PAUSE)
        if self.begun is None and self._house.stopped is None:
            self.problems.append("the bridge could not be reached")
        return None

    async def _stream(self, socket: ClientConnection) -> float | None:
        """One stream; seconds until the next, None if that was the last."""
        if self.begun is None:
            self.begun = self._loop.time()
        first = math.ceil((self._loop.time() - self.begun) / FRAME)
        cut = self._next_break(first)
        leg = self._new_leg(first)
        faults = self._faults(first, cut.at if cut else self.plan.seconds if not self.plan.stops else None)
        octets = round(first * FRAME * SAMPLE_RATE)
        left = Recording(self._sound.inbound[octets:], self._sound.outbound[octets:])
        options = CallerOptions(
            self.plan.call_id,
            leg.stream_id,
            parameters={"direction": "inbound", "from": "+15550101", "to": "+15550123"},
            first_ms=self.plan.first_ms,
            seed=self.plan.seed + first,
        )
        if not await self._send(socket, messages(left, options, faults), leg, first):
            return await self._mourn(socket, leg)
        if cut or not self.plan.stops:
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
            behind = self._loop.time() - begins - due
            self.behind = max(self.behind, behind)
            if not reached:
                leg.lag = behind  # of its first frames
            socket.transport.write(frame(text))
            reached = round(due / FRAME)
        self._close_leg(leg, first, first + reached)
        return sent_all

    async def _mourn(self, socket: ClientConnection, leg: Leg) -> float | None:
        """The bridge is gone, or has closed the socket: whether, and how soon after its return, the stream is back."""
        await socket.wait_closed()
        if self._house.stopped is not None:
            leg.cause = "closed"
            return None
        assert self.begun is not None
        if self._house.is_up and not self._house.died_since(self.begun + leg.end):
            closed = f"{socket.close_code} {socket.close_reason or ''}".strip()
            self.problems.append(f"the bridge closed stream {leg.stream_id} at {leg.end:.2f} s with {closed}")
        leg.cause = "killed"
        died = sum(leg.cause == "killed" for leg in self.spoken.legs)
        later = self.plan.after_kill[died - 1] if died <= len(self.plan.after_kill) else None
        if later is not None:
            await self._house.wait_up()
        return later

    def _next_break(self, first: int) -> Break | None:
        return next(
            (cut for cut in sorted(self.plan.breaks, key=lambda cut: cut.at) if cut.at > first * FRAME + _SOON), None
        )

    def _new_leg(self, first: int) -> Leg:
        leg = Leg(f"MZ{self.plan.call_id[2:26]}{len(self.spoken.legs):08x}", first * FRAME, first * FRAME)
        self.spoken.legs.append(leg)
        return leg

    def _faults(self, first: int, drop_at: float | None) -> CallerFaults:
        """The plan's faults in the words of a stream that begins at a frame of the call."""
        numbers = {key: number for number, key in enumerate(self._frames(first))}

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

    def _frames(self, first: int, end: int | None = None) -> Iterator[tuple[int, int]]:
        """The media messages of a stream from one frame of the call to another, as (channel, frame)."""
        late = round(self.plan.late / FRAME)
        for number in range(first, round(self.plan.seconds / FRAME) if end is None else end):
            yield 0, number
            if number >= late:
                yield 1, number

    def _close_leg(self, leg: Leg, first: int, end: int) -> None:
        """Write down what of it was really sent."""
        sent = [number for channel, number in self._frames(first, end) if (channel, number) not in self._lost]
        if not sent:
            leg.start = leg.end = first * FRAME
            return
        leg.start, leg.end = sent[0] * FRAME, (sent[-1] + 1) * FRAME
        for channel, number in sorted(self._lost):
            begin = number * FRAME
            if leg.start <= begin < leg.end and (channel == 0 or begin >= self.plan.late):
                lost = leg.lost[channel]
                if lost and abs(lost[-1].end - begin) < FRAME / 2:
                    lost[-1] = Span(lost[-1].start, begin + FRAME)
                else:
                    lost.append(Span(begin, begin + FRAME))
