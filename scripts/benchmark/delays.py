"""From the sending of what completes a chunk to its arrival at Deepgram's, and from a final to its POST; exact by call.

Machines: the times are arguments.
"""


class AudioDelays:
    """Of one call."""

    def __init__(self) -> None:
        self._sent: tuple[list[float], list[float]] = ([], [])  # by track, by frame
        self._last = -1

    def sending(self, track: int, now: float) -> None:
        """The next frame of a track goes out."""
        self._sent[track].append(now)

    @property
    def behind(self) -> int:
        """Frames that were sent and have not arrived."""
        return len(self._sent[0]) - 1 - self._last

    def heard(self, frames: tuple[int, int], now: float) -> float | None:
        """Seconds of delay of a chunk that ends with these frames; None if it says nothing new."""
        first, second = frames
        if first <= self._last or first >= len(self._sent[0]) or second >= len(self._sent[1]):
            return None
        self._last = first
        return now - max(self._sent[0][first], self._sent[1][second])


class FinalDelays:
    """Of all calls, by tag."""

    def __init__(self) -> None:
        self._said: dict[tuple[int, int], float] = {}

    def said(self, tag: tuple[int, int], now: float) -> None:
        """A final goes out."""
        self._said[tag] = now

    def posted(self, tag: tuple[int, int], now: float) -> float | None:
        """Seconds of delay of a final that was posted; None if it was posted before."""
        said = self._said.pop(tag, None)
        return None if said is None else now - said
