"""Which store there is: the one place that knows, for the server and for commands that work without one."""

from collections.abc import Sequence
from pathlib import Path

from bridge.store.base import ManagedStore
from bridge.store.sqlite import SQLiteStore


def open_store(data_dir: Path, endpoints: Sequence[str] = ()) -> ManagedStore:
    """The store in `data_dir`; `async with` opens it, or says in a `StoreError` why it cannot.

    `endpoints`: the ids of those that are to get every event of the calls that begin from now on.
    """
    return SQLiteStore(data_dir, endpoints)
