"""Both tracks of a call, aligned: which track to wait for and how long, and what may go out.

Positions are samples per channel since call time 0, which is the earliest media frame of the call's first stream.
Time is the newest timestamp. Audio goes out as far as both tracks have theirs. A track that lacks some is waited for
until the clock is `hold_ms` past it, or `apart_ms` where each track has a stream of its own; a track that is idle, or
has not started, is not waited for.

A call may have several streams at once, each with a clock and numbers of its own. A track is heard from one of them;
the frames that another stream has of it are spared for the moment in which the first one fails (`rivals`).

Every method may be called at any time: there is no order that a carrier could break.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import inf

from bridge.align.clock import Clock, Stamped
from bridge.align.gaps import Gap
from bridge.align.leaps import Leaps
from bridge.align.policy import AlignPolicy
from bridge.align.source import FARTHEST, Source
from bridge.align.sources import Sources
from bridge.align.track import Frame, Track
from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, interleave
from bridge.carriers.messages import Media
from bridge.events import TRACKS, Cause
from bridge.events import Track as Direction

DEFAULT_POLICY = AlignPolicy()


class Aligner:
    """`open_stream`, feed `receive`, send `data_to_send`, tell `events_received`; `end_stream`, and `flush` when
    there is no stream left.

    Nothing a carrier sends makes it raise: what cannot be used is counted in `counters`, in frames unless said
    otherwise.

        late           came, or began, after silence had taken its place
        holes          silences in a started track, before they are merged into a `Gap`
        duplicate      came before
        rival          of a track that is heard from another stream
        handed_over    times a track went on with another stream's frames
        stray          stamped so far off that it was not believed
        resets         times the carrier's clock leapt for good
        unknown_track  of no track we know
        empty          without audio
        overflow       too much that waits for what is missing before it
        after_end      came after the stream's end
        trimmed        octets cut, and
        padded         octets of silence put in, as audio and timestamps did not agree
    """

    def __init__(
        self, policy: AlignPolicy = DEFAULT_POLICY, start: int = 0, heard: Mapping[Direction, int] | None = None
    ) -> None:
        """In a call that another process has begun: `start` is where its audio goes on, `heard` where each track's
        broke off."""
        heard = heard or {}
        self.counters: Counter[str] = Counter()
        self._policy = policy
        self._told: list[Gap] = []
        self._pair = self._inbound, self._outbound = (
            Track(TRACKS[0], policy, self.counters, self._told, start, heard.get(TRACKS[0])),
            Track(TRACKS[1], policy, self.counters, self._told, start, heard.get(TRACKS[1])),
        )
        self._tracks: dict[str, Track] = {track.name: track for track in self._pair}
        self._chunk = policy.chunk_ms * SAMPLES_PER_MS
        self._tolerance = policy.tolerance_ms * SAMPLES_PER_MS
        self._idle = policy.idle_ms * SAMPLES_PER_MS
        self._hold = policy.hold_ms * SAMPLES_PER_MS
        self._apart = policy.apart_ms * SAMPLES_PER_MS
        self._released = start
        self._newest = start
        self._leaps = Leaps(policy.ahead_ms * SAMPLES_PER_MS)
        self._sources = Sources(self.counters, self._apart)
        self._opening: list[Source] = []  # streams whose first frames are looked at, or were until a moment ago
        self._out: list[bytes] = []  # what may go out, and has not been asked for

    def __repr__(self) -> str:
        counts = "".join(f", {count} {name}" for name, count in sorted(self.counters.items()))
        out = f"{self._released / SAMPLE_RATE:.3f} s out"
        return f"<Aligner {len(self._sources)} streams, {out}, {self._inbound!r}, {self._outbound!r}{counts}>"

    @property
    def position(self) -> int:
        """Samples per channel that went out so far."""
        return self._released

    @property
    def received(self) -> int:
        """Samples per channel from call time 0 to the end of the newest audio that has its place."""
        return max(self._inbound.next, self._outbound.next)

    @property
    def placed(self) -> int:
        """Samples per channel up to which both tracks have their audio: what is still to come is after this."""
        return min(self._inbound.next, self._outbound.next)

    @property
    def streams(self) -> int:
        """How many there are."""
        return len(self._sources)

    @property
    def silent_since(self) -> dict[Direction, int]:
        """Where the audio of each track ended that is silent now; what that silence is will be told when it goes on."""
        return {track.name: since for track in self._pair if (since := track.silent_since) is not None}

    def open_stream(self, position: int, why: Cause = "carrier_reconnected") -> tuple[Source, int]:
        """A stream of the call begins, with a clock and numbers of its own; its earliest frame belongs at `position`.

        Returns the stream, to be given back with its frames, and where that is. With no other stream there it may be
        later, after the audio there is; up to it both channels are silent, which goes out at once. A track's silence
        becomes a `Gap` with this `why` as soon as the track goes on.
        """
        if not self._sources:
            position = max(position, self.received)
            for track in self._pair:
                track.fill(position)
            self._newest = position
        source = Source(Clock(position, self._policy, self.counters), why)
        self._sources.add(source)
        self._opening.append(source)
        return source, position

    def join(self, shift: int, heard: Collection[Direction]) -> Source:
        """The first stream of a call that another process has heard up to `start`, which goes on there without a break.

        `shift`: what to add to its stamps to get samples of the call. `heard`: the tracks that end in audio there; what
        comes of them follows that octet for octet.
        """
        source = Source(Clock(self._released, self._policy, self.counters, shift), "bridge_restarted")
        self._sources.add(source)
        for track in self._pair:
            if track.name in heard:
                self._sources.join(track, source)
        return source

    def cut(self) -> None:
        """Another process goes on at `position`, where both tracks have their audio: what there is after it is its to
        hear. Ask for events after it."""
        for track in self._pair:
            track.gaps.tell()

    def receive(self, frames: Sequence[Media], source: Source, now: float | None = None) -> None:
        """Take the frames that one read of a stream has brought, whatever they are like.

        However the frames are cut into reads, what goes out is the same. `now`: the time in seconds, beyond which no
        timestamps leap; None, as of a recording: they leap as they like.
        """
        place = self._receive_usual(frames, source)
        while place < len(frames):
            self._settle()  # what went out before it is beyond its reach
            if now is not None:
                self._leaps.pass_time(now)
            self._receive_unusual(frames[place], source)
            self._settle()
            place = self._receive_usual(frames, source, place + 1)

    def _receive_usual(self, frames: Sequence[Media], source: Source, place: int = 0) -> int:
        """Take frames from one of them on that are simply the next of their tracks, as ninety-nine of a hundred are.
        Returns the place of the first that is not."""
        clock, numbers, tolerance = source.clock, source.sequence, self._tolerance
        if clock.strays:
            return place
        shift, newest, expected = clock.shift, clock.newest, numbers.expected
        tracks: dict[str, Track] = {
            track.name: track for track in self._pair if track.in_step and track.sequence is numbers
        }
        for name, at, number, payload in frames[place:] if place else frames:
            track = tracks.get(name)
            if track is None or number != expected:
                break
            position = at * SAMPLES_PER_MS + shift
            if not (-tolerance < position - track.next < tolerance and position > track.last and payload):
                break
            if number is not None:
                expected = number + 1
            if position > newest:
                newest = position
            track.append(position, number, payload)
            place += 1
        numbers.expected = expected
        if newest > clock.newest:
            clock.newest = newest
            self._newest = max(self._newest, newest)
        return place

    def lacking(self, source: Source, size: int) -> int:
        """How many more frames of a stream, of `size` samples each, complete the next chunk. 0: the next may let audio
        out, or a gap is waited for.
        """
        end, idle, frames = self._released + self._chunk, self._newest - self._idle, 0
        for track in self._pair:
            if track.sequence is not source.sequence or track.heard < idle:  # of another stream, or idle
                continue
            if not track.in_step or track.next >= end or not size:
                return 0
            frames += -(-(end - track.next) // size)
        return frames

    def data_to_send(self) -> bytes:
        """All audio that may go out now, in whole chunks: two channels of mu-law, interleaved, inbound first."""
        self._settle()
        return self._take()

    def _take(self) -> bytes:
        if len(self._out) == 1:
            return self._out.pop()
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _settle(self) -> None:
        """Let out what may go out by now, in whole chunks."""
        inbound, outbound, newest, chunk = self._inbound, self._outbound, self._newest, self._chunk
        ready, most = inbound.next, outbound.next
        if most < ready:
            ready, most = most, ready
        end = self._released + chunk
        # Where both tracks are in step nothing waits; and there is no other chunk than this one.
        simple = ready >= end > max(most, newest) - chunk and inbound.in_step and outbound.in_step
        if newest >= end and not simple:
            ready = min(self._ready(inbound), self._ready(outbound))
        if self._opening:
            ready = self._until_open(ready)
        size = ready - self._released
        if size >= chunk:
            self._out.append(self._release(size - size % chunk))

    @property
    def has_events(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._told)

    def events_received(self) -> list[Gap]:
        """What there is to tell since the last call."""
        told = self._told.copy()
        self._told.clear()
        return told

    def end_stream(self, source: Source) -> None:
        """Nothing more will come of this stream: what waits takes its place, and its rivals go on. After the last one
        both channels end together.
        """
        if source not in self._sources:
            return
        self._place(source, source.clock.start(self.received, self._farthest))
        source.clock.drop_strays()
        self._sources.remove(source, self._newest)
        if not self._sources:
            end = self._newest = self.received
            for track in self._pair:
                track.end_stream(end, self._idle)

    def flush(self) -> bytes:
        """There is no stream any more: all audio that is left, the shorter channel padded. Ask for events after it."""
        for source in list(self._sources):
            self.end_stream(source)
        self._out.append(self._release(self.received - self._released))
        return self._take()

    def advance(self, position: int) -> None:
        """Nothing comes, or there is no stream: the call goes on in silence up to `position`.

        What a stream has held back and sends after all is not lost: it follows the silence.
        """
        for track in self._pair:
            track.give_up(inf, self._newest)
            track.fill(position)
        self._newest = max(self._newest, position)
        for source in self._sources:
            source.clock.advance(position)

    def _receive_unusual(self, media: Media, source: Source) -> None:
        """Take a frame that is not simply the next one."""
        track = self._tracks.get(media.track)
        if source not in self._sources:
            self.counters["after_end"] += 1
        elif track is None or not media.payload:
            self.counters["empty" if track else "unknown_track"] += 1
            _note_sequence(source, media.sequence)
        else:
            frame = Stamped(track, media.at * SAMPLES_PER_MS, media.sequence, media.payload)
            self._place(source, source.clock.receive(frame, self.received, self._farthest))

    @property
    def _farthest(self) -> float:
        return self._leaps.farthest(max(self._newest, self.received) + self._tolerance)

    def _place(self, source: Source, frames: list[Stamped]) -> None:
        clock = source.clock
        for track, stamp, sequence, payload in frames:
            repeated = not _note_sequence(source, sequence)
            heard_from = self._sources.hear(track, source)
            if track.shared:
                self._sources.put_in_step(track, source, Frame(stamp + clock.shift, sequence, payload))
            frame = Frame(stamp + clock.shift, sequence, payload)
            clock.newest = max(clock.newest, frame.position)
            # Where a rival's frames belong may be told too late by so much, before both have had the same frame.
            trusted = heard_from is source or source.in_step
            reached = frame.position - (0 if trusted else FARTHEST)
            self._leaps.take(reached - max(self._newest, self.received))
            self._newest = max(self._newest, reached)
            if heard_from is source:
                track.receive(frame, self._newest, repeated=repeated)
            else:
                self.counters["rival"] += 1

    def _ready(self, track: Track) -> int:
        """How far the output need not wait for a track any more."""
        limit = self._wait_until(track)
        if track.shared and limit > track.next and self._sources.stand_in(track, self._newest):
            limit = self._wait_until(track)
        track.give_up(limit, self._newest)
        return max(track.next, limit)

    def _until_open(self, ready: int) -> int:
        """How far of what is ready need not wait for streams whose first frames are looked at: they are to find their
        place free. One that sends no more than these is not waited for any longer."""
        self._opening = [source for source in self._opening if source in self._sources and not source.clock.running]
        for source in self._opening:
            start = source.clock.start_position
            ready = min(ready, start if self._newest - start <= 2 * self._hold else self._newest)
        return ready

    def _wait_until(self, track: Track) -> int:
        """Before this position a track is not waited for: it is idle, has no stream, or has had its time."""
        newest, source = self._newest, self._sources.heard_from(track)
        if source is None:
            return newest
        alone = self._sources.may_stall_alone(track, source)
        if newest - track.heard > (self._apart if alone else self._idle):
            return newest
        return max(source.clock.newest - track.hold, newest - (self._apart if alone else track.hold))

    def _release(self, size: int) -> bytes:
        """Let out the next `size` samples of each channel, silence for what is missing."""
        self._released += size
        return interleave(self._inbound.take(self._released), self._outbound.take(self._released))


def _note_sequence(source: Source, number: int | None) -> bool:
    """False: this number came before."""
    return number is None or source.sequence.receive(number)
