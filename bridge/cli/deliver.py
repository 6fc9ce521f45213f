"""`bridge deliver`: have a running bridge post to its webhook, and in Twilio's format, again."""

from typing import Annotated

import typer

from bridge import config
from bridge.cli.arguments import Url, call_id
from bridge.cli.client import BridgeAddress, BridgeClient, find_bridge
from bridge.cli.loop import run
from bridge.errors import ConfigError


def deliver(
    call: Annotated[
        str | None, typer.Argument(help="The call's id; by default all that have something left", callback=call_id)
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="Everything after this seq once more; 0: from the first event")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="webhook|twilio", help="To this one only; by default to each that is set up")
    ] = None,
    url: Url = None,
) -> None:
    """Deliver now what the webhook did not take; with --after also what it has already had."""
    if after is not None and call is None:
        raise ConfigError("say which call: --after is the seq of an event of one call")
    calls = run(_deliver(find_bridge(config.load(), url), call, after, endpoint))
    if not calls:
        typer.echo("Everything has been delivered.", err=True)
    elif call:
        typer.echo(f"{call} is posted now.")
    else:
        typer.echo(f"{calls} {'call is' if calls == 1 else 'calls are'} posted now.")


async def _deliver(address: BridgeAddress, call: str | None, after: int | None, endpoint: str | None) -> int:
    async with BridgeClient(address) as client:
        return await client.deliver(call, after, endpoint)
