"""The order oracle: whether a webhook got every event of every call, once and in order, as far as it can see.

Pure. Deliveries come at least once, so the same event again is no fault; after that is put aside, the `seq` of a
call must be dense and increasing, but for events that the sender named as skipped.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class _Received:
    seen: dict[int, str] = field(default_factory=dict)
    """`seq` to the event's id."""
    reached: int = 0
    skipped: set[int] = field(default_factory=set)


class OrderOracle:
    """Feed it what arrives; `violations` says what should not have happened.

    `from_start`: whether a call's first event must be number 1; not where a receiver may have joined late.
    `keep`: calls to remember; the oldest are forgotten.
    """

    def __init__(self, *, from_start: bool = True, keep: int = 10_000) -> None:
        self.violations: list[str] = []
        self._from_start = from_start
        self._keep = keep
        self._calls: dict[str, _Received] = {}

    def skip(self, call_id: str, seqs: Iterable[int]) -> None:
        """The sender says that it gave these events up."""
        self._call(call_id).skipped.update(seqs)

    def receive(self, call_id: str, seq: int, event_id: str) -> Literal["new", "duplicate", "violation"]:
        """One event, in the order of arrival."""
        call = self._call(call_id)
        if call.seen.get(seq) == event_id:
            return "duplicate"
        expected = self._expected(call, seq)
        reached, call.reached = call.reached, max(call.reached, seq)
        if seq in call.seen:
            return self._violation(f"call {call_id}: number {seq} came again as another event")
        call.seen[seq] = event_id
        if seq != expected:
            return self._violation(f"call {call_id}: number {seq} came after {reached}, expected {expected}")
        return "new"

    def _expected(self, call: _Received, seq: int) -> int:
        if not call.seen and not self._from_start:
            return seq
        expected = call.reached + 1
        while expected in call.skipped and expected != seq:
            expected += 1
        return expected

    def _violation(self, text: str) -> Literal["violation"]:
        self.violations.append(text)
        return "violation"

    def _call(self, call_id: str) -> _Received:
        call = self._calls.get(call_id)
        if call is None:
            if len(self._calls) >= self._keep:
                del self._calls[next(iter(self._calls))]
            call = self._calls[call_id] = _Received()
        return call
