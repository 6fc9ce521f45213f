"""Which streams a call lets in: none of a stranger's, and not without end. A machine without a clock."""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from bridge.call.call import Call
from bridge.call.stream import CallRefused, StreamDenied
from bridge.carriers.messages import Started
from bridge.pace import Pace

_A_SECOND, _AT_ONCE = 0.5, 30  # of one call, further ones; each is told, and noted on the disk


class Admission:
    """Of all calls."""

    def __init__(self, max_streams: int, had_token: Callable[[str], bool]) -> None:
        """`max_streams`: of one call at once. `had_token`: whether a call was given a token for its stream."""
        self._max_streams = max_streams
        self._had_token = had_token
        self._further: WeakKeyDictionary[Call, Pace] = WeakKeyDictionary()

    def check(self, started: Started, call: Call | None, now: float) -> None:
        """Whether a stream may come in, of a call that goes on or of a new one. Raises `StreamDenied` for one without
        the token that the call has: it is a stranger's, who knows its id; and `CallRefused`."""
        if started.token is None and (self._had_token(started.call_id) or (call and call.has_token)):
            raise StreamDenied("the streams of this call have a token")
        if call is None:
            return
        if len(call.streams) >= self._max_streams:
            raise CallRefused("too many streams of this call at once")
        pace = self._further.setdefault(call, Pace(_A_SECOND, _AT_ONCE))
        if not pace.allows(now):
            raise CallRefused("the streams of this call come too often")
        pace.take(1)
