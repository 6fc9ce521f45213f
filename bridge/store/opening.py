"""Which store there is: the one place that knows, for the server and for commands that work without one."""

import time
from collections.abc import Sequence
from pathlib import Path

from bridge.store.base import ManagedStore
from bridge.store.salvage import Salvaged, salvage
from bridge.store.sqlite import FILENAME, SQLiteStore


def open_store(data_dir: Path, endpoints: Sequence[str] = (), *, owner: str | None = None) -> ManagedStore:
    """The store in `data_dir`; `async with` opens it, or says in a `StoreError` why it cannot.

    `endpoints`: the ids of those that are to get every event of the calls that begin from now on. `owner`: an id for
    this process that none had before (`Ownership.owner`); by default one by chance.
    """
    return SQLiteStore(data_dir, endpoints, owner=owner)


def repair_store(data_dir: Path, endpoints: Sequence[str] = ()) -> Salvaged | None:
    """Save what can be read of a damaged store that no process uses; None: it is whole.

    Raises `StoreError` where that cannot be done.
    """
    return salvage(data_dir / FILENAME, endpoints, time.time())
