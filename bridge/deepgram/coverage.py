"""What of a call's audio finals cover, by channel, and what is new in a result.

A final covers its own span and nothing else: a hole between two finals, as a message that was lost or could not be
read leaves one, stays uncovered until another final covers it, and is named at the end of the call. Finals may come in
any order. After a reconnect the same audio is recognized again, and a word belongs to covered ground or to new ground
by its middle: so nothing comes twice, and a caller who says "yes, yes" is heard twice.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS
from bridge.deepgram.exchange import Uncovered
from bridge.recognition import Result, Word, part
from bridge.spans import Span, SpanSet
from bridge.writing import joined, slices

SEAM = 20 * SAMPLES_PER_MS
"""Samples that may lie between two finals without being a hole.

Deepgram's times are of single precision and lie on a grid of 10 ms, so that the end of one final and the start of the
next may each be a step off. No word is as short as two steps.
"""

TAIL = 200 * SAMPLES_PER_MS
"""Samples at the end of the audio that the last final may leave out.

A recognizer works in steps, and the last one may not be whole when the stream ends. A word, with as much around it as
it takes to be recognized, is longer than this.
"""


UNSETTLED = 3 * SAMPLE_RATE
"""Samples at the end of an interim without words in which there may be a word yet."""

_END = 2**53
"""A sample after every call."""


class Coverage:
    """Positions are samples of the call."""

    def __init__(self, starts: Sequence[int] = (0,) * CHANNELS) -> None:
        """`starts`: what lies before them is not ours, by channel."""
        # From -1, so that a first final which begins a step late joins it as any other does.
        self._covered = [SpanSet([(-1, start)]) for start in starts]
        self._tops = list(starts)  # end of the latest final of each channel
        self._marks = list(starts)  # the same, of this socket's finals
        self._begun = min(starts)  # where this socket's audio began
        # Ground that finals have passed over, on one socket, and on two: another time would be no better.
        self._passed = [SpanSet() for _ in starts]
        self._abandoned = [SpanSet() for _ in starts]
        self._quiet = list(starts)  # how far interims have heard no word

    @classmethod
    def lacking(cls, spans: Sequence[SpanSet]) -> "Coverage":
        """Of a call that is over: all is covered but for these, by channel."""
        coverage = cls()
        for covered, lacking in zip(coverage._covered, spans, strict=True):
            covered.add(0, _END)
            for span in lacking:
                covered.remove(*span)
        return coverage

    def __repr__(self) -> str:
        return f"covered {[covered.contiguous_end(0) for covered in self._covered]} holes {self._holes()}"

    @property
    def earliest(self) -> int:
        """Every channel is covered without a hole up to this sample."""
        return min(covered.contiguous_end(0) for covered in self._covered)

    @property
    def holes(self) -> list[Uncovered]:
        """What finals have passed over and not covered, so far."""
        return [
            (channel, hole)
            for channel, covered in enumerate(self._covered)
            for hole in covered.missing(0, self._tops[channel])
        ]

    def fresh(self, result: Result, limit: int) -> Result | None:
        """The part of a result that is new; None if none is. A final covers its span from now on.

        `limit`: the last sample that was sent; no final covers more than it was given.
        """
        covered = self._covered[result.channel]
        span = result.span
        new = covered.missing(*span)
        if not result.is_final:
            self._note_quiet(result)
        else:
            end = min(span.end, limit)
            covered.add(span.start, end, SEAM)
            for ends in (self._tops, self._marks):
                ends[result.channel] = max(ends[result.channel], end)
        if not span.length:
            # An empty span covers nothing; what it says (the end of a turn, mostly) is news where no final has been.
            return result if span.start not in covered else None
        # A sliver beside covered ground is rounding: a final that comes again a sample longer is no news.
        new = [part for part in new if part.length > SEAM or part == span]
        if new == [span]:
            return result
        return _part(result, SpanSet(new)) if new else None

    def _note_quiet(self, result: Result) -> None:
        channel, span = result.channel, result.span
        if result.text:
            first = result.words[0].span.start if result.words else span.start
            self._quiet[channel] = min(self._quiet[channel], first)
        elif span.start <= self._covered[channel].contiguous_end(0) + SEAM:
            self._quiet[channel] = max(self._quiet[channel], span.end - UNSETTLED)

    @property
    def quiet(self) -> list[Uncovered]:
        """In what no final covers: where interims have heard no word, from the last final on."""
        found = []
        for channel, covered in enumerate(self._covered):
            start = covered.contiguous_end(0)
            found += [(channel, span) for span in covered.missing(start, self._quiet[channel])]
        return found

    def settle(self, channel: int, span: Span) -> None:
        """There is no word in a span, whatever may be said of it yet."""
        self._covered[channel].add(*span)

    def pass_over(self, channel: int, span: Span) -> None:
        """Leave a span as a hole that is not sent again."""
        self._tops[channel] = max(self._tops[channel], span.end)
        self._abandoned[channel].add(*span)

    def give_up(self, until: int) -> list[Uncovered]:
        """No result will come for anything before a sample; what had none."""
        return self.skip(0, until)

    def skip(self, start: int, until: int) -> list[Uncovered]:
        """No result will come for what lies between two samples; what of it had none, each sample once."""
        found = [
            (channel, span) for channel, covered in enumerate(self._covered) for span in covered.missing(start, until)
        ]
        for covered in self._covered:
            covered.add(start, until)
        return found

    def settle_tail(self, until: int, has_sound: Callable[[int, Span], bool] = lambda channel, span: True) -> None:
        """The recognizer has said its last: a rest before a sample lacks nothing if it is too short for a word, or
        silent. `has_sound` tells of a channel and a span."""
        for channel, covered in enumerate(self._covered):
            rest = covered.missing(0, until)
            if rest and rest[-1].end == until and (rest[-1].length <= TAIL or not has_sound(channel, rest[-1])):
                covered.add(*rest[-1])

    def replay_from(self, reach: int) -> int:
        """Where the next socket is to begin: with the earliest ground that is worth being sent once more.

        What lies after the latest final is always sent. A hole before it is sent once more at most, since a message
        that is lost twice will be lost a third time; and only if it is not further back than `reach` samples, since
        everything after it is recognized again too, and live words come late by that much. Other holes are left to
        the end of the call: transcribed from kept audio, or told.
        """
        return min(self._replay_from(channel, reach) for channel in range(len(self._covered)))

    def begin(self, position: int) -> None:
        """A socket opens, and is sent the audio from a position on."""
        for channel, covered in enumerate(self._covered):
            for hole in covered.missing(self._begun, self._marks[channel]):
                self._abandoned[channel].update(self._passed[channel].common(*hole))
                self._passed[channel].add(*hole)
        self._begun = position
        self._marks = [position for _ in self._marks]

    def _replay_from(self, channel: int, reach: int) -> int:
        covered, mark = self._covered[channel], self._latest(channel)
        for hole in covered.missing(max(0, mark - reach), mark):
            if (open_ground := self._worth(channel, hole)) is not None:
                return open_ground
        return mark

    def _worth(self, channel: int, hole: Span) -> int | None:
        """Where the first part of a hole begins that is to be sent once more."""
        passed = SpanSet(self._abandoned[channel])
        # The socket that is being lost counts too, before `begin` has noted what it passed over.
        passed.update(self._passed[channel].common(max(hole.start, self._begun), min(hole.end, self._marks[channel])))
        parts = passed.missing(*hole)
        return parts[0].start if parts else None

    def _latest(self, channel: int) -> int:
        """Nothing after this has been passed by a final."""
        return self._covered[channel].contiguous_end(self._tops[channel])

    def _holes(self) -> int:
        return sum(len(covered) - 1 for covered in self._covered)


def before(result: Result, edge: int) -> Result:
    """The part of a final that a cut in the audio cannot have touched, `edge` being a sample before the cut."""
    whole = [word for word in result.words if word.span.end <= edge]
    if len(whole) == len(result.words):
        return replace(result, span=result.span.clipped(0, edge))
    end = min(edge, result.words[len(whole)].span.start)
    return part(result, result.span.clipped(0, end), tuple(whole), _text(result, whole))


def _part(result: Result, new: SpanSet) -> Result:
    """What a result says of new ground."""
    parts = list(new)
    words = tuple(word for word in result.words if _place(word, result.span) in new)
    is_whole = words == result.words and (bool(words) or result.span.middle in new)
    text = result.text if is_whole else _text(result, words)  # the whole: with what no word stands for, too
    return part(result, Span(parts[0].start, parts[-1].end), words, text)


def _text(result: Result, words: Sequence[Word]) -> str:
    """What these words of a result say, as the recognizer wrote it: not every script has blanks between words."""
    kept = set(map(id, words))
    parts = slices(result.text, [word.text for word in result.words])
    if parts is None:
        return joined(word.text for word in words)
    return "".join(part for part, word in zip(parts, result.words, strict=True) if id(word) in kept).strip()


def _place(word: Word, span: Span) -> int:
    """A word's middle; one that lies outside of its own result is judged by that result's edge."""
    return min(max(word.span.middle, span.start), span.end - 1)
