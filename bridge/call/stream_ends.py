"""What a carrier says beside a stream of its end: a machine without a socket or a clock.

A socket that closes without the stream's end is a loss, and the call waits for another stream. Some carriers say by
HTTP too how a stream is doing, before the socket is gone or after: one that they call stopped does not come back.
"""

from dataclasses import dataclass, field

from bridge.events import EndReason


@dataclass(slots=True)
class _Streams:
    """Of one call, by the carrier's ids."""

    stopped: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    lost: dict[str, EndReason] = field(default_factory=dict)
    """Since the call has had a stream."""


class StreamEnds:
    """The streams of the calls that go on."""

    def __init__(self) -> None:
        self._calls: dict[str, _Streams] = {}

    def __repr__(self) -> str:
        return f"<StreamEnds of {len(self._calls)} calls>"

    def attach(self, call_id: str) -> None:
        """The call has a stream."""
        self._calls.setdefault(call_id, _Streams()).lost.clear()

    def end(self, call_id: str, stream_id: str, reason: EndReason) -> EndReason:
        """A stream's socket is gone. Returns why the stream is over."""
        streams = self._calls.get(call_id)
        if streams is None or reason == "stopped":
            return reason
        if reason == "carrier_disconnected" and stream_id in streams.stopped:
            return "stopped"
        streams.lost[stream_id] = reason
        return reason

    def fail(self, call_id: str, stream_id: str) -> None:
        """The carrier says that the stream went wrong: that it stops then is no hang-up."""
        if streams := self._calls.get(call_id):
            streams.failed.add(stream_id)

    def stop(self, call_id: str, stream_id: str) -> bool:
        """The carrier says that the stream has stopped. Returns whether no stream that was lost may come back.

        A socket that we have closed ourselves may be asked for again, whatever the carrier calls that.
        """
        streams = self._calls.get(call_id)
        if streams is None or stream_id in streams.failed:
            return False
        streams.stopped.add(stream_id)
        return streams.lost.pop(stream_id, None) == "carrier_disconnected" and not streams.lost

    def forget(self, call_id: str) -> None:
        """The call is over."""
        self._calls.pop(call_id, None)
