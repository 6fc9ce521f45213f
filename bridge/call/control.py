"""What people may ask of a call while it goes on: pause and go on, settle, change options, stop.

By HTTP, on the page, or with a key. Everything that is asked comes here; what it means is decided by the machines. Who
asks is answered once the event that tells of it is durable (`written`): what was promised outlives the process.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bridge.audio import CHANNELS, seconds
from bridge.call import describe
from bridge.call.pauses import Pauses, State
from bridge.call.projection import Projection
from bridge.call.record import Record
from bridge.carriers.messages import Digit
from bridge.deepgram.client import Client
from bridge.deepgram.configuring import PATIENCE, Configuration, Configured
from bridge.deepgram.mono import AnyClient, MonoClients
from bridge.deepgram.options import Options
from bridge.errors import BridgeError, ConfigError
from bridge.events import AskedBy, AudioGap, EndReason, PauseEnded, PauseStarted, TranscriptionConfigured
from bridge.spans import Span

log = logging.getLogger("bridge.call")


class NotNow(BridgeError):
    """It makes no sense as the call stands."""


class NotTaken(BridgeError):
    """Deepgram would not; the message has its words."""


class NotAnswered(BridgeError):
    """It is not known whether it has been done."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a telephone that pause and go on; one may be both. None: no key does."""

    pause: str | None = None
    resume: str | None = None


class Reached(NamedTuple):
    """How far a call has come, in samples."""

    placed: int
    """The audio of both tracks."""
    received: int
    """Of the one that has more."""
    elapsed: int
    """By the clock."""


@dataclass(slots=True)
class _Change:
    """Of Deepgram's options."""

    configuration: Configuration
    by: AskedBy
    answer: asyncio.Future[Configured]


class Control:
    """Made by a call, for itself."""

    def __init__(
        self,
        record: Record,
        keys: Keys,
        options: Options,
        past: Projection | None,
        reached: Callable[[], Reached],
        end: Callable[[EndReason], None],
    ) -> None:
        """`options`: of the call; `past`: what the log says of one that another process has begun. `reached` tells how
        far it has come; `end` ends it."""
        self.pauses = Pauses(past.pauses, past.paused) if past else Pauses()
        self._client: AnyClient | None = None
        self._taken = past.configured if past else None
        self._record = record
        self._keys = keys
        self._options = options
        self._reached = reached
        self._end = end
        self._change: _Change | None = None  # the newest; its answer may have been given up

    def __repr__(self) -> str:
        return f"<Control {self.pauses!r}>"

    def connect(self, client: AnyClient) -> None:
        """From here on there is a way to Deepgram, which is to be as the last one was made."""
        self._client = client
        if self._taken and isinstance(client, Client):
            client.session.asking.go_on_with(self._taken)

    @property
    def lost(self) -> bool:
        """Whether the store has refused the call's events for good, as it does when another process has the call."""
        return self._record.events.unkept > 0

    def lose(self) -> None:
        """Another process has had the call meanwhile: nothing of it is written by this one's hand any more."""
        self._record.events.lose()

    @property
    def unsent(self) -> float:
        """Seconds of audio that Deepgram has not been sent."""
        return self._client.session.unsent if self._client else 0.0

    @property
    def paused_at(self) -> float | None:
        """Where the pause began that goes on, in seconds of the call."""
        since = self.pauses.since
        return None if since is None else seconds(since)

    def pause(self, by: AskedBy) -> None:
        """Hear nothing from now on; what was said before gets its final. Raises NotNow."""
        self._check()
        if (position := self.pauses.pause(self._reached().placed)) is None:
            return
        if self._client:
            self._client.finalize(position)
        log.info("transcription paused", extra={"call_id": self._record.events.call_id, "reason": by})
        self._record.tell(PauseStarted(at=seconds(position), by=by))

    def resume(self, by: AskedBy) -> None:
        """Hear the call again. Raises NotNow."""
        self._check()
        reached = self._reached()
        if (span := self.pauses.resume(reached.received, reached.elapsed)) is None:
            return
        log.info("transcription goes on", extra={"call_id": self._record.events.call_id, "reason": by})
        # Together: a process that dies in between would leave a pause that is over and has no place in the call.
        self._record.tell(PauseEnded(at=seconds(span.end), by=by), *_gaps(span))

    def finalize(self) -> None:
        """Have what was said so far settled. Raises NotNow, and ConfigError where that can never be."""
        self._check()
        if self._client:
            if not self._client.settles:
                raise ConfigError("the recognizer of this call settles nothing when it is asked to")
            self._client.finalize(self._reached().received)

    async def configure(self, configuration: Configuration, by: AskedBy) -> None:
        """Have Deepgram change its options, of this socket and all later ones.

        Raises ConfigError for what it cannot take, NotTaken for what it does not, NotNow and NotAnswered.
        """
        self._check()
        configuration.check(self._options)
        client = self._client
        if isinstance(client, MonoClients):
            raise ConfigError("the recognizer of this call takes no changes while it goes on")
        if self._change and not self._change.answer.done():
            raise NotNow("Deepgram has not answered another change yet; ask again in a moment")
        if client is None or client.session.interruption:
            raise NotNow("Deepgram does not hear the call at this moment")
        change = self._change = _Change(configuration, by, asyncio.get_running_loop().create_future())
        client.configure(configuration)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await change.answer
        except TimeoutError:
            client.session.asking.withdraw(configuration)
            raise NotAnswered("Deepgram has not answered: it may have changed this, or not") from None
        if answer.refusal:
            raise NotTaken(f"Deepgram refuses: {answer.refusal}")

    def configured(self, answer: Configured) -> None:
        """Deepgram has answered."""
        change = self._change
        if answer.again or change is None or change.configuration is not answer.configuration:
            if answer.refusal:
                extra = {"call_id": self._record.events.call_id, "reason": answer.refusal}
                log.warning("deepgram takes changed options no more", extra=extra)
            return
        if not answer.refusal:
            keyterms, numerals = change.configuration.keyterms, change.configuration.numerals
            self._record.tell(
                TranscriptionConfigured(
                    keyterms=None if keyterms is None else [self._record.veiled(term) for term in keyterms],
                    numerals=numerals,
                    at=seconds(self._reached().received),
                    by=change.by,
                    request_id=answer.request_id,
                )
            )
        if not change.answer.done():
            change.answer.set_result(answer)

    def stop(self) -> None:
        """End the call's transcription, with its last words. Raises NotNow."""
        self._check()
        self._end("stop_requested")

    def press(self, digit: Digit, position: int) -> None:
        """A key was pressed, when the audio had come as far as `position`. What is pressed in a pause, a card's number,
        is told to no one."""
        if self.pauses.state is State.OVER:
            return
        if self.pauses.state is State.PAUSED:
            if digit.digit == self._keys.resume:
                self.resume("key")
            else:
                self._record.events.counters["digits_paused"] += 1
        elif self._record.press(digit, position) and digit.digit == self._keys.pause:
            self.pause("key")

    def end(self, position: int) -> None:
        """The call is over there, in a pause or not."""
        if (span := self.pauses.end(position)) is not None:
            self._record.tell(*_gaps(span))

    async def written(self) -> None:
        """Until all that was told is durable."""
        await self._record.events.written()

    def _check(self) -> None:
        if self.pauses.state is State.OVER:
            raise NotNow("the call is over")


def _gaps(span: Span) -> list[AudioGap]:
    """Nothing of either track was heard."""
    stretches = describe.stretches((channel, span) for channel in range(CHANNELS))
    return [describe.gap(stretch, "paused") for stretch in stretches]
