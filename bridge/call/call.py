"""One call: wires its machines and shells together, and decides nothing.

Audio goes one way (stream, aligner, disk, session, Deepgram) and words come back the other (session, assembler, event
writer). What becomes of the call as its streams come and go is decided by `continuity`; here its commands are carried
out, and its timer is armed. The call is one record, which ends exactly once, or is left open for the next process.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from bridge.audio import SAMPLE_RATE, samples, seconds
from bridge.call import describe
from bridge.call.audio_path import AudioPath, open_path
from bridge.call.continuity import Ask, Begin, Continuity, Drop, End, Fill, Pause, Place
from bridge.call.control import Control, Reached
from bridge.call.keeping import Keeping
from bridge.call.note import Note
from bridge.call.projection import Projection
from bridge.call.record import Record
from bridge.call.services import Services
from bridge.call.states import OVER, State
from bridge.call.stream import Stream
from bridge.carriers.messages import Digit, Media, Started
from bridge.deepgram.configuring import Configured
from bridge.deepgram.exchange import AudioLost, Finished, Interrupted, Resumed, SessionEvent
from bridge.events import TRACKS, CallResumed, EndReason, Stretch, Track
from bridge.recognition import Result
from bridge.store.base import CallAudio

log = logging.getLogger("bridge.call")


class Call:
    """A call that is going on, or that waits for its stream."""

    def __init__(
        self,
        call_id: str,
        started: Started,
        services: Services,
        *,
        audio: CallAudio | None = None,
        continues: str | None = None,
        past: Projection | None = None,
    ) -> None:
        """`audio`: where the call's audio is kept. A new call begins its record, and connects to Deepgram at once;
        `continues`: the record of the same call before it. `past`: what the log says of a call that another process has
        begun; its stream is asked for and waited for.
        """
        self.id = call_id
        self.started = started
        self.counters: Counter[str] = Counter()
        self.reason: EndReason | None = None
        self.has_token = bool(past.started.get("stream_token")) if past else started.token is not None
        """Whether its first stream had a token; further streams must have one then."""
        self.streams: dict[int, Stream] = {}  # those that are here, by their numbers
        self._services = services
        self._clock = services.clock
        self._audio = audio
        self._options = services.options.of(call_id, past.parameters if past else started.parameters)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._continuity = Continuity(services.policy.continuity)
        self._path: AudioPath | None = None  # of a call that another process has begun only once its stream is here
        self._over = asyncio.Event()
        labels = services.policy.labels
        speakers = past.speakers if past else describe.speakers(started.direction, labels, started.speakers)
        language = describe.language(self._options)
        self._record = Record(call_id, speakers, language, services.store, self._clock, past, services.backlog)
        note = Note(tracks=past.tracks, silent=past.silent) if past else Note()
        self._keeping = Keeping(audio, note, self._record)
        self.control = Control(self._record, services.policy.keys, self._options, past, self._reached, self.end)
        """What people ask of the call."""
        if past:
            self._adopt(past)
        else:
            self._continuity.begin(self._clock.now())
            self._path = self._open_path(0)
            self._record.begin(started, speakers, continues)

    def __repr__(self) -> str:
        return f"<Call {self.id} {self._continuity!r} {self._record!r} {dict(self.counters)} {self._path!r}>"

    @property
    def counts(self) -> dict[str, int]:
        """What has happened so far, as `call.ended` tells it."""
        path = self._path.counters if self._path else Counter()
        return dict(+(self._record.events.counters + self.counters + path))

    @property
    def uncovered(self) -> list[Stretch]:
        """Kept audio that is left for later; complete when the call is over."""
        return self._record.uncovered

    @property
    def waiting(self) -> bool:
        """Whether there is no stream now, and one may come."""
        return self._continuity.waiting

    @property
    def interrupted(self) -> bool:
        """Whether Deepgram does not hear the call at this moment."""
        return self._path is not None and self._path.client.session.interruption is not None

    @property
    def unkept(self) -> int:
        """Events that the store has not taken, or has refused."""
        return self._record.events.waiting + self._record.events.unkept

    # The carrier's side.

    def attach(self, started: Started) -> Stream:
        """A stream of this call is here."""
        self.counters["streams"] += 1
        stream = Stream(self, self.counters["streams"], started.stream_id, describe.tracks(started))
        self.streams[stream.number] = stream
        if stream.number > 1:
            log.info("further stream", extra={"call_id": self.id, "stream_id": stream.id})
        self._continuity.attach(stream.number, stream.tracks)
        self._obey()
        return stream

    def receive_media(self, frames: Sequence[Media], stream: Stream) -> int:
        """The hot path: the frames of one read, at least one. Returns how many more are lacking."""
        now = self._clock.now()
        if stream.source is None:
            self._continuity.receive_first(stream.number, len(frames[0].payload), stream.late, now)
            self._obey()
        assert self._path and stream.source
        lacking = self._path.receive_media(frames, stream.source, now)
        self._tell_gaps()
        return lacking

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""
        self.control.press(digit, self._path.position if self._path else 0)

    def fail_stream(self, stream_id: str | None, error: str) -> None:
        """The carrier says that a stream of this call went wrong."""
        self._record.complain(stream_id, error)

    def end_stream(self, stream: Stream, reason: EndReason, bad_messages: int) -> None:
        """No more comes of a stream."""
        self.counters["bad_messages"] += bad_messages
        if reason == "stopped":
            self._continuity.stop(stream.number)
        else:
            log.warning("stream lost", extra={"call_id": self.id, "stream_id": stream.id, "reason": reason})
            self.counters["streams_lost"] += 1
            self._continuity.lose(stream.number, reason, self._received, self._clock.now())
        self._obey()

    # The process's side.

    def end(self, reason: EndReason) -> None:
        """No more audio comes. The last words are waited for; `wait_over` tells when they are in."""
        self._continuity.end(reason)
        self._obey()

    def leave(self) -> None:
        """The process is about to stop: ask for the last words so far. What still comes is kept."""
        if self._continuity.state in OVER:
            return
        self._continuity.leave()
        self._arm_timer()
        if self._path:
            self._path.finish(cut=True)

    def let_go(self) -> None:
        """The process stops: wait for no more words. A call that was left stays open for the next process."""
        if self._continuity.state is State.LEAVING:
            self._release_streams()
            self._continuity.let_go(self._received)
        if self._path:
            self._path.abort()
        self._conclude()

    async def wait_heard(self) -> None:
        """Until Deepgram's last words are in, after `leave` or `end`."""
        if self._path:
            await self._path.client.wait_ended()

    async def wait_over(self) -> None:
        """Until everything is durable, and the kept audio is closed, or gone if no one needs it."""
        await self._over.wait()
        await self.wait_heard()
        await self._record.events.written()
        for task in self._asking:
            task.cancel()
        log.info("call over", extra={"call_id": self.id, "reason": self.reason, "seq": self._record.events.seq})
        if self.reason is None:
            silent = self._path.aligner.silent_since if self._path else None
            self._keeping.leave(silent, self._continuity.heard)
        else:
            await self._keeping.finish()

    # What the continuity asks for.

    def _obey(self) -> None:
        for command in self._continuity.data_to_send():
            match command:
                case Begin(ago):
                    self._record.anchor = self._clock.wall() - ago
                case Place():
                    self._place(self.streams[command.stream], command)
                case Drop(number):
                    self._drop(self.streams.pop(number))
                case Fill(position) if self._path:
                    self._path.fill(position)
                case Pause() if self._path:
                    self._path.pause()
                case Ask(tracks):
                    self._ask(tracks)
                case End(reason):
                    self._end(reason)
        self._tell_gaps()
        self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        due = self._continuity.get_timer()
        self._timer = None if due is None else self._loop.call_later(max(0.0, due - self._clock.now()), self._wake)

    def _wake(self) -> None:
        self._continuity.handle_timer(self._clock.now(), self._received)
        self._obey()

    def _place(self, stream: Stream, place: Place) -> None:
        position = place.position
        if self._path is None:
            # The wall clock may have been set back between two processes: what is kept is never written over.
            position = max(position, place.heard or 0, self._keeping.end)
            self._path = self._open_path(position, place.heard)
        stream.source, position = self._path.open_stream(position, place.resumed or "carrier_reconnected")
        self._keeping.add_tracks(stream.tracks, self._continuity.heard)
        if place.resumed:
            at, uncovered = seconds(position), self.uncovered
            self._record.tell(CallResumed(reason=place.resumed, stream_id=stream.id, at=at, uncovered=uncovered))

    def _drop(self, stream: Stream) -> None:
        stream.release()
        if self._path and stream.source:
            self._path.end_stream(stream.source)
            self._keeping.write(self._continuity.heard)

    def _ask(self, tracks: tuple[Track, ...]) -> None:
        self._asking.add(task := asyncio.create_task(self._ask_carrier(tracks)))
        task.add_done_callback(self._asking.discard)

    async def _ask_carrier(self, tracks: tuple[Track, ...]) -> None:
        if await self._services.ask_for_stream(self.id, self.started, tracks):
            self.counters["streams_asked_for"] += 1
        else:
            self._continuity.ask_refused(self._clock.now())
            self._arm_timer()

    def _end(self, reason: EndReason) -> None:
        self.reason = reason
        self._release_streams()
        self.control.end(self._duration)
        if self._path:
            self._path.finish()
        self._conclude()

    def _release_streams(self) -> None:
        for stream in self.streams.values():
            stream.release()
        if self._path:
            self._path.flush()
        self._tell_gaps()

    # Deepgram's side.

    def _open_path(self, start: int, heard: int | None = None) -> AudioPath:
        """From `start` on; `heard`: where the audio of another process ended. In samples since call time 0."""
        broke_off = {} if heard is None else dict.fromkeys(TRACKS, heard) | self._keeping.note.silent
        pauses, options = self.control.pauses, self._options
        path = open_path(self.id, self._services, options, self._audio, self._receive, start, broke_off, pauses)
        self.control.connect(path.client)
        return path

    def _receive(self, event: SessionEvent) -> None:
        match event:
            case Interrupted() | Resumed():
                self._record.tell(describe.session_news(event))
            case AudioLost(channel, span, why):
                lost = describe.stretches((channel, part) for part in self.control.pauses.outside(span))
                self._record.tell(*(describe.gap(stretch, why) for stretch in lost))
            case Configured():
                self.control.configured(event)
            case Finished():
                assert self._path
                self._path.finished = event
                self._record.requests, self._record.latency = self._path.requests, self._path.latency
                self._conclude()
            case _:
                self._record.receive(event)
                if isinstance(event, Result) and event.is_final and self._path:
                    settled, holes = self._path.client.session.settled, self._path.holes
                    self._keeping.settle(settled, holes, self._continuity.heard)

    # The end.

    def _conclude(self) -> None:
        """Close the record, or leave it open, once neither the streams nor Deepgram have more to say."""
        if self._over.is_set() or self._continuity.state not in OVER or (self._path and not self._path.finished):
            return
        lacking = self._path.lacking(self._duration) if self._path else []
        missing = describe.missing([*self.uncovered, *lacking])
        self._record.close(lacking, kept=self._keeping.keeps, turns=self.reason is not None)
        if self.reason:
            self._record.end(self.reason, self._duration, self.counts, missing, self._services.policy.public_url)
        self._over.set()

    @property
    def _duration(self) -> int:
        """Samples from call time 0 to the end of what the carrier sent."""
        if self._continuity.heard is not None:
            return self._continuity.heard
        return self._path.position if self._path else 0

    @property
    def _received(self) -> int:
        return self._path.aligner.received if self._path else 0

    def _reached(self) -> Reached:
        elapsed = self._continuity.elapsed(self._clock.now())
        if self._path is None:  # nothing has come to this process
            heard = self._continuity.heard or 0
            return Reached(heard, heard, elapsed)
        return Reached(self._path.aligner.placed, self._received, elapsed)

    def _adopt(self, past: Projection) -> None:
        """Go on with another process's call, as soon as a stream of it is here."""
        now = self._clock.now()
        heard = samples(past.latest)
        # The wall clock may have been set back since: no stream of the call is placed where there is audio already.
        least = max(heard, self._keeping.end) / SAMPLE_RATE
        origin = now - max(self._clock.wall() - self._record.anchor, least)
        self._continuity.adopt(origin, heard, self._keeping.note.tracks or TRACKS, now)
        self._loop.call_soon(self._obey)

    def _tell_gaps(self) -> None:
        if self._path and (gaps := self._path.gaps()):
            self._record.tell(*(part for gap in gaps for part in describe.audio_gaps(gap, self.control.pauses.outside)))
