"""How far each channel of a call has been settled by finals, and what is new in a result.

A final settles its span for good. After a reconnect the same audio is heard again, by each channel from a moment of
its own: what lies before the settled mark has been said, what lies behind it has not, and a word belongs to the side
its middle is on. So nothing comes twice, and somebody who says "yes, yes" is heard twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from bridge.audio import CHANNELS, SAMPLE_RATE
from bridge.deepgram.messages import Results, ResultWord

Skipped = tuple[int, float, float]
"""Audio of one channel that no result covers: channel, from and to in seconds of the call."""


class Coverage:
    """Settled marks in samples of the call, one per channel."""

    def __init__(self, settled: Sequence[int] = (0,) * CHANNELS) -> None:
        self._settled = list(settled)
        self._holes: list[tuple[int, int]] = []  # where there is no audio, in order

    def __repr__(self) -> str:
        return f"settled {self._settled}"

    @property
    def earliest(self) -> int:
        """Everything before this sample is settled on every channel."""
        return min(self._settled)

    def fresh(self, results: Results, limit: int) -> Results | None:
        """The part of a result, in seconds of the call, that is new; None if none is. A final moves the mark.

        `limit`: the last sample that was sent; no final settles more than it was given.
        """
        floor = self._settled[results.channel] / SAMPLE_RATE
        if results.is_final:
            self._settle(results.channel, min(round(results.end * SAMPLE_RATE), limit))
        if results.start >= floor:
            return results
        if results.end <= floor:
            return None
        words = tuple(word for word in results.words if _middle(word) >= floor)
        text = results.text if len(words) == len(results.words) else " ".join(word.text for word in words)
        return replace(results, start=floor, words=words, text=text)

    def give_up(self, until: int) -> list[Skipped]:
        """No result will come for anything before a sample; what that skips."""
        skipped = self._unheard(0, until)
        for channel in range(CHANNELS):
            self._settle(channel, until)
        return skipped

    def skip(self, start: int, until: int) -> list[Skipped]:
        """There is no audio between two samples: the marks will step over it. What that skips, each sample once."""
        skipped = self._unheard(start, until)
        if start < until:
            self._holes = sorted([*self._holes, (start, until)])
        for channel, settled in enumerate(self._settled):
            self._settle(channel, settled)
        return skipped

    def _settle(self, channel: int, position: int) -> None:
        settled = max(self._settled[channel], position)
        for start, end in self._holes:
            if start <= settled:
                settled = max(settled, end)
        self._settled[channel] = settled

    def _unheard(self, start: int, until: int) -> list[Skipped]:
        """What is neither settled nor a hole."""
        found = []
        for channel, settled in enumerate(self._settled):
            begin = max(start, settled)
            for hole, end in [*self._holes, (until, until)]:
                if begin < min(hole, until):
                    found.append((channel, begin / SAMPLE_RATE, min(hole, until) / SAMPLE_RATE))
                begin = max(begin, end)
        return found


def before(results: Results, edge: float) -> Results:
    """The part of a final that a cut in the audio cannot have touched, `edge` being seconds of the call before it."""
    whole = [word for word in results.words if word.end <= edge]
    if len(whole) == len(results.words):
        return replace(results, end=min(results.end, edge))
    end = min(edge, results.words[len(whole)].start)
    return replace(results, end=end, words=tuple(whole), text=" ".join(word.text for word in whole))


def _middle(word: ResultWord) -> float:
    return (word.start + word.end) / 2
