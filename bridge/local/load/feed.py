"""Reads the bridge's feed of all calls while they are made, so that delays can be measured from outside."""

import asyncio
import json
import ssl
from time import monotonic

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bridge.errors import BridgeError
from bridge.local.caller import refusal
from bridge.local.load.tally import Tally

_TYPES = "call.started,transcript.interim,transcript.final,call.ended"
_PAUSE = 0.5  # seconds before a feed that broke is opened again
_LARGEST = 1 << 24  # octets of an event


class FeedError(BridgeError):
    """The feed cannot be read."""


async def follow(url: str, token: str, tally: Tally, opened: asyncio.Event, tls: ssl.SSLContext | None = None) -> None:
    """Read until cancelled; a feed that breaks is opened again. `url`: the bridge's origin. Sets `opened` when the feed
    is open.

    Raises FeedError if it cannot be opened at first.
    """
    address = f"ws{url.removeprefix('http')}/calls/live?types={_TYPES}"
    while True:
        try:
            async with connect(
                address,
                additional_headers={"Authorization": f"Bearer {token}"},
                max_size=_LARGEST,
                compression=None,
                proxy=None,
                ssl=tls if address.startswith("wss:") else None,
            ) as socket:
                opened.set()
                async for message in socket:
                    tally.receive(json.loads(message), monotonic())
        except (OSError, InvalidHandshake) as error:
            if isinstance(error, ConnectionRefusedError) and not opened.is_set():
                where = "start it with `bridge serve`, or say where to call: --to, --voice"
                raise FeedError(f"no bridge answers at {url}: {where}") from None
            if not opened.is_set():
                raise FeedError(f"the feed of the bridge cannot be read: {refusal(error)}") from None
        except ConnectionClosed:
            pass  # it is told below, as the end of a feed is
        tally.feed_lost += 1
        await asyncio.sleep(_PAUSE)
