"""A bridge's record and its live feed, for consumers, as objects. `import bridge.client` has it; it needs aiohttp."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, Self

from bridge.client.asking import (
    Asking,
    BridgeAddress,
    ClientPolicy,
    Connected,
    Json,
    Lost,
    Told,
    checked,
    json_object,
    path_of,
)
from bridge.client.received import Event, RecordedCall, Reset, Unknown, event, recorded_call
from bridge.errors import ReadingError, RemoteProtocolError, Unreachable
from bridge.event_stream import ServerSentEvent

__all__ = [
    "Bridge",
    "BridgeAddress",
    "ClientPolicy",
    "Connected",
    "Link",
    "Lost",
    "Paused",
    "ReadingError",
    "Unreachable",
]

_PAGE = 1000  # events in one answer


@dataclass(frozen=True, slots=True)
class Link:
    """A link to one call for a reader without a token."""

    url: str
    token: str
    """Gives access to the call as `?access=`."""
    expires_at: str


@dataclass(frozen=True, slots=True)
class Paused:
    """How a call stands after it was asked something."""

    paused: bool
    paused_at: float | None
    """Seconds of the call; None: it is heard."""


def _silent(told: Lost | Connected) -> None:
    """Most consumers need not know."""


class Bridge:
    """`async with Bridge(url, token) as bridge`; every method raises ReadingError.

    Where a bridge cannot answer now, that is `Unreachable`: another attempt may succeed.
    """

    def __init__(self, url: str, token: str, policy: ClientPolicy | None = None) -> None:
        """`url`: such as `https://calls.example.com`. `token`: one of its `BRIDGE_READ_TOKENS`. Raises ConfigError."""
        self._asking = Asking(BridgeAddress(checked(url, "url"), token), policy)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()

    async def calls(
        self,
        *,
        limit: int = 50,
        active: bool | None = None,
        carrier_call_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        since: str | None = None,
        until: str | None = None,
        said: str | None = None,
    ) -> AsyncIterator[RecordedCall]:
        """The newest calls, at most `limit`. `from_`, `to`: parts of a number; `since`, `until`: ISO 8601 times;
        `said`: words, as the page's search takes them.
        """
        asked = {
            "active": None if active is None else str(active).lower(),
            "carrier_call_id": carrier_call_id,
            "from": from_,
            "to": to,
            "since": since,
            "until": until,
            "q": said,
        }
        wanted = {name: value for name, value in asked.items() if value is not None}
        async for found in self._asking.calls(wanted, limit):
            yield _told(found)

    async def call(self, call_id: str) -> RecordedCall:
        """Everything about one call except its events."""
        return _told(await self._asking.call(call_id))

    async def events(self, call_id: str, after: int = 0, types: Iterable[str] = ()) -> AsyncIterator[Event]:
        """The events of a call that are in the record by now, after that `seq`, all or of these types."""
        wanted = {"limit": str(_PAGE), "types": ",".join(types)}
        while True:
            page, following, _ = await self._asking.events(call_id, {**wanted, "after": str(after)})
            for raw in page:
                yield _event(raw, call_id)
            if len(page) < _PAGE:
                return
            after = following

    async def transcript(self, call_id: str, form: Literal["txt", "json", "srt", "vtt"] = "txt") -> str:
        """What was said, as the bridge renders it."""
        return (await self._asking.transcript(call_id, form)).decode()

    async def link(self, call_id: str, expires_in: float = 3600.0) -> Link:
        """A link to this one call for a reader without a token, for so many seconds."""
        link = await self._asking.link(call_id, expires_in)
        return Link(link["url"], link["token"], link["expires_at"])

    async def control(
        self,
        call_id: str,
        action: Literal["pause", "resume", "finalize", "configure", "stop"],
        *,
        keyterms: Iterable[str] | None = None,
        numerals: bool | None = None,
    ) -> Paused:
        """Ask something of a call that goes on; `keyterms`, `numerals`: with `configure`."""
        body: Json = {"action": action}
        if keyterms is not None:
            body["keyterms"] = list(keyterms)
        if numerals is not None:
            body["numerals"] = numerals
        stands = await self._asking.control(call_id, body)
        return Paused(stands["paused"], stands.get("paused_at"))

    async def deliver(self, call_id: str | None = None, after: int | None = None, endpoint: str | None = None) -> int:
        """Have the webhook get what it lacks of a call, or of all; with `after` everything after that `seq` once more.
        Returns the number of calls.
        """
        calls, _ = await self._asking.deliver(call_id, after, endpoint)
        return calls

    async def delete(self, call_id: str) -> None:
        """Delete a call that has ended: record, recording, what is still to be delivered."""
        await self._asking.delete(call_id)

    async def follow(
        self,
        call_id: str | None = None,
        *,
        after: str = "",
        types: Iterable[str] = (),
        told: Told = _silent,
        patient: bool = True,
    ) -> AsyncGenerator[Event, None]:
        """Events as they come, interims too: one call's from its first to its end, or those of all calls from now on.

        A connection that is lost is made again, and the feed goes on where it was: nothing is missed and nothing comes
        twice. `after`: the `cursor` of the last event that was handled before this consumer was restarted. `types`:
        only these. `told` hears of the connection. `patient`: a bridge that is not there yet is waited for. An event of
        type `reset` says that the record is another one, and that what follows begins again.
        """
        path = "/calls/live" if call_id is None else path_of(call_id, "/events")
        chosen = ",".join(types)
        feed = self._asking.follow(
            f"{path}?types={chosen}" if chosen else path,
            told,
            whole=call_id is not None,
            last_id=after,
            patient=patient,
        )
        async with aclosing(feed):
            async for message in feed:
                yield _message(message, call_id or "")


def _message(message: ServerSentEvent, call_id: str) -> Event:
    raw = json_object(message.data)
    if raw is None:
        raise ReadingError("the bridge sent an event that is no JSON")
    if message.event == "reset":
        return Event(call_id, None, "", Reset.type, "", Reset(), raw, message.id)
    if "type" not in raw:  # another version has something to say of the feed itself
        return Event(call_id, None, "", message.event, "", Unknown.model_validate(raw), raw, message.id)
    return _event(raw, str(raw.get("call_id", call_id)), message.id)


def _event(raw: Json, call_id: str, cursor: str = "") -> Event:
    try:
        return event(raw, call_id, cursor)
    except RemoteProtocolError as error:
        raise ReadingError(f"the bridge sent {error}") from None


def _told(raw: Json) -> RecordedCall:
    try:
        return recorded_call(raw)
    except RemoteProtocolError as error:
        raise ReadingError(f"the bridge sent {error}") from None
