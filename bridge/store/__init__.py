"""Where events are kept and lanes remember how far the webhook has got.

Its users find the protocols and values here; `open_store` stands in `opening`, so that only its callers load a store.
"""

from bridge.store.base import (
    CallFilter,
    CallIndex,
    CallRow,
    EventLog,
    FoundCall,
    Hint,
    LiveBus,
    LoggedEvent,
    ManagedStore,
    Ownership,
    Query,
    Store,
    StoredEvent,
    Topic,
    Trouble,
    Whose,
)
from bridge.store.kept import CallAudio, KeptAudio
from bridge.store.outbox import Outbox

__all__ = [
    "CallAudio",
    "CallFilter",
    "CallIndex",
    "CallRow",
    "EventLog",
    "FoundCall",
    "Hint",
    "KeptAudio",
    "LiveBus",
    "LoggedEvent",
    "ManagedStore",
    "Outbox",
    "Ownership",
    "Query",
    "Store",
    "StoredEvent",
    "Topic",
    "Trouble",
    "Whose",
]
