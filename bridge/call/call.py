"""One call: the only place that knows both the aligner and the session, the assembler and the store.

Audio goes one way (stream, aligner, disk, session, Deepgram) and words come back the other (session, assembler,
ledger); no step waits for the next, so nothing behind this can slow the reading of the carrier's socket. Streams come
and go; the call is one record, and ends exactly once. While it waits for a stream that was lost, its clock goes on: it
hears silence, as the people on the line do.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

from bridge.align import Aligner
from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS
from bridge.call import describe
from bridge.call.digest import NOT_TRANSCRIBED, Digest
from bridge.call.ledger import Ledger
from bridge.call.policy import CallPolicy
from bridge.call.stream import Stream
from bridge.carriers.messages import Digit, Media, Started
from bridge.deepgram.client import Client
from bridge.deepgram.exchange import AudioLost, Finished, Happening, Interrupted, Resumed
from bridge.deepgram.gate import Gate
from bridge.deepgram.options import Options
from bridge.deepgram.session import Session
from bridge.errors import StoreError
from bridge.events import CallEnded, CallResumed, DtmfReceived, StreamFailed, Stretch, TranscriptFinal, timestamp
from bridge.events.parts import EndReason, ResumeReason
from bridge.store.audio import AudioFile
from bridge.store.base import Store
from bridge.transcript.assembler import Assembler
from bridge.transcript.figures import Tally

log = logging.getLogger("bridge.call")

_LOST = frozenset(("carrier_disconnected", "carrier_silent"))
"""Ways a stream ends that do not mean the call is over."""

_TICK = 0.25  # seconds between two pieces of silence while there is no stream
_LAG = SAMPLE_RATE // 10  # samples that silence stays behind the clock: the next stream's first frame belongs there


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
        clock: Callable[[], float],
        random: Random,
        audio: AudioFile | None = None,
        past: Digest | None = None,
        on_lost: Callable[["Call"], object] = lambda call: None,
    ) -> None:
        """`wall` tells seconds since 1970, `clock` those of a clock that is never set. `audio`: where the call's audio
        is kept. `past`: what the log says of a call that another process has begun. `on_lost`: the carrier's stream is
        gone. Connects to Deepgram at once.
        """
        self.id = call_id
        self.started = started
        self.counters: Counter[str] = Counter()
        self.reason: EndReason | None = None
        self.uncovered: list[Stretch] = list(past.uncovered) if past else []
        """Kept audio that is left for later; complete when the call has ended."""
        self._policy = policy
        self._wall = wall
        self._clock = clock
        self._audio = audio
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._origin: float | None = None  # the clock at call time 0
        self._resumed: ResumeReason | None = None  # why a stream goes on here, until its first frame tells where
        self._heard: int | None = None  # where the audio of a lost stream ended
        self._grace_ends = 0.0
        self._tick: asyncio.Handle | None = None
        self._streaming = False  # the newest stream has sent audio
        self._ended = asyncio.Event()
        self._stream = Stream(self)
        self._ledger = Ledger(call_id, store, wall, past.seq if past else 0)
        speakers = past.speakers if past else describe.speakers(started.parameters, policy.labels)
        self._assembler = Assembler(
            call_id,
            speakers,
            describe.language(options),
            progress=past.progress if past else None,
        )
        self._tally = None if past else Tally(speakers)  # of a call that others have begun it would be half the truth
        start = self._take_over(past) if past else 0
        self._aligner = Aligner(policy.align, start, self._heard)
        self._chunk = policy.align.chunk_ms * SAMPLES_PER_MS * CHANNELS
        session = Session(replace(policy.session, kept=audio is not None), random, start)
        self._client = self._make_client(session, options, gate)
        if not past:
            self._assembler.anchor = wall()
            self._ledger.add(describe.call_started(call_id, started, speakers, wall()))
            self._commit()
        self._client.start()

    def __repr__(self) -> str:
        return f"<Call {self.id} {self._ledger!r} {dict(self.counters)} {self._aligner!r} {self._client!r}>"

    @property
    def stream(self) -> Stream:
        """The hold of the newest stream."""
        return self._stream

    @property
    def session(self) -> Session:
        """The machine that decides what Deepgram is sent."""
        return self._client.session

    @property
    def counts(self) -> dict[str, int]:
        """What has happened so far, as `call.ended` tells it."""
        counts = self._ledger.counters + self.counters + self._aligner.counters
        counts.update(deepgram_sockets=self.session.sockets, deepgram_bad_messages=self.session.bad_messages)
        return dict(+counts)

    @property
    def waiting(self) -> bool:
        """Whether there is no stream now, and one may come back."""
        return self._tick is not None

    # The carrier's side.

    def attach(self, started: Started) -> Stream:
        """A further stream of this call takes over; its first frame belongs where the clock stands then."""
        self._stream.release()
        self._stream = Stream(self)
        self._stop_ticking()
        self._streaming = False
        self.started = started
        if self._origin is not None:
            self._resumed = self._resumed or "carrier_reconnected"
        self.counters["streams_replaced"] += 1
        log.info("stream replaced", extra={"call_id": self.id, "stream_id": started.stream_id})
        return self._stream

    def receive_media(self, media: Media) -> None:
        """The hot path: a hundred times a second in every call."""
        if not self._streaming:
            self._begin_stream(len(media.payload))
        self._aligner.receive_media(media)
        if audio := self._aligner.data_to_send():
            self._forward(audio)

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""
        at = round(self._aligner.position / SAMPLE_RATE, 3)
        self._ledger.add(DtmfReceived(track=digit.track, digit=digit.digit, at=at))
        self._commit()

    def fail_stream(self, stream_id: str | None, error: str) -> None:
        """The carrier says that a stream of this call went wrong."""
        self._ledger.add(StreamFailed(stream_id=stream_id, error=error))
        self._commit()

    def end_stream(self, reason: EndReason) -> None:
        """No more comes of the newest stream. If it was lost, the call waits for another."""
        if reason not in _LOST or not self._policy.grace:
            self.end(reason)
            return
        log.warning("stream lost", extra={"call_id": self.id, "reason": reason})
        self.counters["streams_lost"] += 1
        if self._streaming:  # otherwise nothing came of it, and the call stands where it stood
            self._forward(self._aligner.flush())
            self._heard = self._aligner.position
            self._write_note()
        self._grace_ends = self._loop.time() + self._policy.grace
        self._keep_time(reason)
        self._on_lost(self)

    def end(self, reason: EndReason) -> None:
        """No more audio comes. The last words are waited for; `wait_ended` tells when they are in."""
        if self.reason is not None:
            return
        self.reason = reason
        self._stop_ticking()
        self._stream.release()
        self._forward(self._aligner.flush())
        self._client.finish()

    async def wait_ended(self) -> None:
        """Until `call.ended` is durable and the kept audio is closed, or gone if nobody needs it."""
        await self._ended.wait()
        await self._client.wait_ended()
        await self._ledger.written()
        log.info("call ended", extra={"call_id": self.id, "reason": self.reason, "seq": self._ledger.seq})
        if self._audio and self.uncovered:
            self._audio.close()
        elif self._audio:
            await self._audio.finish()

    def _make_client(self, session: Session, options: Options, gate: Gate) -> Client:
        query = options.query([("extra", f"call_id:{self.id}")])
        return Client(
            session,
            url=f"{self._policy.deepgram_url}/v1/listen?{query}",
            key=self._policy.deepgram_key,
            call_id=self.id,
            gate=gate,
            on_event=self._receive_happening,
            fetch=self._read_kept,
            own_options=options.own,
        )

    def _take_over(self, past: Digest) -> int:
        """Go on with another process's call; where, in samples."""
        self._ledger.counters.update(past.counters)
        self._assembler.anchor = past.anchor if past.anchor is not None else self._wall()
        self._origin = self._clock() - (self._wall() - self._assembler.anchor)
        self._resumed = "bridge_restarted"
        self._heard = round(past.latest * SAMPLE_RATE)
        start = max(self._heard, self._elapsed(), self._audio.end if self._audio else 0)
        if self._audio:
            self._audio.leap(start)
        return start

    def _elapsed(self) -> int:
        """Samples from call time 0 to now."""
        return 0 if self._origin is None else max(0, round((self._clock() - self._origin) * SAMPLE_RATE))

    def _begin_stream(self, samples: int) -> None:
        """The first frame of a stream has come: the clock starts with it, or tells where it belongs."""
        self._streaming = True
        ago = self._stream.late + samples / SAMPLE_RATE
        if self._origin is None:
            self._origin = self._clock() - ago
            self._assembler.anchor = self._wall() - ago
            self._write_note()
        elif self._resumed:
            reason, self._resumed = self._resumed, None
            position = self._aligner.restart(max(0, self._elapsed() - round(ago * SAMPLE_RATE)), reason)
            self._ledger.add(
                CallResumed(
                    reason=reason,
                    stream_id=self.started.stream_id,
                    at=round(position / SAMPLE_RATE, 3),
                    uncovered=self.uncovered,
                )
            )
            self._heard = None
            self._write_note()
            self._commit()

    def _write_note(self) -> None:
        """What another process could not know from the log and the audio."""
        if self._audio:
            self._audio.write_note({"anchor": self._assembler.anchor, "heard": self._heard})

    def _keep_time(self, reason: EndReason) -> None:
        """While there is no stream: silence, so that Deepgram settles what was said, and nothing piles up."""
        if self._loop.time() >= self._grace_ends:
            self._tick = None
            self.end(reason)
            return
        self._aligner.advance(self._elapsed() - _LAG)
        self._forward(self._aligner.data_to_send())
        self._tick = self._loop.call_later(_TICK, self._keep_time, reason)

    def _stop_ticking(self) -> None:
        if self._tick:
            self._tick.cancel()
            self._tick = None

    def _forward(self, audio: bytes) -> None:
        if self._audio and audio:
            self._audio.append(audio)
        for start in range(0, len(audio), self._chunk):
            self._client.receive_audio(audio[start : start + self._chunk])
        if holes := self._aligner.events_received():
            for hole in holes:
                self._ledger.add(describe.audio_gap(hole))
            self._commit()

    async def _read_kept(self, start: int, samples: int) -> tuple[int, bytes]:
        """Audio that the session no longer holds: from where there is some."""
        if self._audio is None:
            return start, b""
        try:
            return await self._audio.read_on(start, samples)
        except StoreError as error:
            log.error("kept audio cannot be read", extra={"call_id": self.id, "reason": str(error)})
            return start, b""

    # Deepgram's side.

    def _receive_happening(self, happening: Happening) -> None:
        match happening:
            case Interrupted() | Resumed() | AudioLost():
                self._ledger.add(describe.session_news(happening))
            case Finished():
                self._finish(happening)
            case _:
                self._assembler.receive(happening)
                if self._audio and not self.uncovered:
                    self._audio.settle(self.session.settled)
        self._commit()

    def _finish(self, finished: Finished) -> None:
        assert self.reason  # `end` alone makes the session finish
        self._assembler.finish(retract=bool(self._audio and finished.uncovered))
        self._take_transcripts()
        duration = (self._aligner.position if self._heard is None else self._heard) / SAMPLE_RATE
        lacking = describe.stretches(finished.uncovered, duration)
        missing = describe.missing([*self.uncovered, *lacking])
        if self._audio:
            self.uncovered = [*self.uncovered, *lacking]
        else:
            for stretch in lacking:
                self._ledger.add(describe.gap(stretch, NOT_TRANSCRIBED))
        self._ledger.add(
            CallEnded(
                reason=self.reason,
                duration=round(duration, 3),
                ended_at=timestamp(self._wall()),
                flush="timed_out" if missing else "complete",
                missing=missing,
                uncovered=self.uncovered,
                counts=self.counts,
                # What is not transcribed yet was no silence.
                figures=self._tally and self._tally.figures(self._tally.heard if self.uncovered else duration),
                transcript_url=describe.transcript_url(self._policy.public_url, self.id),
            )
        )
        self._commit()
        self._ended.set()

    def _take_transcripts(self) -> None:
        for data in self._assembler.events_received():
            self._ledger.add(data)
            if self._tally and isinstance(data, TranscriptFinal):
                self._tally.add(data)

    def _commit(self) -> None:
        self._take_transcripts()
        self._ledger.commit()
