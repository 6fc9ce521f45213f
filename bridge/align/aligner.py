"""Both tracks of a call, aligned: whom to wait for and how long, and what may go out.

Positions are samples per channel since call time 0, which is the earliest media frame of the call's first stream.
Time is the newest timestamp. Audio goes out as far as both tracks have theirs. A track that lacks some is waited for
until the clock is `hold_ms` past it; a track that is idle, or has not started, is waited for one frame at most.

Every method may be called at any time: there is no order that a carrier could break.
"""

from collections import Counter
from math import inf

from bridge.align.clock import Clock, Stamped
from bridge.align.holes import Hole
from bridge.align.policy import AlignPolicy
from bridge.align.sequence import Sequence
from bridge.align.track import Frame, Track
from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, interleave
from bridge.carriers.messages import Media
from bridge.events import TRACKS, Cause

DEFAULT_POLICY = AlignPolicy()


class Aligner:
    """Feed `receive_media`, send `data_to_send`, tell `events_received`; `flush` at the end of a stream.

    Nothing a carrier sends makes it raise: what cannot be used is counted in `counters`, in frames unless said
    otherwise.

        late           came, or began, after silence had taken its place
        holes          silences in a started track, before they are merged into a `Hole`
        duplicate      came before
        stray          stamped so far off that it was not believed
        resets         times the carrier's clock leapt for good
        unknown_track  of no track we know
        empty          without audio
        overflow       too much that waits for what is missing before it
        after_end      came after `flush`
        trimmed        octets cut, and
        padded         octets of silence put in, as audio and timestamps did not agree
    """

    def __init__(self, policy: AlignPolicy = DEFAULT_POLICY, start: int = 0, heard: int | None = None) -> None:
        """In a call that others have begun: `start` is where its audio goes on, `heard` where it broke off; the next
        stream begins with `restart`.
        """
        self.counters: Counter[str] = Counter()
        self._policy = policy
        self._told: list[Hole] = []
        self._sequence = Sequence()
        self._pair = self._inbound, self._outbound = (
            Track(TRACKS[0], policy, self._sequence, self.counters, self._told, start, heard),
            Track(TRACKS[1], policy, self._sequence, self.counters, self._told, start, heard),
        )
        self._tracks = {track.name: track for track in self._pair}
        self._chunk = policy.chunk_ms * SAMPLES_PER_MS
        self._tolerance = policy.tolerance_ms * SAMPLES_PER_MS
        self._idle = policy.idle_ms * SAMPLES_PER_MS
        self._released = start
        self._ended = heard is not None
        self._clock = Clock(start, policy, self.counters)

    def __repr__(self) -> str:
        state = "ended" if self._ended else "running" if self._clock.running else "starting"
        counts = "".join(f", {count} {name}" for name, count in sorted(self.counters.items()))
        out = f"{self._released / SAMPLE_RATE:.3f} s out"
        return f"<Aligner {state}, {out}, {self._inbound!r}, {self._outbound!r}{counts}>"

    @property
    def position(self) -> int:
        """Samples per channel that went out so far."""
        return self._released

    @property
    def received(self) -> int:
        """Samples per channel from call time 0 to the end of the newest audio that has its place."""
        return max(self._inbound.next, self._outbound.next)

    def receive_media(self, media: Media) -> None:
        """Take a frame, whatever it is like."""
        name, at, sequence, payload = media
        track = self._tracks.get(name)
        clock = self._clock
        if track is not None and track.in_step and sequence == self._sequence.expected and not clock.strays:
            # Ninety-nine of a hundred frames end here.
            position = at * SAMPLES_PER_MS + clock.shift
            ahead = position - track.next
            if -self._tolerance < ahead < self._tolerance and position > track.last and payload:
                if sequence is not None:
                    self._sequence.expected = sequence + 1
                if position > clock.newest:
                    clock.newest = position
                track.append(position, sequence, payload)
                return
        self._receive_unusual(track, media)

    def data_to_send(self) -> bytes:
        """All audio that may go out now, in whole chunks: two channels of mu-law, interleaved, inbound first."""
        inbound, outbound = self._inbound.next, self._outbound.next
        ready = inbound if inbound < outbound else outbound
        if self._clock.newest - self._released >= self._chunk:
            ready = min(self._ready(self._inbound), self._ready(self._outbound))
        size = ready - self._released
        return self._release(size - size % self._chunk) if size >= self._chunk else b""

    def events_received(self) -> list[Hole]:
        """What there is to tell since the last call."""
        told = self._told.copy()
        self._told.clear()
        return told

    def flush(self) -> bytes:
        """The stream has ended: all audio that is left, the shorter channel padded. Ask for events after it."""
        self._end_stream()
        return self._release(self.received - self._released)

    def advance(self, position: int) -> None:
        """Between two streams, after `flush`: the call goes on in silence up to `position`."""
        for track in self._pair:
            track.fill(position)

    def restart(self, position: int, why: Cause = "carrier_reconnected") -> int:
        """Another stream of the same call begins, with a clock and numbers of its own; its earliest frame belongs at
        `position`, or behind the audio there is if that is later.

        Returns where that is. Up to there both channels are silent, which goes out at once; it becomes a `Hole` with
        this `why` as soon as the track goes on.
        """
        self._end_stream()
        position = max(position, self.received)
        self._clock = Clock(position, self._policy, self.counters)
        self._sequence = Sequence()
        for track in self._pair:
            track.begin_stream(self._sequence, position, why)
        self._ended = False
        return position

    def _receive_unusual(self, track: Track | None, media: Media) -> None:
        """Take a frame that is not simply the next one."""
        if self._ended:
            self.counters["after_end"] += 1
        elif track is None or not media.payload:
            self.counters["empty" if track else "unknown_track"] += 1
            self._note_sequence(media.sequence)
        else:
            frame = Stamped(track, media.at * SAMPLES_PER_MS, media.sequence, media.payload)
            self._place(self._clock.receive(frame, self.received))

    def _place(self, frames: list[Stamped]) -> None:
        clock = self._clock
        for track, stamp, sequence, payload in frames:
            position = stamp + clock.shift
            clock.newest = max(clock.newest, position)
            repeated = not self._note_sequence(sequence)
            track.receive(Frame(position, sequence, payload), clock.newest, repeated=repeated)

    def _note_sequence(self, sequence: int | None) -> bool:
        """False: this number came before."""
        return sequence is None or self._sequence.receive(sequence)

    def _ready(self, track: Track) -> int:
        """How far the output need not wait for a track any more."""
        newest = self._clock.newest
        idle = newest - track.heard > self._idle
        limit = newest if idle else newest - track.hold
        track.give_up(limit, newest)
        return max(track.next, limit)

    def _end_stream(self) -> None:
        """Nothing more will come of this stream: what waits takes its place, and both channels end together."""
        if self._ended:
            return
        self._ended = True
        self._place(self._clock.start(self.received))
        self._clock.drop_strays()
        for track in self._pair:
            track.give_up(inf, self._clock.newest)
        end = self._clock.newest = self.received
        for track in self._pair:
            track.end_stream(end, self._idle)

    def _release(self, size: int) -> bytes:
        """Let out the next `size` samples of each channel, silence for what is missing."""
        self._released += size
        for track in self._pair:
            track.fill(self._released)
            track.holes.reached(self._released)
        return interleave(self._inbound.take(size), self._outbound.take(size))
