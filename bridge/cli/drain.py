"""`bridge drain`: have a running bridge stop, as by SIGTERM, and wait until it has."""

from typing import Annotated

import typer

from bridge import config
from bridge.cli.loop import run
from bridge.store import succession


def drain(
    wait: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=3600.0,
            help="Seconds to wait for a second bridge that goes on with its calls; if none comes, nothing is stopped",
        ),
    ] = 0.0,
) -> None:
    """Have the bridge that has DATA_DIR stop, and wait until it has: a second one that waits goes on with its calls."""
    settings = config.load()
    run(succession.drain(settings.data_dir, wait))
    typer.echo(f"The bridge that had {settings.data_dir} has let go of its calls.")
