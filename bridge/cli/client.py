"""The client of the commands: a bridge's address and token from the settings, and words about the connection.

It prints nothing: messages for the person who follows a feed go to `tell`. What is asked, and how, is `bridge.client`.
"""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from bridge import values
from bridge.cli import place
from bridge.client.asking import (
    Asking,
    BridgeAddress,
    ClientPolicy,
    Connected,
    Json,
    Lost,
    checked,
    json_object,
    path_of,
)
from bridge.config import Settings
from bridge.errors import ConfigError, ReadingError, Unreachable
from bridge.event_stream import ServerSentEvent
from bridge.store.token import kept_token

__all__ = ["BridgeAddress", "BridgeClient", "ClientPolicy", "Json", "ReadingError", "Unreachable", "find_bridge"]

LAST = "last"
"""Names the newest call, in place of its id."""

_WHOLE = 34
"""Characters of Twilio's ids. Other carriers' are longer; what is as long is not looked up."""


def find_bridge(settings: Settings, url: str | None) -> BridgeAddress:
    """The bridge at `url`, or the one with these settings on this machine, and the token for it: BRIDGE_TOKEN, which
    programs with `bridge.client` have too, or else what the bridge itself takes. Raises ConfigError."""
    if url is None:
        here = place.find(settings)
        if here is None:
            raise ConfigError("say where the bridge is: --url, because PORT=0 lets it take any port")
        url = here.url
    try:
        given = values.trimmed(os.environ.get("BRIDGE_TOKEN", ""))
        token = values.secret(given) if given else None
    except ValueError:
        raise ConfigError("BRIDGE_TOKEN must be one token, of letters, digits and signs") from None
    token = token or (settings.read_tokens[0] if settings.read_tokens else kept_token(settings.data_dir))
    if not token:
        raise ConfigError(
            f"no token in DATA_DIR, now {settings.data_dir}: run this in the folder in which a bridge was started, "
            "or set BRIDGE_TOKEN to one of its BRIDGE_READ_TOKENS"
        )
    return BridgeAddress(checked(url, "--url"), token)


class BridgeClient(Asking):
    """`async with BridgeClient(address) as client`; every method raises ReadingError."""

    named = "--url"

    async def find(self, call: str, *, active: bool = False) -> str:
        """The id of the call that is meant: by its id, the beginning of one, or `last`. `active`: the last of those
        that go on."""
        if len(call) >= _WHOLE:
            return call
        going_on = {"active": "true"} if active else {}
        if call == LAST:
            async for newest in self.calls(going_on, 1):
                return str(newest["id"])
            raise ReadingError("no call goes on" if active else "there are no calls yet")
        ids = [str(found["id"]) async for found in self.calls({"id": call}, self._policy.page)]
        if call in ids or not ids:
            return call
        if len(ids) > 1:
            raise ReadingError(f"{call} begins the ids of several calls, write more of it: {', '.join(ids[:5])}")
        return ids[0]

    async def deliveries(self, endpoint: str | None, limit: int) -> Json:
        """How the endpoints do, and at most `limit` calls that are stuck."""
        stands = await self._json("/deliveries", {"limit": str(limit), **({"endpoint": endpoint} if endpoint else {})})
        if not isinstance(stands.get("endpoints"), list) or not isinstance(stands.get("calls"), list):
            raise self._no_bridge()
        return stands

    async def deliver_event(self, call_id: str, seq: int, endpoint: str | None = None) -> Json:
        """Have one event posted once more. What each endpoint answered; None: it is not told of it."""
        body = {"seq": seq, **({"endpoint": endpoint} if endpoint else {})}
        async with self._ask("POST", path_of(call_id, "/deliveries"), body=body) as response:
            told = (json_object(await response.read()) or {}).get("endpoints")
        if not isinstance(told, dict):
            raise self._no_bridge()
        return told

    async def watch(
        self, path: str, tell: Callable[[str], None], *, whole: bool = True
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """As `follow`, with a sentence about a connection that is lost, and one when it is back."""

        def told(what: Lost | Connected) -> None:
            if isinstance(what, Lost):
                tell("the connection is lost; reconnecting …")
            elif what.after is not None:
                tell(_back(what.after, what.complete))

        async with aclosing(self.follow(path, told, whole=whole)) as messages:
            async for message in messages:
                yield message


def _back(seconds: float, complete: bool) -> str:
    told = "nothing was missed" if complete else "what happened meanwhile may be missing"
    return f"back after {seconds:.1f} s; {told}"
