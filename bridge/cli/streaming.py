"""Audio to Deepgram, and what it says to a listener, without a call: the same session as a call has, so the same
reconnects, replays, pace and times.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from random import Random

from bridge.audio import AudioFormat
from bridge.call import describe
from bridge.call.redacting import Redacting
from bridge.cli.sources import Source, SourceError
from bridge.clock import SystemClock
from bridge.deepgram.client import Client, FetchAudio
from bridge.deepgram.configuring import Configured
from bridge.deepgram.exchange import AudioLost, Finished, Interrupted, Resumed, SessionEvent, SessionPolicy
from bridge.deepgram.mono import dialect_of, open_clients
from bridge.deepgram.options import Options
from bridge.deepgram.origins import Origins
from bridge.deepgram.prober import Prober
from bridge.deepgram.session import Session
from bridge.events import Data, Event, Request, timestamp
from bridge.recognition import Recognized
from bridge.redaction.redactor import Redactor
from bridge.redaction.rules import Rules
from bridge.transcript.assembler import Assembler

PATIENCE = 60.0  # seconds

_AHEAD = 1.0  # seconds of audio that are read before they can be sent
_LIVE_AHEAD = 100.0  # the same of what is lost if it is not taken; less than a session holds
_LIVE_SPEED = 1.25  # Deepgram takes no more


class Streaming:
    """One source. `on_event` is told of every event, numbered as a call's are."""

    def __init__(
        self,
        source: Source,
        *,
        origins: Origins,
        options: Options,
        speakers: dict[str, str],
        on_event: Callable[[Event], None],
        speed: float | None = None,
        patience: float = PATIENCE,
        name: str = "stream",
        seq: int = 0,
        rules: Rules = Rules(),
    ) -> None:
        """`speakers` maps tracks, which are its channels, to labels. `speed`: times real time; by default what Deepgram
        allows for what comes at its own pace, and 1 for the rest. `patience`: seconds for which a Deepgram that goes
        away is waited for; one that was never there is not. `name`: of the call. `seq`: of the event before the
        first. `rules`: what is taken out."""
        self.position = 0.0
        """Seconds that were handed to Deepgram's session."""
        self.missing = 0.0
        """Seconds that no final covers, once it has ended."""
        self.refusal: Interrupted | None = None
        """What Deepgram will not do, whatever is tried."""
        self.away: Interrupted | None = None
        """Why Deepgram cannot be reached, once that is given up."""
        self._over = asyncio.Event()
        self._patience = patience
        self._alarm: asyncio.TimerHandle | None = None
        self._unreached = {origin.name for origin in origins.all}
        self._source = source
        self._on_event = on_event
        self._name = name
        self._seq = seq
        self._assembler = Assembler(self._name, speakers, describe.language(options))
        self._assembler.anchor = time.time()
        self._redacting = Redacting(Redactor(rules, describe.language(options)), SystemClock(), self._take)
        speed = speed or (_LIVE_SPEED if source.live else 1.0)
        dialect = partial(dialect_of, options, source.format.mono)
        self._prober = Prober(origins, options.target(audio=source.format), dialect=dialect)

        def open_(format_: AudioFormat, on_event: Callable[[SessionEvent], None], _: FetchAudio | None) -> Client:
            policy = origins.patience(SessionPolicy(format=format_, speed=speed))
            return Client(
                Session(policy, Random(), dialect=dialect_of(options, format_)),
                origins=origins,
                request=options.target(audio=format_),
                call_id=self._name,
                on_event=on_event,
            )

        self._client = open_clients(source.format, open_, self._receive, apart=options.is_flux)

    @property
    def requests(self) -> list[Request]:
        """The sockets to Deepgram."""
        return [describe.request(each) for each in self._client.session.journal.requests]

    @property
    def connected(self) -> bool:
        """Whether Deepgram has been reached at all."""
        return bool(self._client.session.journal.requests)

    async def run(self, chunks: AsyncGenerator[bytes, None], stop: asyncio.Event) -> None:
        """Until the source ends, `stop` is set or Deepgram is given up, and its last words. Raises SourceError, after
        these."""
        async with self._prober:
            await self._run(chunks, stop)

    async def _run(self, chunks: AsyncGenerator[bytes, None], stop: asyncio.Event) -> None:
        self._client.start()
        fault: SourceError | None = None
        ends = [asyncio.ensure_future(event.wait()) for event in (stop, self._over)]
        feeding = asyncio.ensure_future(self._feed(chunks))
        await asyncio.wait({feeding, *ends}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in ends:
            waiting.cancel()
        if self._alarm:
            self._alarm.cancel()
        if feeding.done():
            error = feeding.exception()
            if error is not None and not isinstance(error, SourceError):
                raise error
            fault = error
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)  # which lets go of the source
        if self.refusal or self.away:
            self._client.abort()
        else:
            self._client.finish()
        await self._client.wait_ended()
        if fault:
            raise fault

    async def _feed(self, chunks: AsyncGenerator[bytes, None]) -> None:
        session, octets = self._client.session, self._source.format.octets
        most = _LIVE_AHEAD if self._source.live else _AHEAD
        async with aclosing(chunks):
            async for chunk in chunks:
                while session.unsent > most and not self.refusal:  # noqa: ASYNC110 - a session is polled, by design
                    await asyncio.sleep(0.02)
                if self.refusal:
                    return
                self._client.receive_audio(chunk)
                self.position += len(chunk) / octets

    def _receive(self, event: SessionEvent) -> None:
        match event:
            case Interrupted() | Resumed() | AudioLost():
                if isinstance(event, Interrupted):
                    self._interrupted(event)
                elif isinstance(event, Resumed) and self._alarm:
                    self._alarm.cancel()
                    self._alarm = None
                self._tell(describe.session_news(event))
            case Finished(uncovered=uncovered):
                self._redacting.finish()
                self._assembler.finish()
                self.missing = describe.missing(describe.stretches(uncovered))
                self._tell(*(describe.gap(lost, "not_transcribed") for lost in describe.stretches(uncovered)))
            case Configured():
                pass  # nothing is changed on the way here
            case _:
                self._redacting.receive(event)

    def _take(self, messages: Iterable[Recognized]) -> None:
        for message in messages:
            self._assembler.receive(message)
        self._tell()

    def _interrupted(self, event: Interrupted) -> None:
        """Give up at once what will not heal, or never was there; the rest in a while."""
        self._unreached.discard(event.origin or "")
        if not event.retry:
            self.refusal = event
            self._over.set()
        elif not self.connected and not self._unreached:
            self._give_up(event)
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(self._patience, self._give_up, event)

    def _give_up(self, event: Interrupted) -> None:
        self.away = event
        self._over.set()

    def _tell(self, *news: Data) -> None:
        for data in (*self._assembler.events_received(), *news):
            if data.durable:
                self._seq += 1
            now = timestamp(time.time())
            name = f"{self._name}-{self._seq}" if data.durable else f"{self._name}-{self._seq}-i"
            self._on_event(Event(self._name, self._seq if data.durable else None, name, now, data))
