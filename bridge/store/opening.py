"""Which store there is: the one place that knows, for the server and for commands that work without one."""

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import StoreError
from bridge.outlets import Outlets
from bridge.store.base import ManagedStore
from bridge.store.salvage import Salvaged, salvage
from bridge.store.sqlite import FILENAME, SQLiteStore

if TYPE_CHECKING:
    from bridge.store.moving.moving import Moved


def open_store(
    data_dir: Path,
    endpoints: Outlets | Sequence[str] = (),
    *,
    owner: str | None = None,
    database_url: str | None = None,
    reached_at: str | tuple[str, int] | None = None,
) -> ManagedStore:
    """The store in `data_dir`, or in the PostgreSQL at `database_url`; `async with` opens it, or says in a `StoreError`
    why it cannot.

    `endpoints`: those that are to get the events of the calls that begin from now on. `owner`: an id for
    this process that none had before (`Ownership.owner`); by default one by chance. `reached_at`: this process's origin
    for others with the same record, or the host and port at which it listens; None: they do not reach it.
    """
    if database_url is None:
        return SQLiteStore(data_dir, endpoints, owner=owner)
    if lacking := lacking_driver():
        raise StoreError(lacking)
    from bridge.store.postgres.store import PostgresStore  # not above: its driver is there only where it is wanted

    return PostgresStore(database_url, endpoints, owner=owner, data_dir=data_dir, reached_at=reached_at)


def lacking_driver() -> str | None:
    """What to type where the driver of PostgreSQL is not installed; None: it is."""
    if all(map(find_spec, ("psycopg", "snowballstemmer"))):
        return None
    return "DATABASE_URL needs the driver of PostgreSQL: pip install 'media-stream-bridge[postgres]'"


DATABASE = FILENAME
"""How the names of the store's files in `data_dir` begin."""


def repair_store(data_dir: Path, endpoints: Outlets | Sequence[str] = ()) -> Salvaged | None:
    """Save what can be read of a damaged store that no process uses; None: it is whole.

    Raises `StoreError` where that cannot be done.
    """
    return salvage(data_dir / FILENAME, endpoints, time.time())


async def move_record(data_dir: Path, database_url: str, tell: Callable[[str, int, int], object]) -> "Moved":
    """Copy the record in `data_dir` into the PostgreSQL at `database_url`, and compare the two. `tell`: what is done,
    with how many calls it is done, and of how many.

    Raises `StoreError` where that cannot be done; given again, it goes on where it was.
    """
    if lacking := lacking_driver():
        raise StoreError(lacking)
    from bridge.store.moving.moving import move

    return await move(data_dir, database_url, tell)
