"""Interims that stand: words that were shown, and that no final takes though nothing more is said.

Noise, a muted microphone, or numbers that formatting holds back keep Deepgram from ending a segment, and its words
wait for ever. A `Finalize` for that channel asks for them; no answer is guaranteed, so it is sent again, after twice
the time. The clock is an argument.

Source: https://developers.deepgram.com/docs/finalize
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from bridge.audio import SAMPLE_RATE
from bridge.recognition import Result


@dataclass(slots=True)
class _Interim:
    end: int
    """Where its last word ends, in samples of the call."""
    text: str
    since: float
    """When it was heard first."""
    asked: int = 0


class Standing:
    """Those of one socket, by channel."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds for which an interim may stand."""
        self.due_at = inf
        """Before this, `due` has none."""
        self._patience = patience
        self._interims: dict[int, _Interim] = {}

    def __repr__(self) -> str:
        return f"<Standing {sorted(self._interims)}>"

    def hear(self, result: Result, now: float) -> None:
        """Take what is new in a result."""
        shown = self._interims.get(result.channel)
        end = result.words[-1].span.end if result.words else result.span.end
        if result.is_final:
            if shown and shown.end <= result.span.end:
                del self._interims[result.channel]
        elif not result.text:
            self._interims.pop(result.channel, None)  # taken back
        elif shown is None or (shown.end, shown.text) != (end, result.text):
            self._interims[result.channel] = _Interim(end, result.text, now)
            self.due_at = min(self.due_at, now + self._patience)

    def due(self, sent: int, now: float) -> Iterator[int]:
        """The channels to ask for. `sent`: the audio that Deepgram has got, in samples of the call."""
        for channel, interim in self._interims.items():
            patience = self._patience * 2**interim.asked
            if now - interim.since >= patience and sent - interim.end >= patience * SAMPLE_RATE:
                interim.asked += 1
                yield channel
        times = (interim.since + self._patience * 2**interim.asked for interim in self._interims.values())
        self.due_at = min(times, default=inf)

    def pause(self) -> Iterator[int]:
        """The channels to ask for now that no audio comes: those that have not been asked for yet."""
        for channel, interim in self._interims.items():
            if not interim.asked:
                interim.asked = 1
                yield channel

    @property
    def is_empty(self) -> bool:
        """Whether no words wait for their final."""
        return not self._interims

    def clear(self) -> None:
        """Another socket hears the words again."""
        self._interims.clear()
