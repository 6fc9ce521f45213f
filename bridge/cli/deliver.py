"""`bridge deliver`: have a running bridge post to its endpoints again, and say what became of it."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import typer

from bridge import config
from bridge.cli.arguments import Url, call_id, seconds
from bridge.cli.client import BridgeAddress, BridgeClient, find_bridge
from bridge.cli.loop import run
from bridge.cli.welcome import command
from bridge.errors import ConfigError
from bridge.text import plain

_PAUSE = 0.1  # seconds between two looks

_SHOWN = 50  # calls whose reasons are looked at

_GONE = "status 410"  # after it nothing is posted to an endpoint by itself

_GIVEN_UP = "it is given up until this command is given again"

Json = Mapping[str, Any]


def deliver(
    call: Annotated[
        str | None,
        typer.Argument(
            help="The call's id or its beginning, or last: the newest; by default all that have something left",
            callback=call_id,
        ),
    ] = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="Everything after this seq once more; 0: from the first event")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="To this one only, such as webhook or twilio; by default to each")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, callback=seconds, help="Seconds to wait for what becomes of it; 0: do not")
    ] = 30.0,
    url: Url = None,
) -> None:
    """Deliver now what the webhook did not take, and say whether it has; with --after also what it has already had."""
    if after is not None and call is None:
        raise ConfigError("say which call: --after is the seq of an event of one call")
    address = find_bridge(config.load(), url)
    left = run(_deliver_call(address, call, after, endpoint, wait) if call else _deliver_all(address, endpoint, wait))
    for line in left:
        typer.echo(line, err=True)
    if left:
        typer.echo(what_is_wrong(), err=True)
        raise typer.Exit(1)


def what_is_wrong() -> str:
    """How to find out why an endpoint does not take what it gets."""
    return f"To see what is wrong there, with the bridge's settings: {command('webhook', 'test')}"


async def _deliver_call(
    address: BridgeAddress, call: str, after: int | None, endpoint: str | None, wait: float
) -> list[str]:
    """A sentence for each endpoint that has not taken it all."""
    async with BridgeClient(address) as client:
        found = await client.find(call)
        _, resumed = await client.deliver(found, after, endpoint)
        names = [name for name, calls in resumed.items() if calls]
        if not names:
            typer.echo("Everything has been delivered.", err=True)
            return []
        if not wait:
            typer.echo(f"{found} is posted now.")
            return []
        seq = (await client.call(found))["seq"]
        stand = await _until(lambda: _call_stands(client, found, names, seq), wait)
    for name in names:
        if name not in stand:
            typer.echo(f"{found} is delivered to {name}.")
    return [f"{found} is not delivered to {name}: {why or _unanswered(wait)}" for name, why in stand.items()]


async def _call_stands(client: BridgeClient, call: str, names: Collection[str], seq: int) -> dict[str, str | None]:
    told: Json = (await client.call(call)).get("deliveries") or {}
    return dict(call_left({name: told[name] for name in names if name in told}, seq))


async def _deliver_all(address: BridgeAddress, endpoint: str | None, wait: float) -> list[str]:
    """The same of all calls."""
    async with BridgeClient(address) as client:
        calls, resumed = await client.deliver(None, None, endpoint)
        if not calls:
            typer.echo("Everything has been delivered.", err=True)
            return []
        typer.echo(f"{calls} {'call is' if calls == 1 else 'calls are'} posted now.")
        if not wait:
            return []

        async def stands() -> dict[str, str | None]:
            left = all_left(await client.deliveries(endpoint, _SHOWN))
            return {name: why for name, why in left if resumed.get(name)}  # the others are removed

        stand = await _until(stands, wait)
    if not stand:
        typer.echo("All of it is delivered.")
    return [f"Not all is delivered to {name}: {why or _unanswered(wait)}" for name, why in stand.items()]


async def _until(stands: Any, wait: float) -> dict[str, str | None]:
    """How it stands, once nothing is left that may still be answered, or after `wait` seconds."""
    clock = asyncio.get_running_loop().time
    ends = clock() + wait
    while True:
        stand: dict[str, str | None] = await stands()
        if all(stand.values()) or clock() > ends:
            return stand
        await asyncio.sleep(_PAUSE)


def call_left(deliveries: Mapping[str, Json], seq: int) -> Iterator[tuple[str, str | None]]:
    """Each endpoint that has not had the events of a call up to `seq`, and why; None: it has not answered yet.

    `deliveries`: as in `GET /calls/{id}`.
    """
    for name, lane in deliveries.items():
        cursor, reason = lane.get("cursor"), lane.get("reason")
        if cursor is None or cursor >= seq:
            continue
        given_up = lane.get("state") == "parked" or reason == _GONE
        then = _GIVEN_UP if given_up else "it is tried again"
        yield name, f"{plain(str(reason))}; {then}" if reason else None


def all_left(deliveries: Json) -> Iterator[tuple[str, str | None]]:
    """The same of all calls. `deliveries`: as in `GET /deliveries`."""
    for endpoint in deliveries["endpoints"]:
        name, waiting, parked = str(endpoint["name"]), int(endpoint["waiting"]), int(endpoint["parked"])
        if not waiting + parked:
            continue
        if endpoint["state"] == "gone":
            yield name, f"{_GONE}; {_GIVEN_UP}"
            continue
        stuck = [call for call in deliveries["calls"] if call["endpoint"] == name and call.get("reason")]
        if len(stuck) < waiting + parked and not deliveries["more"]:
            yield name, None
            continue
        reasons = ", ".join(dict.fromkeys(plain(str(call["reason"])) for call in stuck))
        what = f"{waiting} {'call waits' if waiting == 1 else 'calls wait'} for another try"
        yield name, f"{reasons}; {what}" + (f", {parked} given up" if parked else "")


def _unanswered(wait: float) -> str:
    return f"no answer within {wait:.0f} s; it is waited for"
