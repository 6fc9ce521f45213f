"""What is written of a call: its transcripts as they come, what became of its audio, and its end.

A carrier that floods a call with keys or complaints is not written down beyond a bound: the rest is counted.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from bridge.audio import seconds
from bridge.call import describe
from bridge.call.backlog import Backlog
from bridge.call.event_writer import EventWriter
from bridge.call.observed import Observed
from bridge.call.projection import NOT_TRANSCRIBED, Projection
from bridge.call.redacting import Redacting
from bridge.carriers.messages import Digit, Started
from bridge.clock import Clock
from bridge.events import (
    AudioGap,
    CallEnded,
    CallResumed,
    Data,
    DtmfReceived,
    EndReason,
    Latency,
    Request,
    ResumeReason,
    StreamFailed,
    Stretch,
    TranscriptFinal,
    timestamp,
)
from bridge.outlets import Named
from bridge.pace import Pace
from bridge.recognition import Recognized
from bridge.redaction.muting import muted
from bridge.redaction.redactor import Past, Redactor
from bridge.redaction.rules import Rules
from bridge.spans import Span
from bridge.store.base import EventLog
from bridge.transcript.assembler import Assembler
from bridge.transcript.figures import Tally
from bridge.transcript.gaps import PAUSED

log = logging.getLogger("bridge.call")

KEYS_A_SECOND, KEYS_AT_ONCE = 12.5, 100
"""A hand presses fewer: the shortest tone and pause of the standard take 80 ms. At once: after a network's hiccup."""

COMPLAINTS_A_SECOND, COMPLAINTS_AT_ONCE = 0.1, 20


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
        backlog: Backlog | None = None,
        rules: Rules = Rules(),
        observed: Observed | None = None,
    ) -> None:
        """`language`: what was asked for. `past`: what the log says of a call that another process has begun.
        `backlog`: what waits for the store of all calls. `rules`: what is taken out before anything is told.
        `observed`: what else is seen of this one.
        """
        self._observed = observed or Observed("", Counter())
        seq, lack = past.seq if past else 0, self._observed.lack
        self.events = EventWriter(call_id, store, clock.wall, seq, backlog=backlog, on_gap=lack)
        self.uncovered: list[Stretch] = list(past.uncovered) if past else []
        """Kept audio that is left for later; complete when the call is over."""
        self.requests: list[Request] = []
        """The sockets to Deepgram, once they are gone."""
        self.latency: Latency | None = None
        """Deepgram's, likewise."""
        self.redacted: list[Past] = list(past.redacted) if past else []
        """What was taken out of finals, and where."""
        self._speakers = speakers
        self._clock = clock
        cut_off = past is not None and not past.left_in_order
        redactor = Redactor(rules, language, self.redacted, within=cut_off)
        self._redacting = Redacting(redactor, clock, self._take)
        self._assembler = Assembler(call_id, speakers, language, progress=past.progress if past else None)
        self._tally = None if past else Tally(speakers)  # of a part of a call it would be half the truth
        self._audio_lost = past is not None and past.audio_lost
        self._cut_off = cut_off
        """What came last before a crash is not known, unless a gap tells of it."""
        self._settled = 0  # samples: covered by finals that are durable
        self._to_settle = (self.events.seq, 0)  # once that event is durable, that is settled
        self._keys = Pace(KEYS_A_SECOND, KEYS_AT_ONCE)
        self._complaints = Pace(COMPLAINTS_A_SECOND, COMPLAINTS_AT_ONCE)
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

    def begin(
        self, started: Started, continues: str | None, named: Named | None = None, came: float | None = None
    ) -> None:
        """The first event of a new record; `continues`: the one of the same call before it. `named`: the endpoint that
        the call has named for itself. `came`: when its stream did, where it has waited for the record."""
        self.events.named = named
        wall, redact = self._clock.wall() if came is None else came, self._redacting.rules.names
        self.tell(describe.call_started(started, self._speakers, wall, continues, redact))

    def adopt(self, past: Projection) -> None:
        """This process goes on with the call: what the one before had not told yet is said."""
        self.tell(*(describe.gap(stretch, why) for stretch, why in past.unheard))

    def resume(self, reason: ResumeReason, stream_id: str, at: float, unheard: list[Stretch]) -> None:
        """Another stream goes on with the call `at` so many seconds; `unheard`: what none has brought before it."""
        uncovered = self.uncovered
        self.tell(CallResumed(reason=reason, stream_id=stream_id, at=at, uncovered=uncovered, unheard=unheard))

    def join(self, stream_id: str, at: float, uncovered: list[Stretch]) -> None:
        """This process goes on with what another has heard, from `at` on, in seconds; `uncovered` is left for later."""
        self.uncovered = uncovered
        self.tell(CallResumed(reason="handed_over", stream_id=stream_id, at=at, uncovered=uncovered))

    def tell(self, *data: Data) -> None:
        """What has happened, after the transcripts there are by now."""
        self._take_transcripts()
        for each in data:
            self.events.add(each)
            if isinstance(each, AudioGap) and each.why == PAUSED and self._tally:
                self._tally.leave_out(each.from_, each.to)
            if isinstance(each, CallResumed):
                self._cut_off = False  # the gap before the new stream begins where the kept audio ends
        self.events.commit()

    def press(self, digit: Digit, position: int) -> bool:
        """A key was pressed, when the audio had come as far as `position`. Whether a hand can have done that."""
        passes = self._may_pass(self._keys, "digits_dropped")
        if passes:
            told = "[digits]" if "digits" in self._redacting.rules.kinds else digit.digit
            self.tell(DtmfReceived(track=digit.track, digit=told, at=seconds(position)))
        return passes

    def complain(self, stream_id: str | None, error: str) -> None:
        """The carrier says that a stream went wrong."""
        if self._may_pass(self._complaints, "stream_errors_dropped"):
            log.warning("the carrier reports an error", extra={"call_id": self.events.call_id, "stream_id": stream_id})
            self.tell(StreamFailed(stream_id=stream_id, error=error))

    def receive(self, message: Recognized) -> None:
        """What Deepgram says of the call, in the call's own time."""
        self._redacting.receive(message)

    @property
    def muted(self) -> list[tuple[int, Span]]:
        """Where a recording of the call is silent, by channel."""
        return muted(self.redacted) if self._redacting.rules.mute else []

    def veiled(self, text: str) -> str:
        """A text of others, as it may be told."""
        return self._redacting.veiled(text)

    def settled(self, position: int) -> int:
        """As far as finals cover the audio and are durable, if those that there are now cover it up to `position`."""
        held = self._redacting.held_from
        position = position if held is None else min(position, held)
        seq, settled = self._to_settle
        if self.events.durable >= seq:
            self._to_settle = (self.events.seq, position)
            self._settled = settled
        return self._settled

    def close(self, lacking: list[Stretch], *, kept: bool, turns: bool) -> None:
        """Deepgram says no more. `lacking`: audio that no final covers; `kept`: it can be transcribed later.

        `turns`: those that are open are complete; False: another process goes on with the call.
        """
        self._redacting.finish(cut=not turns)
        self._assembler.finish(retract=kept and bool(lacking), turns=turns)
        if kept:
            self.uncovered += lacking
            lacking = []
        self.tell(*(describe.gap(stretch, NOT_TRANSCRIBED) for stretch in lacking))

    def end(
        self, reason: EndReason, duration: int, counts: dict[str, int], missing: float, public_url: str | None
    ) -> None:
        """The last event of the record, after `close`. `missing`: seconds that were not transcribed."""
        length = seconds(duration)
        missing = round(missing + self.events.dropped.seconds, 3)
        ended = CallEnded(
            reason=reason,
            duration=length,
            ended_at=timestamp(self._clock.wall()),
            flush="timed_out" if self._audio_lost or self._cut_off or missing else "complete",
            missing=missing,
            uncovered=self.uncovered,
            counts=counts,
            # What is not transcribed yet was no silence.
            figures=self._tally and self._tally.figures(self._tally.heard if self.uncovered else length),
            latency=self.latency,
            requests=self.requests,
            transcript_url=describe.transcript_url(public_url, self.events.call_id),
        )
        self.tell(ended)
        self._observed.end(self.events.call_id, self.anchor, ended)

    def _may_pass(self, pace: Pace, counter: str) -> bool:
        if pace.allows(self._clock.now()):
            pace.take(1)
            return True
        if not self.events.counters[counter]:
            log.warning("the carrier sends too much", extra={"call_id": self.events.call_id, "counted_as": counter})
        self.events.counters[counter] += 1
        return False

    def _take(self, messages: Iterable[Recognized]) -> None:
        for message in messages:
            self._assembler.receive(message)
        self.tell()

    def _take_transcripts(self) -> None:
        for data in self._assembler.events_received():
            self.events.add(data)
            if isinstance(data, TranscriptFinal):
                self.redacted += describe.redacted(data)
                if self._tally:
                    self._tally.add(data)
