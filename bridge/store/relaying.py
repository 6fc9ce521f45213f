"""Which process takes the streams of a call, where several have one record; and how the others reach it.

Not a part of `Store`: where one process has the record all streams come to it.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Keeper:
    """Another process, which has a call, or is about to begin its record."""

    node: str
    """Its open store."""
    url: str | None
    """Its origin; None: it cannot be reached."""
    key: str = field(repr=False)
    """With which a stream is marked that is relayed there. Only those who share the record can read it."""


class Keepers(Protocol):
    """Finds them, and has no two processes begin one record."""

    @property
    def key(self) -> str:
        """This process's own."""

    async def find(self, call_id: str) -> Keeper | None:
        """Which other process has a call, by the carrier's id, lives, does not stop, and can be reached. Raises
        `StoreError`."""

    async def begin(self, record_id: str) -> Keeper | None:
        """This process is about to begin a record; None: it may, and no other that lives begins it. Else that one.
        Raises `StoreError`."""
