"""Where events are kept and lanes remember how far the webhook has got.

Its users find the protocols and values here; `open_store` stands in `opening`, so that only its callers load a store.
"""

from bridge.store.base import (
    CallAudio,
    CallFilter,
    CallIndex,
    CallRow,
    EventLog,
    FoundCall,
    Hint,
    KeptAudio,
    LiveBus,
    LoggedEvent,
    ManagedStore,
    Outbox,
    Ownership,
    Query,
    Store,
    StoredEvent,
    Topic,
    Trouble,
)

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
]
