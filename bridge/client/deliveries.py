"""The webhook's side of a consumer: whether a delivery is the bridge's, and what it says."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bridge.client.received import Call, Event, call, event
from bridge.delivery.envelope import opened
from bridge.delivery.signing import TOLERANCE, Headers, Verifier
from bridge.errors import BridgeError, RemoteProtocolError


class Refused(BridgeError):
    """A delivery that is not to be believed, or not to be understood: answer it with `status`."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        """401: the bridge has not signed it. 422: it has, and it is no envelope of events."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST: one or more events of one call, in order."""

    id: str
    """The webhook-id: the same on every attempt. Empty where none was verified."""
    call: Call
    events: tuple[Event, ...]
    skipped: tuple[int, ...] = ()
    """The `seq` of events that were given up since the last delivery, because this consumer refused them."""
    after: int | None = None
    """Where this consumer gets some types of events only: the `seq` of the event before these that was for it."""


class Webhook:
    """Receives deliveries: `Webhook(secret).receive(body, headers)` in whatever web framework."""

    def __init__(self, secrets: str, *, tolerance: float = TOLERANCE, wall: Callable[[], float] = time.time) -> None:
        """`secrets`: the bridge's `WEBHOOK_SECRET`; while it changes, the old and the new one with a blank between.
        `tolerance`: seconds by which the clocks may differ. `wall` returns seconds since 1970. Raises ConfigError.
        """
        self._verifier = Verifier(secrets, tolerance)
        self._wall = wall

    def receive(self, body: bytes, headers: Headers) -> Delivery:
        """What a POST says; `body` must be the octets as they came. Raises Refused."""
        try:
            message_id = self._verifier.verify(headers, body, self._wall())
        except RemoteProtocolError as error:
            raise Refused(401, str(error)) from None
        try:
            return parse(body, message_id)
        except RemoteProtocolError as error:
            raise Refused(422, str(error)) from None


def parse(body: bytes, message_id: str = "") -> Delivery:
    """What a body says, where another has verified it. Raises RemoteProtocolError for what is no envelope."""
    told = opened(body)
    events = tuple(event(each, told.call["id"]) for each in told.events)
    return Delivery(message_id, call(told.call), events, told.skipped, told.after)
