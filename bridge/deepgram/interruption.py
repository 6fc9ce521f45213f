"""What a call is told of an interruption: when Deepgram goes away, and when it is back.

The same trouble is said once, not once a try. A socket that is taken and closed at once is no news either: that
Deepgram is back is said with its first answer.
"""

from bridge.deepgram.exchange import Interrupted, Resumed
from bridge.deepgram.messages import Refusal

GIVEN_UP = "(the options of this call are given up; it goes on with everybody's)"
"""Behind the reason for which they were refused."""


class Interruption:
    """Of one session."""

    def __init__(self) -> None:
        self.now: tuple[int | None, str] | None = None
        """Status and reason, as they were told last, while no socket answers after one was lost."""
        self._told: set[tuple[int | None, str, str | None, bool]] = set()  # of this interruption
        self._resumed: Resumed | None = None  # to be told with the first answer

    def begin(
        self, lost: Refusal, attempt: int, waiting: float, origin: str | None, *, retry: bool
    ) -> list[Interrupted]:
        """A socket was lost or refused; what of it is to be told."""
        self._resumed = None
        self.now = lost.status, lost.reason
        trouble = *self.now, origin, retry
        if trouble in self._told:
            return []
        self._told.add(trouble)
        return [Interrupted(lost.reason, lost.status, lost.request_id, attempt, waiting, retry, origin)]

    def reopened(self, attempt: int, waiting: float, request_id: str | None, origin: str | None) -> None:
        """Another socket is open."""
        self._resumed = Resumed(attempt, waiting, request_id, origin)

    def answered(self) -> list[Resumed]:
        """Deepgram has said something; what is to be told before it."""
        if self._resumed is None:
            return []
        told = [self._resumed]
        self._resumed = self.now = None
        self._told.clear()
        return told
