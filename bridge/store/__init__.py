"""Where events are kept and lanes remember how far the webhook has got."""

from bridge.store.base import (
    CallRow,
    Hint,
    Lane,
    ParkedLane,
    Query,
    Settlement,
    Store,
    StoredEvent,
    Topic,
)

__all__ = [
    "CallRow",
    "Hint",
    "Lane",
    "ParkedLane",
    "Query",
    "Settlement",
    "Store",
    "StoredEvent",
    "Topic",
]
