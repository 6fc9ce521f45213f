"""`bridge repair`: save what can be read of a damaged record, with a copy of it set aside."""

import typer

from bridge import config
from bridge.errors import StoreError, StoreInUse
from bridge.policies import outlets
from bridge.store.opening import repair_store


def repair() -> None:
    """Save what can be read of a damaged database, while no bridge runs; the old one is kept beside it."""
    settings = config.load()
    if settings.database_url:
        raise StoreError("the record is in PostgreSQL, at DATABASE_URL: there is nothing of it here to repair")
    try:
        found = repair_store(settings.data_dir, outlets(settings))
    except StoreInUse as error:
        raise StoreError("a bridge uses the database: stop it first, then repair") from error
    if found is None:
        typer.echo("The database is whole: there is nothing to repair.")
        return
    typer.echo(f"Saved {found.calls} calls with {found.events} events; {found.lost} events are lost.")
    if found.urls:
        lost = "1 webhook that calls named is" if found.urls == 1 else f"{found.urls} webhooks that calls named are"
        typer.echo(f"Where {lost} is not known any more: what waits there stays with its calls.")
    typer.echo(f"The damaged database is kept in {found.copy}; delete it when it is not needed any more.")
