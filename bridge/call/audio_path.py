"""The way of a call's audio: the streams' frames are aligned, kept on the disk, and handed to Deepgram.

No step waits for the next, so nothing after it can slow the reading of the carrier's socket. After `finish` Deepgram
is handed nothing more, but what still comes is kept, to be transcribed from the disk.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from bridge.align import Aligner, Gap
from bridge.align.source import Source
from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS, AudioFormat
from bridge.call import describe
from bridge.call.overlap import Overlap
from bridge.call.pauses import Pauses
from bridge.call.services import Services
from bridge.carriers.messages import Media
from bridge.deepgram.client import Client, FetchAudio
from bridge.deepgram.exchange import Finished, SessionEvent, Uncovered
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.mono import AnyClient, dialect_of, open_clients
from bridge.deepgram.options import Options
from bridge.deepgram.session import Session
from bridge.errors import StoreError
from bridge.events import TRACKS, Cause, Latency, Request, Stretch, Track
from bridge.spans import Span
from bridge.store.kept import CallAudio
from bridge.vosk.messages import Vosk

log = logging.getLogger("bridge.call")


class AudioPath:
    """Positions are samples since call time 0."""

    def __init__(
        self, aligner: Aligner, client: AnyClient, audio: CallAudio | None, chunk_ms: int, pauses: Pauses | None = None
    ) -> None:
        """`audio`: where the call's audio is kept. `chunk_ms`: milliseconds of audio in a message to Deepgram.
        `pauses`: what goes out of none of them."""
        self.aligner = aligner
        self.client = client
        self.finished_at: int | None = None
        """Where the audio ended that Deepgram was handed."""
        self.finished: Finished | None = None
        """What the session said at its end."""
        self.overlap: Overlap | None = None
        """What is heard while another process hears the call, too."""
        self.clock: float | None = None
        """As the note's, once the process has let go of the call."""
        self._audio = audio
        self._pauses = pauses or Pauses()
        self._written = 0  # of the audio that is kept, as far as memory was told
        self._chunk = chunk_ms * SAMPLES_PER_MS * CHANNELS

    def __repr__(self) -> str:
        return f"<AudioPath {self.aligner!r} {self.client!r}>"

    @property
    def position(self) -> int:
        """Where the audio ends that went out."""
        return self.aligner.position

    @property
    def counters(self) -> Counter[str]:
        """What the audio was like, and how the session with Deepgram went."""
        return self.aligner.counters + Counter(self.client.session.journal.counts)

    @property
    def requests(self) -> list[Request]:
        """The sockets to Deepgram."""
        return [describe.request(each) for each in self.client.session.journal.requests]

    @property
    def latency(self) -> Latency | None:
        """How far Deepgram lagged behind."""
        return describe.latency(self.client.session.latency)

    def open_stream(self, position: int, why: Cause) -> tuple[Source, int]:
        """As the aligner's; what silence there is before it goes out at once."""
        source, position = self.aligner.open_stream(position, why)
        self._forward(self.aligner.data_to_send())
        return source, position

    def unheard(self, tracks: Collection[Track]) -> list[Stretch]:
        """What no stream has brought of these tracks, up to where their audio ends: told as a track goes on."""
        silent, end = self.aligner.silent_since, self.aligner.received
        spans = [(TRACKS.index(track), Span(since, end)) for track, since in silent.items() if track in tracks]
        return describe.stretches(self._heard(spans))

    def join(self, shift: int, heard: Collection[Track]) -> Source:
        """As the aligner's."""
        return self.aligner.join(shift, heard)

    def receive_media(self, frames: Sequence[Media], source: Source, now: float | None = None) -> int:
        """The hot path, with what one read has brought. `now`: as the aligner's. Returns how many more frames like the
        last of these are lacking, as the aligner's."""
        aligner = self.aligner
        aligner.receive(frames, source, now)
        if self.overlap and now is not None:
            self.overlap.receive(aligner.received, now)
        self._forward(aligner.data_to_send())
        return aligner.lacking(source, len(frames[-1].payload))

    def end_stream(self, source: Source) -> None:
        """Nothing more comes of a stream."""
        self.aligner.end_stream(source)
        self._forward(self.aligner.data_to_send())

    def pause(self) -> None:
        """Nothing comes for now: hand on what there is, and ask Deepgram for what was said last."""
        if not self.aligner.streams:
            self.flush()  # less than a chunk of a word would otherwise come after it
        self.client.pause()

    def fill(self, position: int) -> None:
        """Silence up to `position`, while nothing comes."""
        self.aligner.advance(position)
        self._forward(self.aligner.data_to_send())

    def flush(self) -> None:
        """Let out all that is left: there is no stream any more."""
        self._forward(self.aligner.flush())

    def share(self, ahead: float) -> Overlap:
        """Another process is to hear the call, too. `ahead`: as the overlap's."""
        self.overlap = self.overlap or Overlap(ahead, self.aligner.received)
        return self.overlap

    def leave(self) -> None:
        """The process lets go of the call. Another one that hears it goes on from where both tracks have their audio;
        where there is none, all that is left is let out."""
        if self.overlap and self.overlap.since is not None:
            self.aligner.cut()
        else:
            self.flush()
        self.clock = self.overlap.clock if self.overlap else None

    def finish(self, *, cut: bool = False) -> None:
        """Hand Deepgram nothing more, and ask for the last words. `cut`: the call goes on, and is kept for later."""
        if self.finished_at is None:
            self.finished_at = self.position
            self.client.finish(cut=cut)

    def abort(self) -> None:
        """Wait for no more words; of a call that has just begun here none were asked for yet."""
        if not self.finished:
            self.finish(cut=True)
            self.client.abort()

    def lacking(self, duration: int) -> list[Stretch]:
        """What no final covers, once the session has finished, of a call of so many samples."""
        assert self.finished is not None and self.finished_at is not None
        lacking = [*self.finished.uncovered]
        lacking += [(channel, Span(self.finished_at, duration)) for channel in range(CHANNELS)]
        return describe.stretches(self._heard(lacking), duration / SAMPLE_RATE)

    @property
    def holes(self) -> list[Uncovered]:
        """What finals have passed over and not covered, so far."""
        holes = self.client.session.holes
        return self._heard(holes) if holes else holes

    def _heard(self, spans: Iterable[Uncovered]) -> list[Uncovered]:
        """Without what lies in a pause: no one waits for words of that."""
        return [(channel, part) for channel, span in spans for part in self._pauses.outside(span)]

    def gaps(self) -> list[Gap]:
        """What the carrier did not send, as far as that has become known since the last call."""
        return self.aligner.events_received()

    def _forward(self, audio: bytes) -> None:
        if not audio:
            return
        position, kept = self.aligner.position, self._audio
        # Before this nothing is kept or sent, and after this nothing of a pause is left.
        audio = self._pauses.muted(audio, position - len(audio) // CHANNELS)
        if self.overlap:
            self.overlap.add(audio, position)
        if kept:
            kept.append(audio)
            if kept.written - self._written >= SAMPLE_RATE:
                self._written = kept.written
                self.client.spare(self._written)
        if len(audio) == self._chunk:  # as nearly always
            self.client.receive_audio(audio)
            return
        for start in range(0, len(audio), self._chunk):
            self.client.receive_audio(audio[start : start + self._chunk])


def open_path(
    call_id: str,
    services: Services,
    options: Options,
    audio: CallAudio | None,
    on_event: Callable[[SessionEvent], None],
    start: int,
    heard: Mapping[Track, int],
    pauses: Pauses | None = None,
    covered: tuple[int, ...] = (),
) -> AudioPath:
    """Connect to Deepgram. The audio goes on at `start`; `heard`: where each track's broke off, in another process's
    hands; `pauses`: of the call; `covered`: as the session's policy."""
    policy = services.policy
    if audio:
        audio.leap(start)

    vosk = policy.vosk_request
    meter, apart = LatencyMeter(services.latency), iter(covered)

    def request(wanted: Options, format_: AudioFormat) -> str:
        return wanted.target([("extra", f"call_id:{call_id}")], format_) if vosk is None else vosk

    def open_(format_: AudioFormat, on_event: Callable[[SessionEvent], None], fetch: FetchAudio | None) -> Client:
        # Channels that are heard apart are opened in their order.
        own = covered if format_.channels > 1 else tuple(islice(apart, 1))
        session = replace(policy.session, kept=audio is not None, format=format_, covered=own)
        session = services.origins.patience(session)
        spoken = dialect_of(options, format_) if vosk is None else Vosk(format_)
        return Client(
            Session(session, services.random, start, meter, spoken, services.delay),
            origins=services.origins,
            request=request(options, format_),
            call_id=call_id,
            on_event=on_event,
            fetch=fetch,
            fallback=request(options.fallback, format_) if options.fallback else None,
            traces=services.traces,
        )

    def fetch(position: int, samples: int) -> Awaitable[tuple[int, bytes]]:
        return read_kept(audio, position, samples, call_id)

    client = open_clients(policy.session.format, open_, on_event, fetch, apart=options.is_flux or vosk is not None)
    client.start()
    return AudioPath(Aligner(policy.align, start, heard), client, audio, policy.align.chunk_ms, pauses)


async def read_kept(audio: CallAudio | None, start: int, samples: int, call_id: str) -> tuple[int, bytes]:
    """Audio that the session no longer holds: from where there is some."""
    if audio is None:
        return start, b""
    try:
        return await audio.read_on(start, samples)
    except StoreError as error:
        log.error("kept audio cannot be read", extra={"call_id": call_id, "reason": str(error)})
        return start, b""
