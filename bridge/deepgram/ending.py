"""How long the end of a call may take: one bound for all of it, set when it begins, however many sockets it takes.

Within the bound a socket has as long as sending what waits takes, and then a while for the last results. What is not
covered when the time is over is left for later. The clock is an argument.
"""

from bridge.deepgram.exchange import SessionPolicy


class Ending:
    """Of one call. Audio is measured in seconds."""

    def __init__(self, policy: SessionPolicy) -> None:
        self.leaving = False
        """What has not been sent by now will not be: there is too much of it, and it is kept."""
        self.deadline: float | None = None
        """When to wait no longer."""
        self._policy = policy
        self._latest: float | None = None

    @property
    def begun(self) -> bool:
        """No more audio comes."""
        return self._latest is not None

    def begin(self, now: float, unsent: float, uncovered: float) -> None:
        """`unsent`: what waits to be sent. `uncovered`: what would have to be sent if the socket were lost now."""
        sending = uncovered / self._policy.speed
        if self._policy.kept:
            sending = min(sending, self._policy.catch_up)
        self._latest = now + self._policy.flush + sending
        self.plan(now, unsent)

    def plan(self, now: float, unsent: float) -> None:
        """A socket has so much to send: as long as that takes, or, where that is much and kept, not so long."""
        sending = unsent / self._policy.speed
        self.leaving = self._policy.kept and sending > self._policy.catch_up
        self._wait(now + (0.0 if self.leaving else sending))

    def all_sent(self, now: float) -> None:
        """Only the last results are waited for."""
        self._wait(now)

    def _wait(self, sent_at: float) -> None:
        assert self._latest is not None
        self.deadline = min(self._latest, sent_at + self._policy.flush)
