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
from bridge.call.asking import Asking
from bridge.call.audio_path import AudioPath
from bridge.call.continuity import Ask, Begin, Continuity, Drop, End, Fill, Pause, Place
from bridge.call.control import Control, Reached
from bridge.call.hearing import Hearing
from bridge.call.keeping import Keeping
from bridge.call.note import Note
from bridge.call.overlap import TAIL, Overlap, after
from bridge.call.projection import Projection
from bridge.call.services import Services
from bridge.call.states import OVER
from bridge.call.stream import Leads, Stream
from bridge.carriers.messages import Digit, Media, Started
from bridge.events import TRACKS, EndReason, Stretch, Track
from bridge.store.kept import CallAudio, Left

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
        came: float | None = None,
        past: Projection | None = None,
    ) -> None:
        """`audio`: where the call's audio is kept. A new call begins its record, and connects to Deepgram at once;
        `continues`: the record of the same call before it, `came`: when its stream did. `past`: what the log says of a
        call that another process has begun; its stream is asked for and waited for."""
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
        self.asking = Asking(services, call_id, started, self.counters, self._ask_again, past.streams if past else ())
        self.continuity = Continuity(services.policy.continuity)
        self._over = asyncio.Event()
        self._record = services.open_record(call_id, started, describe.language(self._options), past)
        note = Note(tracks=past.tracks, silent=past.silent, resumed=past.resumed) if past else Note(resumed=0)
        self._keeping = Keeping(audio, note, self._record)
        self._handed = past.handed if past else None
        self._heard: int | None = None  # how far another process has heard the call, where the clock tells
        self.control = Control(self._record, services.policy.keys, self._options, past, self._reached, self.end)
        """What people ask of the call."""
        whose = call_id, services, self._options, audio, self._record, self._keeping, self.control
        self._hearing = Hearing(*whose, lambda: self.continuity.heard, self._conclude)
        if past:
            self._adopt(past)
        else:
            self.continuity.begin(self._clock.now())
            self._hearing.open(0)
            self._record.begin(started, continues, services.named(call_id, started, self.counters), came)

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.continuity!r} {self._record!r} {dict(self.counters)} {self._path!r}>"

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
        self.asking.attach(stream.id)
        self.continuity.attach(stream.number, stream.tracks)
        self._obey()
        return stream

    def join(self, frames: Sequence[Media], stream: Stream, leads: Leads) -> Sequence[Media]:
        """The first frames of a stream, before `receive_media`: without what another process has heard, which this one
        goes on with."""
        (handed, self._handed), lead = (self._handed, None), leads.least
        now, wall = self._clock.now(), self._clock.wall()
        seam = handed.join(frames, lead + wall - now) if handed and self._path is None else None
        if handed is None or seam is None:
            heard = None if self._path else self._heard
            return after(heard, frames, self.continuity.elapsed(leads.first)) if heard else frames
        end = handed.tail.end
        log.info("call joined", extra={"call_id": self.id, "tracks": list(seam.sure)})
        self.continuity.join(stream.number, lead - seam.shift / SAMPLE_RATE, end, now)
        path = self._hearing.open(end, end, handed.covered)
        stream.source = path.join(
            seam.shift, [track for track in stream.tracks if track not in self._keeping.note.silent]
        )
        self._keeping.add_tracks(stream.tracks, None, "handed_over")
        self._record.join(stream.id, seconds(min(handed.covered)), handed.uncovered)
        self._arm_timer()
        return seam.frames

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Those of all its streams so far; none: both."""
        return self._keeping.note.tracks

    def share(self) -> Overlap | None:
        """Another process is to hear the call, too; None: this one hears nothing of it."""
        path = None if self.continuity.state in OVER else self._path
        self._keeping.tail = TAIL
        return path.share(self._clock.wall() - self._clock.now()) if path else None

    def receive_media(self, frames: Sequence[Media], stream: Stream) -> int:
        """The hot path: the frames of one read, at least one. Returns how many more are lacking."""
        now = self._clock.now()
        if stream.source is None:
            self.continuity.receive_first(stream.number, len(frames[0].payload), stream.late, now)
            self._obey()
        path = self._hearing.path
        assert path and stream.source
        lacking = path.receive_media(frames, stream.source, now)
        if path.aligner.has_events:
            self._tell_gaps()
        return lacking

    def receive_digit(self, digit: Digit) -> None:
        """A key was pressed."""
        self.control.press(digit, self._path.position if self._path else 0)

    def fail_stream(self, stream_id: str | None, error: str) -> None:
        """The carrier says that a stream of this call went wrong."""
        self._record.complain(stream_id, error)
        self.asking.complain(stream_id)

    def end_stream(self, stream: Stream, reason: EndReason, bad_messages: int) -> None:
        """No more comes of a stream."""
        self.counters["bad_messages"] += bad_messages
        if reason == "stopped":
            self.continuity.stop(stream.number)
        else:
            log.warning("stream lost", extra={"call_id": self.id, "stream_id": stream.id, "reason": reason})
            self.counters["streams_lost"] += 1
            self.continuity.lose(stream.number, reason, self._received, self._clock.now())
        self._obey()

    # The process's side.

    def end(self, reason: EndReason) -> None:
        """No more audio comes. The last words are waited for; `wait_over` tells when they are in."""
        self.continuity.end(reason)
        self._obey()

    def leave(self) -> None:
        """The process is about to stop: ask for the last words so far. What still comes is kept."""
        if self.continuity.state in OVER:
            return
        self.continuity.leave()
        self._arm_timer()
        if self._path:
            self._path.finish(cut=True)

    def let_go(self) -> None:
        """The process stops: wait for no more words. A call that was left stays open for the next process."""
        if self.continuity.leaving:
            self._release_streams()
            self.continuity.let_go(self._received)
        if self._path:
            self._path.abort()
        self._conclude()

    async def wait_heard(self) -> None:
        """Until Deepgram's last words are in, after `leave` or `end`."""
        if self._path:
            await self._path.client.wait_ended()

    async def wait_over(self) -> Left | None:
        """Until everything is durable, and the kept audio is closed, or gone if no one needs it. Of a call that was
        left: what a process gets that cannot reach this disk."""
        await self._over.wait()
        await self.wait_heard()
        await self._record.events.written()
        self.asking.cancel()
        log.info("call over", extra={"call_id": self.id, "reason": self.reason, "seq": self._record.events.seq})
        if self.reason is not None:
            await self._keeping.finish()
            return None
        silent, clock = (self._path.aligner.silent_since, self._path.clock) if self._path else (None, None)
        away = self._services.store.hand_overs is not None
        return await self._keeping.leave(silent, self.continuity.heard, clock, away=away)

    # What the continuity asks for.

    def _obey(self) -> None:
        for command in self.continuity.data_to_send():
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
                    self.asking.ask(tracks)
                case End(reason):
                    self._end(reason)
        self._tell_gaps()
        self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        due = self.continuity.get_timer()
        self._timer = None if due is None else self._loop.call_later(max(0.0, due - self._clock.now()), self._wake, due)

    def _wake(self, due: float) -> None:
        self.continuity.handle_timer(max(due, self._clock.now()), self._received, due)  # the loop may be early
        self._obey()

    def _place(self, stream: Stream, place: Place) -> None:
        position = place.position
        if (path := self._path) is None:
            # The wall clock may have been set back between two processes: what is kept is never written over.
            position = max(position, place.heard or 0, self._keeping.end)
            path = self._hearing.open(position, place.heard)
        stream.source, position = path.open_stream(position, place.resumed or "carrier_reconnected")
        self._keeping.add_tracks(stream.tracks, self.continuity.heard, place.resumed)
        if place.resumed:
            self._record.resume(place.resumed, stream.id, seconds(position), path.unheard(self.tracks))

    def _drop(self, stream: Stream) -> None:
        stream.release()
        if self._path and stream.source:
            self._path.end_stream(stream.source)
            self._keeping.write(self.continuity.heard)

    def _ask_again(self, failed: bool) -> None:
        (self.continuity.ask_failed if failed else self.continuity.ask_refused)(self._clock.now())
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
            stream.release(lost=self.reason == "bridge_restarted")
        if self._path:
            (self._path.leave if self.continuity.leaving else self._path.flush)()
        self._tell_gaps()

    # The end.

    def _conclude(self) -> None:
        """Close the record, or leave it open, once neither the streams nor Deepgram have more to say."""
        if self._over.is_set() or self.continuity.state not in OVER or (self._path and not self._path.finished):
            return
        lacking = self._path.lacking(self._duration) if self._path else []
        missing = describe.missing([*self.uncovered, *lacking])
        self._record.close(lacking, kept=self._keeping.keeps, turns=self.reason is not None)
        if self.reason:
            self._record.end(self.reason, self._duration, self.counts, missing, self._services.policy.public_url)
        self._over.set()

    @property
    def _path(self) -> AudioPath | None:
        return self._hearing.path

    @property
    def _duration(self) -> int:
        """Samples from call time 0 to the end of what the carrier sent."""
        heard = self.continuity.heard
        return heard if heard is not None else self._path.position if self._path else 0

    @property
    def _received(self) -> int:
        return self._path.aligner.received if self._path else 0

    def _reached(self) -> Reached:
        elapsed = self.continuity.elapsed(self._clock.now())
        heard = self.continuity.heard or 0
        if self._path is None:  # nothing has come to this process
            return Reached(heard, heard, elapsed)
        return Reached(self._path.aligner.placed, self._received, elapsed)

    def _adopt(self, past: Projection) -> None:
        """Go on with another process's call, as soon as a stream of it is here."""
        now = self._clock.now()
        heard = samples(past.latest)
        # The wall clock may have been set back since: no stream of the call is placed where there is audio already.
        least = max(heard, self._keeping.end) / SAMPLE_RATE
        since = self._clock.wall() - self._record.anchor
        origin, self._heard = now - max(since, least), heard if since > least else None
        self._record.adopt(past)
        self.continuity.adopt(origin, heard, self._keeping.note.tracks or TRACKS, now)
        self._loop.call_soon(self._obey)

    def _tell_gaps(self) -> None:
        if self._path and (gaps := self._path.gaps()):
            self._record.tell(*(part for gap in gaps for part in describe.audio_gaps(gap, self.control.pauses.outside)))
