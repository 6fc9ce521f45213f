"""Asking Twilio once more for the audio of a call in progress, with what the media door wants to see.

A `<Start>` stream that is lost does not come back by itself. One sentence comes out where Twilio does not agree;
whether and when to ask again is the caller's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from twiml import token
from twiml.document import TOKEN
from twiml.errors import TwilioError, TwimlError
from twiml.number import start_stream
from twiml.rest import TwilioAccount


@dataclass(frozen=True, slots=True)
class Fork:
    """Where the audio is to go."""

    account: TwilioAccount
    url: str
    """`wss://…`, of the media door."""
    status_callback: str | None
    token_secret: bytes = field(repr=False)
    clock: Callable[[], float]
    """Seconds since 1970."""
    token_lifetime: float = 300.0

    async def ask(self, call_id: str, parameters: Mapping[str, str]) -> str | None:
        """None: the stream is on its way. Otherwise why not."""
        try:
            signed = token.make(self.token_secret, call_id, self.clock() + self.token_lifetime)
            await start_stream(
                self.account,
                call_id,
                self.url,
                status_callback=self.status_callback,
                parameters={**parameters, TOKEN: signed},
            )
        except (TwilioError, TwimlError, ValueError) as error:
            return str(error)
        return None
