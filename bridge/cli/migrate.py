"""`bridge migrate`: the record, from SQLite into PostgreSQL."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bridge import config
from bridge.cli.loop import run
from bridge.errors import ConfigError, StoreError, StoreInUse
from bridge.store.opening import move_record

if TYPE_CHECKING:
    from bridge.store.moving.moving import Moved

_KINDS = ("calls", "events", "texts", "lanes", "endpoints")


def migrate() -> None:
    """Copy the record from SQLite, in DATA_DIR, into PostgreSQL, at DATABASE_URL, while no bridge runs; then check it.

    Broken off, it goes on where it was when it is typed again. Exits with 1 if anything there is not as it is here.
    """
    settings = config.load()
    if settings.database_url is None:
        raise ConfigError("set DATABASE_URL to where the record is to go: postgresql://user:password@host/name")
    shown = Shown(Console(stderr=True, highlight=False))
    try:
        with shown.showing():
            moved = run(move_record(settings.data_dir, settings.database_url.get_secret_value(), shown.tell))
    except StoreInUse as error:
        raise StoreError("a bridge uses the record: stop it first, then migrate") from error
    if moved.before:
        typer.echo("The record is in PostgreSQL already, and nothing was copied.")
        return
    _report(moved)
    if not moved.is_same:
        typer.echo("It is not the same: nothing reads it there yet, and the one here is as it was.", err=True)
        raise typer.Exit(1)
    _say_what_follows(moved)


class Shown:
    """How far it has come, on a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("calls {task.description}"),
            MofNCompleteColumn(),
            BarColumn(24),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar: TaskID | None = None

    @contextlib.contextmanager
    def showing(self) -> Iterator[None]:
        """While it is copied."""
        self._bar = self._progress.add_task("", total=None)
        # Older versions of rich end a progress that is disabled with an empty line.
        with contextlib.nullcontext() if self._progress.disable else self._progress:
            yield

    def tell(self, doing: str, done: int, total: int) -> None:
        """So many calls of so many are done with."""
        if self._bar is not None:
            self._progress.update(self._bar, description=doing, completed=done, total=total)


def _report(moved: "Moved") -> None:
    """What was copied, and what was compared."""
    there_before = moved.here["calls"] - moved.copied
    before = f"; {there_before:,} were there already" if there_before else ""
    typer.echo(f"Copied {moved.copied:,} of {moved.here['calls']:,} calls{before}. Compared:\n")
    typer.echo(f"{'':10}{'SQLite':>14}{'PostgreSQL':>14}")
    for kind in _KINDS:
        typer.echo(f"{kind:10}{moved.here[kind]:>14,}{moved.there[kind]:>14,}")
    typer.echo(f"{'sha256':10}{moved.hash_here[:12]:>14}{moved.hash_there[:12]:>14}")
    for difference in moved.shown:
        typer.echo(difference, err=True)
    if moved.different > len(moved.shown):
        typer.echo(f"and {moved.different - len(moved.shown):,} others", err=True)


def _say_what_follows(moved: "Moved") -> None:
    if moved.shift:
        typer.echo(
            "\nThere were events in PostgreSQL already, and in the feed of all calls these come after them: a reader of"
            f" the old feed adds {moved.shift} to its cursor."
        )
    else:
        typer.echo("\nEvery event has its place in the feed of all calls: readers go on at their cursors.")
    typer.echo(
        "All of it is the same. Start the bridge with DATABASE_URL, and this DATA_DIR: kept audio and recordings are"
        " there. Its SQLite record is not used any more, and can be deleted."
    )
