"""Which calls were given a token lately: such a call takes no stream without one."""

MOST = 10_000
"""Calls that are remembered; beyond it the oldest are dropped."""


class IssuedTokens:
    """Filled by the voice webhook, asked when a stream comes."""

    def __init__(self, most: int = MOST) -> None:
        self._calls: dict[str, None] = {}  # in the order they came in
        self._most = most

    def __repr__(self) -> str:
        return f"<IssuedTokens {len(self._calls)} calls>"

    def note(self, call_id: str) -> None:
        """Remember that a token was given to this call."""
        self._calls.pop(call_id, None)
        self._calls[call_id] = None
        if len(self._calls) > self._most:
            del self._calls[next(iter(self._calls))]

    def issued(self, call_id: str) -> bool:
        """Whether a token was given to this call, as far as remembered."""
        return call_id in self._calls
