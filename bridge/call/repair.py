"""One call's record, mended from its kept audio: piece by piece, each committed with its finals in one go.

It knows neither sockets nor patience: `ask` gets a piece transcribed, or says that it cannot be done.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, seconds
from bridge.call import describe, pieces
from bridge.call.event_writer import EventWriter
from bridge.call.pieces import Piece
from bridge.call.projection import NOT_TRANSCRIBED, Projection, without
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.coverage import Coverage
from bridge.events import Stretch, TranscriptionBackfilled
from bridge.recognition import moved
from bridge.redaction.redactor import Redactor
from bridge.redaction.rules import Rules
from bridge.store.kept import CallAudio
from bridge.transcript.assembler import Assembler, Progress


class TooLarge:
    """Said of a request: less at once may be taken."""


Ask = Callable[[bytes], Awaitable[Transcribed | TooLarge | None]]
"""Audio of the file's format in; out, what was said in it, or None where that cannot be learned."""


class Repair:
    """Made for one run."""

    def __init__(
        self,
        projection: Projection,
        writer: EventWriter,
        file: CallAudio,
        ask: Ask,
        language: str | None,
        longest: int = pieces.LONGEST,
        rules: Rules = Rules(),
    ) -> None:
        """`projection`: what the log says; `writer`: open after it; `language`: what was asked for; `longest`: samples
        to ask for at once; `rules`: what is taken out.
        """
        self.longest = longest
        """Less than what was given if that was too large."""
        self._projection = projection
        self._writer = writer
        self._file = file
        self._block = file.format.block
        self._ask = ask
        self._left: list[Stretch] = projection.uncovered
        self._redactor = Redactor(rules, language, projection.redacted)
        progress = Progress(projection.numbers["backfill"])
        self._assembler = Assembler(writer.call_id, projection.speakers, language, source="backfill", progress=progress)
        self._duration: float = (projection.ended or {}).get("duration", 0.0)
        anchor = projection.anchor
        if anchor is None:
            anchor = datetime.fromisoformat(projection.started["started_at"]).timestamp()
        self._assembler.anchor = anchor

    async def run(self) -> bool:
        """Whether everything is transcribed now, or lost; what is not is told, unless it has been before."""
        for piece in pieces.pieces(self._left):
            if not await self._mend(piece):
                await self._give_up()
                return False
        return True

    async def _mend(self, piece: Piece) -> bool:
        coverage = Coverage.lacking(piece.lacking)
        position = piece.start
        while piece.end - position >= SAMPLES_PER_MS:  # times are told in milliseconds
            start, audio = await self._read(position, piece.end)
            self._tell_lost(position, start)
            end, heard = start + len(audio) // self._block, None
            if audio:
                audio, heard = await self._hear(audio)
                if heard is None:
                    return False
                end = start + len(audio) // self._block
                self._take(heard, start, end, coverage)
            await self._commit(position, end, heard)
            position = end
        return True

    async def _hear(self, audio: bytes) -> tuple[bytes, Transcribed | None]:
        """What Deepgram hears in as much of the audio as it takes at once, and how much that is."""
        while isinstance(heard := await self._ask(audio), TooLarge):
            less = pieces.half(audio, self._file.format)
            if not less:
                return audio, None
            self.longest = len(audio) // self._block // 2
            audio = less
        return audio, heard

    async def _read(self, position: int, end: int) -> tuple[int, bytes]:
        """The next piece and where it begins; where there is none, `end` and nothing."""
        start, audio = await self._file.read_on(position, min(self.longest, end - position))
        audio = audio[: max(0, end - start) * self._block]  # it may begin later than was asked for
        if not audio:
            return end, b""
        whole = len(audio) // self._block < self.longest
        return start, audio if whole else audio[: pieces.cut(audio, self._file.format) * self._block]

    def _take(self, heard: Transcribed, start: int, end: int, coverage: Coverage) -> None:
        """Its finals, at their place in the call, but for the words that others have had."""
        for results in heard.results:
            fresh = coverage.fresh(moved(results, lambda span: span.moved(start)), end)
            for message in self._redactor.receive(fresh, 0.0) if fresh else ():
                self._assembler.receive(message)
        # What is said next is in another piece, or in finals that are told already.
        for message in self._redactor.finish(cut=seconds(end) < self._duration):
            self._assembler.receive(message)
        for data in self._assembler.events_received():
            self._writer.add(data)

    def _tell_lost(self, start: int, end: int) -> None:
        """What of this was to be transcribed is gone."""
        for stretch in self._left:
            begin, until = (
                max(stretch.from_, round(start / SAMPLE_RATE, 3)),
                min(stretch.to, round(end / SAMPLE_RATE, 3)),
            )
            if begin < until:
                lost = stretch.model_copy(update={"from_": begin, "to": until})
                self._writer.add(describe.gap(lost, "overflow"))

    async def _commit(self, start: int, end: int, heard: Transcribed | None) -> None:
        from_, to = round(start / SAMPLE_RATE, 3), round(end / SAMPLE_RATE, 3)
        self._left = list(without(self._left, from_, to))
        waiting = describe.missing(self._left)
        model = heard.model.name if heard and heard.model else None
        request_id = heard.request_id if heard else None
        done = TranscriptionBackfilled(from_=from_, to=to, waiting=waiting, request_id=request_id, model=model)
        self._writer.add(done)
        self._writer.commit()
        await self._writer.written()

    async def _give_up(self) -> None:
        if not self._projection.given_up:
            for stretch in self._left:
                self._writer.add(describe.gap(stretch, NOT_TRANSCRIBED))
            self._writer.commit()
            await self._writer.written()
