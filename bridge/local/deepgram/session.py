"""One connection to `/v1/listen` as a machine: octets, texts and time in, messages and a close out.

It owns the timers, the order of messages, the end, and the faults; what is heard is `transcription`'s
business. It has no clock and no socket: `now` is seconds of any monotonic clock, and the shell calls
`handle_timer` no later than `get_timer` says.

    OPEN ──CloseStream, or an empty binary message──▶ DRAINING ──all said──▶ CLOSED
      └──────── NET-0000, NET-0001, DATA-0000, a fault ────────────────────▶ CLOSED

What arrives when it is not OPEN is not processed, as with Deepgram.
"""

import hashlib
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from bridge.errors import LocalProtocolError
from bridge.local.deepgram import messages, notices
from bridge.local.deepgram.decoder import Undecodable
from bridge.local.deepgram.ears import Ears
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.deepgram.outputs import Abort, Close, Output
from bridge.local.deepgram.request import ListenRequest
from bridge.local.deepgram.transcription import Message
from bridge.local.recognition import RecognizerFactory

_LATER = 0.7  # seconds by which a final comes late that others overtake


class State(Enum):
    """Where a connection stands, as drawn above: DRAINING takes nothing more and still says what it has heard."""

    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.OPEN: frozenset({State.DRAINING, State.CLOSED}),
    State.DRAINING: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Deepgram's patience.

    Source: https://developers.deepgram.com/docs/stt-troubleshooting-websocket-data-and-net-errors
    """

    no_input: float = 10.0
    """Seconds without audio or text, or from the start without audio, until NET-0001."""
    no_answer: float = 30.0
    """Seconds in which audio must lead to some message, or NET-0000 ends it."""
    flux_silence: float = 60.0
    """Seconds without anything, pings too, until a connection to Flux is closed."""
    speed: float = 1.25
    """Times real time at which audio may come."""
    speed_allowance: float = 1.0
    """Seconds of audio that may come at once before the speed counts; ours, Deepgram names none."""
    goodbye: float = 5.0
    """Seconds that a client has to answer the close; ours."""
    body: int = 200_000_000
    """Octets of a pre-recorded request; ours, Deepgram takes 2 GB."""


LIMITS = Limits()


class Session:
    """The server's side of one connection."""

    done_code: ClassVar[int | None] = 1000
    """Of the close after `CloseStream`."""

    def __init__(
        self,
        request: ListenRequest,
        recognizers: RecognizerFactory,
        *,
        request_id: str,
        created: str,
        now: float,
        faults: Faults = NO_FAULTS,
        limits: Limits = LIMITS,
        with_notices: bool = False,
        filename: str | None = None,
    ) -> None:
        self.request = request
        self.faults = faults
        self.state = State.OPEN
        self.octets = 0
        """Octets of audio received."""
        self.too_fast = 0
        """Audio messages that came faster than allowed."""
        self.ignored = 0
        """Messages that came after the end, and Finalizes of a channel that is not there."""
        self._limits = limits
        self._request_id, self._created = request_id, created
        self._with_notices, self._filename = with_notices, filename
        self._ears = self._open_ears(recognizers, request_id)
        self._sha256 = hashlib.sha256()
        self._active_at = now
        self._first_audio_at: float | None = None
        self._unanswered_since: float | None = None
        self._outbox: list[tuple[float, int, Output]] = []
        self._said = 0
        self._finals = 0
        self._latest_due = now
        if with_notices:
            self._notify(notices.opened(request), now)
        if warning := self._ears.warning():
            self._send(warning, now)

    def __repr__(self) -> str:
        return (
            f"<Session {self._request_id} {self.state.value} {self.duration:.2f} s of audio, "
            f"{self._said} messages, {len(self._outbox)} waiting, {self.too_fast} too fast, {self._ears.broken} broken>"
        )

    @property
    def duration(self) -> float:
        """Seconds of decoded audio; 0 where nothing can be decoded, whatever came."""
        return self._ears.duration

    @property
    def reads(self) -> bool:
        """False: the shell must not read from the socket any more, which is a fault on request."""
        return not self._reached(self.faults.stop_reading_after)

    @property
    def backlog(self) -> int:
        """Messages that wait to be sent."""
        return len(self._outbox)

    def ahead(self, now: float) -> float:
        """Seconds by which the audio is ahead of what the speed limit allows; at most 0: it is not."""
        if self._first_audio_at is None:
            return 0.0
        allowed = (now - self._first_audio_at) * self._limits.speed + self._limits.speed_allowance
        return (self._ears.received - allowed) / self._limits.speed

    # In

    def receive_binary(self, data: bytes, now: float) -> None:
        """A binary message: audio, and if it is empty the old way to say `CloseStream`."""
        if self.state is not State.OPEN:
            self.ignored += 1
            return
        self._active_at = now
        if not data:
            self._drain(now)
            return
        self._sha256.update(data)
        self.octets += len(data)
        try:
            said = self._ears.feed(data)
        except Undecodable:
            self._close(messages.DATA_0000, now, code=1008)
            return
        self._audio_came(now)
        if said:
            self._say(said, now)
        if self.faults is not NO_FAULTS:
            self._misbehave(now)

    def receive_text(self, text: str, now: float) -> None:
        """A text message."""
        if self.state is not State.OPEN:
            self.ignored += 1
            return
        if self._first_audio_at is not None:
            # Before the first audio no text keeps the connection: audio must have been sent at least once.
            self._active_at = now
        match messages.read_text(text):
            case messages.CloseStream():
                self._drain(now)
            case messages.Finalize(channel):
                self._finalize(channel, now)
            case messages.Configure() as configure:
                self._say([Message(self._ears.configure(configure))], now)
            case messages.Unreadable(description):
                self._say([Message(messages.schema_error(text, description))], now)
            case messages.KeepAlive():
                pass

    def receive_ping(self, now: float) -> None:
        """A ping, which is no reason to stay."""

    def worked(self, now: float) -> None:
        """The work on the last message took until now: the client's silence counts from here."""
        if self._first_audio_at is not None:
            self._active_at = max(self._active_at, now)

    def release(self) -> None:
        """The socket is gone: nothing is heard any more."""
        self._ears.close()

    def close(self, code: int, reason: str, now: float) -> None:
        """End it from outside."""
        if self.state is not State.CLOSED:
            self._close(reason, now, code=code)

    # Out

    def data_to_send(self, now: float) -> list[Output]:
        """What is due to be sent, in order, once."""
        due: list[Output] = []
        while self._outbox and self._outbox[0][0] <= now:
            due.append(heapq.heappop(self._outbox)[2])
        return due

    # When

    def get_timer(self) -> float | None:
        """When the machine wants to be woken; None: never."""
        timers = [self._outbox[0][0]] if self._outbox else []
        if self.state is State.OPEN and self.reads:
            timers.append(self._active_at + self._limits.no_input)
            if self._unanswered_since is not None:
                timers.append(self._unanswered_since + self._limits.no_answer)
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        if self.state is not State.OPEN or not self.reads:
            return
        if now >= self._active_at + self._limits.no_input:
            self._close(messages.NET_0001, now)
        elif self._unanswered_since is not None and now >= self._unanswered_since + self._limits.no_answer:
            self._close(messages.NET_0000, now)

    # What differs from one endpoint to the other

    def _open_ears(self, recognizers: RecognizerFactory, request_id: str) -> Ears:
        return Ears(self.request, recognizers, request_id)

    def _summary(self) -> list[Message]:
        """What is said last."""
        return [
            Message(
                self._ears.writer.metadata(
                    sha256=self._sha256.hexdigest(),
                    created=self._created,
                    duration=self.duration,
                    channels=self._ears.channels if self.duration else 0,
                )
            )
        ]

    # Inside

    def _audio_came(self, now: float) -> None:
        if self._first_audio_at is None:
            self._first_audio_at = now
        if self._unanswered_since is None:
            self._unanswered_since = now
        too_fast = self.ahead(now) > 0
        self.too_fast += too_fast
        if self._with_notices:
            self._notify(notices.received(self.octets, too_fast=too_fast), now)

    def _finalize(self, channel: int | None, now: float) -> None:
        said = self._ears.finalize(channel)
        self.ignored += said is None
        if said:
            self._say(said, now)

    def _drain(self, now: float) -> None:
        """Say what is left to say, then `Metadata`, then close."""
        self._move(State.DRAINING)
        if said := self._ears.end():
            self._say(said, now)
        if self._with_notices:
            self._notify(notices.saved(self._filename, self.octets), now)
        if self.faults.metadata:
            self._say(self._summary(), max(now, self._latest_due - self.faults.delay))
        if self.faults.close and not self._reached(self.faults.stop_answering_after):
            self._close("", now, code=self.done_code)

    def _close(self, reason: str, now: float, code: int | None = 1011) -> None:
        self._move(State.CLOSED)
        self._send(Close(code, reason), max(now, self._latest_due))

    def _move(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise LocalProtocolError(f"a session cannot go from {self.state.value} to {state.value}")
        self.state = state

    def _misbehave(self, now: float) -> None:
        """The faults that a certain amount of audio brings about."""
        if self._reached(self.faults.drop_after):
            self._move(State.CLOSED)
            self._send(Abort(), now)
        elif self._reached(self.faults.close_after):
            self._close(self.faults.close_reason, now, code=self.faults.close_code)

    def _say(self, said: Sequence[Message], now: float) -> None:
        """Put messages into the outbox, as late and as often as the faults want them."""
        if self._reached(self.faults.stop_answering_after):
            return
        self._unanswered_since = None
        for text, final in said:
            due = now + self.faults.delay + (self.faults.final_delay if final else 0.0)
            if final:
                self._finals += 1
                if self._hits(self.faults.lose_finals):
                    continue
                due += _LATER if self._hits(self.faults.late_finals) else 0.0
                text = messages.with_odd_word(text) if self._hits(self.faults.odd_words) else text
            for _ in range(2 if final and self.faults.duplicate_finals else 1):
                self._send(text, due)

    def _hits(self, every: int) -> bool:
        """Whether a fault that befalls every so-many-eth final befalls the newest."""
        return every > 0 and self._finals % every == 0

    def _notify(self, texts: Sequence[str], now: float) -> None:
        for text in texts:
            self._send(text, max(now, self._latest_due) if self.state is State.DRAINING else now)

    def _send(self, output: Output, due: float) -> None:
        self._said += 1
        self._latest_due = max(self._latest_due, due)
        heapq.heappush(self._outbox, (due, self._said, output))

    def _reached(self, after: float | None) -> bool:
        """Whether so many seconds of audio have come."""
        return after is not None and self._ears.received >= after
