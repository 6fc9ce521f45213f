"""When Deepgram is sent something: audio no faster than it takes it, never nothing for long, and all of it for nothing
where the socket is dead. A machine without a clock; what is sent is the session's affair.
"""

from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.watchdog import Watchdog
from bridge.pace import Pace
from bridge.standstill import READING, STOOD_STILL, stood_still


class Outflow:
    """Of one call, over all its sockets."""

    def __init__(self, policy: SessionPolicy) -> None:
        self._octets = policy.format.octets
        self._keep_alive = policy.keep_alive
        self._pace = Pace(policy.speed, policy.burst)
        self._watchdog = Watchdog(policy.deaf, policy.format)
        self._latest = 0.0  # when something was sent last

    def start(self, now: float) -> None:
        """Time begins."""
        self._pace.start(now)
        self._latest = now

    def answered(self, now: float) -> None:
        """Deepgram has said something, or a socket has opened."""
        self._watchdog.answered(now)

    def allows(self, now: float) -> bool:
        """Whether more audio may go out now."""
        return self._pace.allows(now)

    def pass_on(self, chunk: bytes, now: float) -> bool:
        """As `sent`, if more may go out and there is no doubt of the socket; False: nothing has happened."""
        if not (self._watchdog.rests(now) and self._pace.allows(now)):
            return False
        self._pace.take(len(chunk) / self._octets)
        self.said(now)
        return True

    def sent(self, chunk: bytes, now: float) -> None:
        """A chunk of audio has gone out."""
        self._pace.take(len(chunk) / self._octets)
        self.said(now)
        self._watchdog.sent(chunk, now)

    def said(self, now: float) -> None:
        """A text has."""
        if now - self._latest > STOOD_STILL:  # or the carrier was silent, which puts off no more
            self._watchdog.put_off(now + READING)
        self._latest = now

    def is_deaf(self, now: float) -> bool:
        """As the watchdog's, but for a while in which nothing was sent, and maybe nothing read."""
        return not stood_still(now, self._latest) and self._watchdog.is_deaf(now)

    def next_time(self) -> float:
        """When `allows` will be true."""
        return self._pace.next_time()

    @property
    def keep_alive_at(self) -> float:
        """Until then nothing need be sent to keep the socket open."""
        return self._latest + self._keep_alive
