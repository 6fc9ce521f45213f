"""How far each channel of a call has been settled by finals, and what is new in a result.

A final settles its span for good. After a reconnect the same audio is heard again, by each channel from a moment of
its own: what lies before the settled mark has been said, what lies behind it has not, and a word belongs to the side
its middle is on. So nothing comes twice, and somebody who says "yes, yes" is heard twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from bridge.audio import CHANNELS, SAMPLE_RATE
from bridge.deepgram.messages import Results, ResultWord


class Coverage:
    """Settled marks in samples of the call, one per channel."""

    def __init__(self, settled: Sequence[int] = (0,) * CHANNELS) -> None:
        self._settled = list(settled)

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
            position = min(round(results.end * SAMPLE_RATE), limit)
            self._settled[results.channel] = max(self._settled[results.channel], position)
        if results.start >= floor:
            return results
        if results.end <= floor:
            return None
        words = tuple(word for word in results.words if _middle(word) >= floor)
        text = results.text if len(words) == len(results.words) else " ".join(word.text for word in words)
        return replace(results, start=floor, words=words, text=text)

    def give_up(self, until: int) -> list[tuple[int, float, float]]:
        """Settle everything before a sample without a result; what that skips, as (channel, from, to) in seconds."""
        skipped = [
            (channel, settled / SAMPLE_RATE, until / SAMPLE_RATE)
            for channel, settled in enumerate(self._settled)
            if settled < until
        ]
        self._settled = [max(settled, until) for settled in self._settled]
        return skipped


def _middle(word: ResultWord) -> float:
    return (word.start + word.end) / 2
