"""How long audio is on its way through the bridge: from the read of the carrier's socket that completed a chunk until
the chunk was handed to Deepgram's socket for the first time. A machine; time is given.

In a call that goes well a chunk is handed on within the read that brought it. What has to wait, for a socket or because
audio may go out no faster, is remembered, for half a minute of it: what waits longer is not measured, and is told as
`transcription.interrupted`.
"""

from collections import deque

from bridge.histogram import MOMENTS, Histogram

_REMEMBERED = 512  # chunks of a call


class DelayMeter:
    """What was measured in all calls."""

    __slots__ = ("histogram", "since")

    def __init__(self) -> None:
        self.histogram = Histogram(MOMENTS)
        """Seconds."""
        self.since: float | None = None
        """When what is being handed over was read; None: it is handed over as it is read."""


class CallDelay:
    """Of one call's way to Deepgram. Positions are samples of the call."""

    __slots__ = ("_meter", "_waiting")

    def __init__(self, meter: DelayMeter) -> None:
        self._meter = meter
        self._waiting: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def __repr__(self) -> str:
        return f"<CallDelay {len(self._waiting)} waiting>"

    def received(self, end: int, now: float) -> None:
        """A chunk has come, with which the audio ends here."""
        since = self._meter.since
        self._waiting.append((end, now if since is None else since))

    def passed(self, now: float) -> None:
        """A chunk has come, and is sent with that."""
        since = self._meter.since
        self._meter.histogram.add(0.0 if since is None else now - since)

    def sent(self, position: int, now: float) -> None:
        """The audio was sent up to here. What is sent once more was measured before."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= position:
            self._meter.histogram.add(now - waiting.popleft()[1])
