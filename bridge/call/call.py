"""One call: the only place that knows both the aligner and the session, the assembler and the store.

Audio goes one way (stream, aligner, session, Deepgram) and words come back the other (session, assembler, store); no
step waits for the next, so nothing behind this can slow the reading of the carrier's socket. Streams come and go; the
call is one record, with events numbered densely from 1 by this object alone, and exactly one `call.ended`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from bridge.align import Aligner, AlignPolicy
from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS
from bridge.call import describe
from bridge.carriers.messages import Digit, Media, Started
from bridge.deepgram.client import Client
from bridge.deepgram.exchange import (
    AudioLost,
    Finished,
    Happening,
    Interrupted,
    Resumed,
    SessionPolicy,
)
from bridge.deepgram.gate import Gate
from bridge.deepgram.options import Options
from bridge.deepgram.session import Session
from bridge.errors import StoreError
from bridge.events import (
    TRACKS,
    AudioGap,
    CallEnded,
    Data,
    DtmfReceived,
    Event,
    StreamFailed,
    Transcript,
    TranscriptFinal,
    TranscriptionInterrupted,
    TranscriptionResumed,
    UtteranceCompleted,
    timestamp,
)
from bridge.store.base import Store
from bridge.transcript.assembler import Assembler

log = logging.getLogger("bridge.call")


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What all calls have in common."""

    deepgram_url: str
    """Origin, without path."""
    deepgram_key: str = field(repr=False)
    align: AlignPolicy = field(default_factory=AlignPolicy)
    session: SessionPolicy = field(default_factory=SessionPolicy)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Speaker labels by track, over those that follow from the direction."""
    public_url: str | None = None


class Stream:
    """One carrier stream's hold on its call. A newer stream of the same call takes the hold away."""

    __slots__ = ("_call",)

    def __init__(self, call: "Call") -> None:
        self._call: Call | None = call

    def receive(self, message: Media | Digit) -> None:
        """Something the carrier sent."""
        if self._call is None:
            return
        if type(message) is Media:
            self._call.receive_media(message)
        elif type(message) is Digit:
            self._call.receive_digit(message)

    def end(self, reason: str, bad_messages: int = 0) -> None:
        """The stream is over; `bad_messages` of it could not be read."""
        if self._call:
            call, self._call = self._call, None
            call.counters["bad_messages"] += bad_messages
            call.end(reason)

    def release(self) -> None:
        """A newer stream has taken over."""
        self._call = None


class Call:
    """A call that is going on."""

    def __init__(
        self,
        call_id: str,
        started: Started,
        *,
        options: Options,
        policy: CallPolicy,
        store: Store,
        gate: Gate,
        wall: Callable[[], float],
        random: Random,
    ) -> None:
        """`wall` tells seconds since 1970. Connects to Deepgram at once."""
        self.id = call_id
        self.counters: Counter[str] = Counter()
        self.reason: str | None = None
        self._policy = policy
        self._store = store
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._seq = 0
        self._speech = 0
        self._anchored = False
        self._pending: list[Event] = []
        self._interims: list[Event] = []
        self._appends: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._stream = Stream(self)
        speakers = describe.speakers(started.parameters, policy.labels)
        self._aligner = Aligner(policy.align)
        self._chunk = policy.align.chunk_ms * SAMPLES_PER_MS * CHANNELS
        self._assembler = Assembler(call_id, speakers, describe.language(options))
        self._assembler.anchor = wall()
        self._client = Client(
            Session(policy.session, random),
            url=f"{policy.deepgram_url}/v1/listen?{options.query([('extra', f'call_id:{call_id}')])}",
            key=policy.deepgram_key,
            call_id=call_id,
            gate=gate,
            on_event=self._receive_happening,
        )
        self._emit(describe.call_started(started, speakers, wall()))
        self._commit()
        self._client.start()

    def __repr__(self) -> str:
        return f"<Call {self.id} seq {self._seq} {dict(self.counters)} {self._aligner!r} {self._client!r}>"

    @property
    def stream(self) -> Stream:
        """The hold of the newest stream."""
        return self._stream

    @property
    def session(self) -> Session:
        """For the metrics."""
        return self._client.session

    # The carrier's side.

    def attach(self, started: Started) -> Stream:
        """A further stream of this call takes over where the clock stands now."""
        self._stream.release()
        self._stream = Stream(self)
        elapsed = max(0, round((self._wall() - self._assembler.anchor) * SAMPLE_RATE))
        self._aligner.restart(elapsed if self._anchored else 0)
        self.counters["streams_replaced"] += 1
        log.info("stream replaced", extra={"call_id": self.id, "stream_id": started.stream_id})
        return self._stream

    def receive_media(self, media: Media) -> None:
        """The hot path: a hundred times a second in every call."""
        if not self._anchored:
            self._anchored = True
            self._assembler.anchor = self._wall() - len(media.payload) / SAMPLE_RATE
        self._aligner.receive_media(media)
        audio = self._aligner.data_to_send()
        if audio:
            self._forward(audio)

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""
        at = round(self._aligner.position / SAMPLE_RATE, 3)
        self._emit(DtmfReceived(track=digit.track, digit=digit.digit, at=at))
        self._commit()

    def fail_stream(self, stream_id: str | None, error: str) -> None:
        """The carrier says that a stream of this call went wrong."""
        self._emit(StreamFailed(stream_id=stream_id, error=error))
        self._commit()

    def end(self, reason: str) -> None:
        """No more audio comes. The last words are waited for; `wait_ended` tells when they are in."""
        if self.reason is not None:
            return
        self.reason = reason
        self._stream.release()
        self._forward(self._aligner.flush())
        self._client.finish()

    async def wait_ended(self) -> None:
        """Until `call.ended` is durable."""
        await self._ended.wait()
        await self._client.wait_ended()

    def _forward(self, audio: bytes) -> None:
        for start in range(0, len(audio), self._chunk):
            self._client.receive_audio(audio[start : start + self._chunk])
        holes = self._aligner.events_received()
        if holes:
            for hole in holes:
                self._emit(describe.audio_gap(hole))
            self._commit()

    # Deepgram's side.

    def _receive_happening(self, happening: Happening) -> None:
        match happening:
            case Interrupted():
                self._emit(
                    TranscriptionInterrupted(
                        reason=happening.reason,
                        status=happening.status,
                        request_id=happening.request_id,
                        attempt=happening.attempt,
                        waiting=round(happening.waiting, 3),
                        retry=happening.retry,
                    )
                )
            case Resumed():
                self._emit(
                    TranscriptionResumed(
                        attempt=happening.attempt,
                        waiting=round(happening.waiting, 3),
                        request_id=happening.request_id,
                    )
                )
            case AudioLost():
                self._emit(
                    AudioGap(
                        track=TRACKS[happening.channel],
                        from_=round(happening.start, 3),
                        to=round(happening.end, 3),
                        missing=round(happening.end - happening.start, 3),
                        why=happening.why,
                    )
                )
            case Finished():
                self._finish(happening)
            case _:
                self._assembler.receive(happening)
        self._commit()

    def _finish(self, finished: Finished) -> None:
        self._assembler.finish()
        self._take_transcripts()
        self._count_audio()
        self._emit(
            CallEnded(
                reason=self.reason or "ended",
                duration=round(self._aligner.position / SAMPLE_RATE, 3),
                ended_at=timestamp(self._wall()),
                flush="complete" if finished.complete else "timed_out",
                missing=round(finished.missing, 3),
                counts=dict(+self.counters),
                transcript_url=describe.transcript_url(self._policy.public_url, self.id),
            )
        )

    def _count_audio(self) -> None:
        self.counters.update(self._aligner.counters)
        self.counters["deepgram_sockets"] = self.session.sockets
        self.counters["deepgram_bad_messages"] = self.session.bad_messages

    # The store's side.

    def _emit(self, data: Data) -> None:
        """Number what is durable; set aside the rest."""
        if data.durable:
            self._seq += 1
            self._pending.append(describe.event(self.id, self._seq, self._wall(), data))
            self._count(data)
            return
        if isinstance(data, Transcript):
            event_id = f"{data.segment_id}-r{data.revision}"
        else:
            self._speech += 1
            event_id = f"{self.id}-s{self._speech}"
        self._interims.append(Event(self.id, None, event_id, timestamp(self._wall()), data))

    def _count(self, data: Data) -> None:
        match data:
            case TranscriptFinal():
                self.counters["finals"] += 1
                self.counters["words"] += len(data.words)
            case UtteranceCompleted():
                self.counters["utterances"] += 1
            case AudioGap():
                self.counters["gaps"] += 1
            case _:
                pass

    def _take_transcripts(self) -> None:
        for data in self._assembler.events_received():
            self._emit(data)

    def _commit(self) -> None:
        """Hand over what has happened, without waiting; the store keeps the order of the calls."""
        self._take_transcripts()
        if not self._pending and not self._interims:
            return
        events, self._pending = self._pending, []
        interims, self._interims = self._interims, []
        try:
            durable = self._store.append(events, interims)
        except StoreError as error:
            # Numbered already, so they must go first next time; interims are not worth it.
            self._pending = events
            log.error("events wait for the store", extra={"call_id": self.id, "reason": str(error)})
            return
        if events:
            task = self._loop.create_task(self._confirm(durable, events[-1]))
            self._appends.add(task)
            task.add_done_callback(self._appends.discard)

    async def _confirm(self, durable: Awaitable[None], last: Event) -> None:
        try:
            await durable
        except StoreError as error:
            log.error("events not kept", extra={"call_id": self.id, "seq": last.seq, "reason": str(error)})
        if isinstance(last.data, CallEnded):
            log.info("call ended", extra={"call_id": self.id, "reason": self.reason, "seq": last.seq})
            self._ended.set()
