"""How busy a store is, for `/metrics`."""

from dataclasses import dataclass, field

from bridge.histogram import MOMENTS, Histogram


@dataclass(slots=True)
class Load:
    """Kept up to date by the store."""

    capacity: int
    """Writes that may wait; beyond it they are refused."""
    waiting: int = 0
    """Writes that are not committed yet."""
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(MOMENTS))
    """How long commits took: from the first write to the disk's word that they are durable."""
