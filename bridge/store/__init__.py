"""Where events are kept and lanes remember how far the webhook has got."""

from bridge.store.base import (
    CallFilter,
    CallRow,
    FoundCall,
    Hint,
    LoggedEvent,
    Query,
    Store,
    StoredEvent,
    Topic,
)

__all__ = [
    "CallFilter",
    "CallRow",
    "FoundCall",
    "Hint",
    "LoggedEvent",
    "Query",
    "Store",
    "StoredEvent",
    "Topic",
]
