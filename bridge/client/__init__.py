"""For programs that consume what the bridge says: receive its webhook, read its record, follow its feed.

    webhook = Webhook(secret)                         verifies what is posted, and makes events of it
    for event in seen.new(webhook.receive(…)):        each event once
    async with Bridge(url, token) as bridge:          calls, events, transcripts, links, control
        async for event in bridge.follow():           live, over lost connections and restarts

Nothing of the server is imported here. The webhook needs pydantic only, `Bridge` and what belongs to it aiohttp too,
which is why they are loaded when they are first asked for. `bridge/docs/consumers.md` shows whole programs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bridge.client.deliveries import Delivery, Refused, Webhook, parse
from bridge.client.received import Call, Event, RecordedCall, Reset, Standing, Unknown
from bridge.client.seen import Seen, SeenFile, SeenStore
from bridge.errors import BridgeError, ConfigError, RemoteProtocolError
from bridge.events import (
    AudioGap,
    CallEnded,
    CallResumed,
    CallStarted,
    Data,
    DtmfReceived,
    EventLost,
    PauseEnded,
    PauseStarted,
    SpeechStarted,
    StreamFailed,
    Transcript,
    TranscriptFinal,
    TranscriptInterim,
    TranscriptionBackfilled,
    TranscriptionConfigured,
    TranscriptionInterrupted,
    TranscriptionResumed,
    TurnEagerEnd,
    TurnResumed,
    UtteranceCompleted,
    WebhookTest,
)

if TYPE_CHECKING:
    from bridge.client.reading import Bridge, ClientPolicy, Connected, Link, Lost, Paused, ReadingError, Unreachable

_READING = ("Bridge", "ClientPolicy", "Connected", "Link", "Lost", "Paused", "ReadingError", "Unreachable")

__all__ = [
    "AudioGap",
    "Bridge",
    "BridgeError",
    "Call",
    "CallEnded",
    "CallResumed",
    "CallStarted",
    "ClientPolicy",
    "ConfigError",
    "Connected",
    "Data",
    "Delivery",
    "DtmfReceived",
    "Event",
    "EventLost",
    "Link",
    "Lost",
    "PauseEnded",
    "PauseStarted",
    "Paused",
    "ReadingError",
    "RecordedCall",
    "Refused",
    "RemoteProtocolError",
    "Reset",
    "Seen",
    "SeenFile",
    "SeenStore",
    "SpeechStarted",
    "Standing",
    "StreamFailed",
    "Transcript",
    "TranscriptFinal",
    "TranscriptInterim",
    "TranscriptionBackfilled",
    "TranscriptionConfigured",
    "TranscriptionInterrupted",
    "TranscriptionResumed",
    "TurnEagerEnd",
    "TurnResumed",
    "Unknown",
    "Unreachable",
    "UtteranceCompleted",
    "Webhook",
    "WebhookTest",
    "parse",
]


def __getattr__(name: str) -> Any:
    if name in _READING:
        return getattr(import_module("bridge.client.reading"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
