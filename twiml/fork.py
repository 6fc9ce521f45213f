"""Asks Twilio again for the audio of a call in progress, with the parameters that the media handler checks.

A `<Start>` stream that is lost does not come back by itself. A refusal is returned as one sentence; the caller decides
whether and when to ask again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from twiml import token
from twiml.document import TOKEN, check_parameter
from twiml.errors import TwilioError, TwilioUnknown, TwimlError
from twiml.number import REST_PARAMETERS, start_stream, stop_stream
from twiml.rest import TwilioAccount

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fork:
    """An account, and the media socket to which it sends the audio."""

    account: TwilioAccount
    url: str
    """`wss://…`, of the media handler."""
    status_callback: str | None
    token_secret: bytes = field(repr=False)
    clock: Callable[[], float]
    """Seconds since 1970."""
    token_lifetime: float = 300.0

    async def ask(
        self, call_id: str, parameters: Mapping[str, str], tracks: Sequence[str] = ("inbound", "outbound")
    ) -> str | None:
        """Ask for a stream. Returns None if it is on its way, else why not. `tracks`: those to send; none means both.

        If there are more parameters than Twilio takes, the last are left out, and logged: the audio matters more.
        """
        try:
            signed = token.make(self.token_secret, call_id, self.clock() + self.token_lifetime)
            await start_stream(
                self.account,
                call_id,
                self.url,
                status_callback=self.status_callback,
                parameters={**_fitting(call_id, parameters), TOKEN: signed},
                track="both_tracks" if len(set(tracks)) != 1 else f"{tracks[0]}_track",
            )
        except (TwilioError, TwimlError, ValueError) as error:
            return str(error)
        return None

    async def stop(self, call_id: str, stream_id: str) -> str | None:
        """Have a stream stopped. Returns None if it is, or is gone already, else why not."""
        try:
            await stop_stream(self.account, call_id, stream_id)
        except TwilioUnknown:
            return None
        except TwilioError as error:
            return str(error)
        return None


def _fitting(call_id: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """As many of the parameters as Streams.json takes in addition to the token."""
    fitting: dict[str, str] = {}
    for name, value in parameters.items():
        try:
            check_parameter(name, value)
        except TwimlError:
            continue  # not from the lost stream: Twilio would not have carried it
        if name != TOKEN and len(fitting) < REST_PARAMETERS - 1:
            fitting[name] = value
    if left_out := len(parameters) - len(fitting):
        log.warning("left out stream parameters", extra={"call_id": call_id, "parameters": left_out})
    return fitting
