"""`bridge deliver`: have a running bridge post to its webhook again."""

from typing import Annotated

import typer

from bridge import config
from bridge.cli.arguments import Url, call_id
from bridge.cli.client import Client, Place, place
from bridge.cli.loop import run
from bridge.errors import ConfigError


def deliver(
    call: Annotated[
        str | None, typer.Argument(help="The call's id; by default all that have something left", callback=call_id)
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="Everything behind this seq once more; 0: from the first event")
    ] = None,
    url: Url = None,
) -> None:
    """Deliver now what the webhook did not take; with --after what it has had already, too."""
    if after is not None and call is None:
        raise ConfigError("say which call: --after is the seq of an event of one call")
    calls = run(_deliver(place(config.load(), url), call, after))
    if not calls:
        typer.echo("Everything has been delivered.", err=True)
    elif call:
        typer.echo(f"{call} is delivered now.")
    else:
        typer.echo(f"{calls} {'call is' if calls == 1 else 'calls are'} delivered now.")


async def _deliver(where: Place, call: str | None, after: int | None) -> int:
    async with Client(where) as client:
        return await client.deliver(call, after)
