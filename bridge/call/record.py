"""What is written of a call: its transcripts as they come, what became of its audio, and its end."""

from bridge.audio import seconds
from bridge.call import describe
from bridge.call.event_writer import EventWriter
from bridge.call.projection import NOT_TRANSCRIBED, Projection
from bridge.carriers.messages import Started
from bridge.clock import Clock
from bridge.events import (
    CallEnded,
    CallResumed,
    Data,
    EndReason,
    Stretch,
    TranscriptFinal,
    timestamp,
)
from bridge.recognition import Recognized
from bridge.store.base import EventLog
from bridge.transcript.assembler import Assembler
from bridge.transcript.figures import Tally


class Record:
    """The record of one call, from where this process begins or goes on with it. Positions are samples of the call."""

    def __init__(
        self,
        call_id: str,
        speakers: dict[str, str],
        language: str | None,
        store: EventLog,
        clock: Clock,
        past: Projection | None,
    ) -> None:
        """`language`: what was asked for. `past`: what the log says of a call that another process has begun."""
        self.events = EventWriter(call_id, store, clock.wall, past.seq if past else 0)
        self.uncovered: list[Stretch] = list(past.uncovered) if past else []
        """Kept audio that is left for later; complete when the call is over."""
        self._clock = clock
        self._assembler = Assembler(call_id, speakers, language, progress=past.progress if past else None)
        self._tally = None if past else Tally(speakers)  # of a part of a call it would be half the truth
        self._audio_lost = past is not None and past.audio_lost
        self._cut_off = past is not None and not past.left_in_order
        """What came last before a crash is not known, unless a gap tells of it."""
        self.anchor = clock.wall()
        if past:
            self.events.counters.update(past.counters)
            self.anchor = self.anchor if past.anchor is None else past.anchor

    def __repr__(self) -> str:
        return f"<Record {self.events!r} {self._assembler!r} uncovered {len(self.uncovered)}>"

    @property
    def anchor(self) -> float:
        """Wall clock of call time 0, seconds since 1970."""
        return self._assembler.anchor

    @anchor.setter
    def anchor(self, anchor: float) -> None:
        self._assembler.anchor = anchor

    def begin(self, started: Started, speakers: dict[str, str], continues: str | None) -> None:
        """The first event of a new record; `continues`: the one of the same call before it."""
        self.tell(describe.call_started(started, speakers, self._clock.wall(), continues))

    def tell(self, *data: Data) -> None:
        """What has happened, after the transcripts there are by now."""
        self._take_transcripts()
        for each in data:
            self.events.add(each)
            if isinstance(each, CallResumed):
                self._cut_off = False  # the gap before the new stream begins where the kept audio ends
        self.events.commit()

    def receive(self, message: Recognized) -> None:
        """What Deepgram says of the call, in the call's own time."""
        self._assembler.receive(message)
        self.tell()

    def close(self, lacking: list[Stretch], *, kept: bool, turns: bool) -> None:
        """Deepgram says no more. `lacking`: audio that no final covers; `kept`: it can be transcribed later.

        `turns`: those that are open are complete; False: another process goes on with the call.
        """
        self._assembler.finish(retract=kept and bool(lacking), turns=turns)
        if kept:
            self.uncovered += lacking
            lacking = []
        self.tell(*(describe.gap(stretch, NOT_TRANSCRIBED) for stretch in lacking))

    def end(self, reason: EndReason, duration: int, counts: dict[str, int], missing: float, url: str | None) -> None:
        """The last event of the record, after `close`. `missing`: seconds that were not transcribed."""
        length = seconds(duration)
        self.tell(
            CallEnded(
                reason=reason,
                duration=length,
                ended_at=timestamp(self._clock.wall()),
                flush="timed_out" if self._audio_lost or self._cut_off or missing else "complete",
                missing=missing,
                uncovered=self.uncovered,
                counts=counts,
                # What is not transcribed yet was no silence.
                figures=self._tally and self._tally.figures(self._tally.heard if self.uncovered else length),
                transcript_url=url,
            )
        )

    def _take_transcripts(self) -> None:
        for data in self._assembler.events_received():
            self.events.add(data)
            if self._tally and isinstance(data, TranscriptFinal):
                self._tally.add(data)
