"""`bridge load`: calls at a bridge that runs somewhere, and what became of them. The callers are in `local/load`."""

import asyncio
import json
import os
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from bridge import certificates, config, process
from bridge.carriers.twilio import TWILIO
from bridge.cli import place
from bridge.cli.arguments import seconds, secrets, socket_url, web_url
from bridge.cli.client import BridgeAddress, BridgeClient, ReadingError, find_bridge
from bridge.cli.load_report import figures, show
from bridge.cli.loop import run
from bridge.config import Settings
from bridge.errors import ConfigError
from bridge.local import sample
from bridge.local.load import Delays, Faults, Pacer, Plan, Tally, Target, follow, is_this_machine, play
from bridge.local.wav import load_recording
from bridge.web.server import raise_file_limit

MOST_CALLS = 1000
LONGEST_CALL = 600.0
"""Seconds."""
LONGEST = 240.0
"""Minutes."""
_PAUSE = 0.5  # seconds between two looks at the record


def _first(tokens: str | None) -> str | None:
    """Of several tokens, while rotating, the one that Twilio signs with from now on."""
    return tokens.split()[0] if tokens else None


def _share(what: str) -> Any:
    return typer.Option(min=0, max=1, callback=seconds, help=what)


def load(
    to: Annotated[
        str | None,
        typer.Option(help="The media socket: wss://…; by default that of the bridge here", callback=socket_url),
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="The voice webhook that names it for each call: https://…", callback=web_url)
    ] = None,
    calls: Annotated[int, typer.Option(min=1, max=MOST_CALLS, help="At once")] = 10,
    length: Annotated[
        float, typer.Option("--seconds", min=1, max=LONGEST_CALL, callback=seconds, help="Of each call")
    ] = 30.0,
    ramp: Annotated[
        float | None,
        typer.Option(min=0, max=600, callback=seconds, help="Seconds in which they begin; by default 0.1 for each"),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            min=0, max=LONGEST, callback=seconds, help="For which each caller calls again; 0: each calls once"
        ),
    ] = 0.0,
    lost: Annotated[float, _share("Share of the frames that get lost")] = 0.0,
    repeated: Annotated[float, _share("Share of the frames that come twice")] = 0.0,
    reordered: Annotated[float, _share("Share of the frames that come late")] = 0.0,
    dropped: Annotated[float, _share("Share of the calls whose socket breaks and comes back")] = 0.0,
    away: Annotated[float, typer.Option(min=0, max=60, callback=seconds, help="Seconds for which it is away")] = 1.0,
    token: Annotated[
        str | None,
        typer.Option(envvar="TWILIO_AUTH_TOKEN", callback=secrets, help="Signs the upgrades as Twilio does; the first"),
    ] = None,
    sign: Annotated[str | None, typer.Option(help="What to sign, where it is not the address itself")] = None,
    url: Annotated[str | None, typer.Option(help="Where its record is read; by default where it calls")] = None,
    record: Annotated[
        bool, typer.Option(help="Ask the bridge's record, with a token for it, what became of each call")
    ] = True,
    patience: Annotated[
        float, typer.Option(min=1, max=3600, callback=seconds, help="Seconds for the record to settle at the end")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Call another machine than this one")] = False,
) -> None:
    """Make many calls at once at a bridge, and report how many were complete, and how late they were."""
    settings = config.load()
    address, found = _address(settings, to, voice)
    faults = Faults(lost=lost, repeated=repeated, reordered=reordered, dropped=dropped, away=away)
    plan = Plan(calls, length, calls * 0.1 if ramp is None else ramp, minutes, faults)
    if not is_this_machine(address) and not yes:
        raise ConfigError(_warning(plan))
    target = Target(
        "" if voice else address, voice, _first(token), sign or found, certificates.trusted(os.environ), yes
    )
    bridge = find_bridge(settings, url or _origin(address)) if record else None
    tally, late = _made(plan, target, bridge, patience)
    if as_json:
        typer.echo(json.dumps(figures(plan, tally, late, record)))
    else:
        show(Console(highlight=False), plan, tally, late, record)
    if (tally.complete if record else tally.finished) < len(tally.played):
        raise typer.Exit(1)


def _address(settings: Settings, to: str | None, voice: str | None) -> tuple[str, str | None]:
    """Where to call, by default at the bridge on this machine, and what to sign for that. Raises ConfigError."""
    if to and voice:
        raise ConfigError("say where to call: --to with a media socket, or --voice with a voice webhook, not both")
    if given := to or voice:
        return given, None
    bridge = place.find(settings)
    if bridge is None:
        raise ConfigError("no bridge is known here: start `bridge serve --local`, or say where to call: --to, --voice")
    here, signed = (url.replace("http", "ws", 1) + TWILIO.path for url in (bridge.url, bridge.public_url))
    return here, signed


def _warning(plan: Plan) -> str:
    minutes = max(plan.minutes, plan.seconds / 60) * plan.calls
    return (
        f"this would hold {plan.calls} calls, for {minutes:.0f} minutes of calls in all, at another machine: its "
        "recognizer may charge for them, and its webhook gets them. Add --yes if that is meant"
    )


def _origin(address: str) -> str:
    """Where the record of the bridge at this media socket, or voice webhook, is read."""
    parts = urlsplit(address)
    return f"{'https' if parts.scheme in ('wss', 'https') else 'http'}://{parts.netloc}"


def _made(plan: Plan, target: Target, bridge: BridgeAddress | None, patience: float) -> tuple[Tally, Delays]:
    """Make the calls; what became of them, and how late their frames were."""
    tally, pacer = Tally(), Pacer()
    raise_file_limit(plan.calls)
    run(_load(plan, target, bridge, tally, pacer, patience))
    return tally, pacer.late


async def _load(
    plan: Plan, target: Target, bridge: BridgeAddress | None, tally: Tally, pacer: Pacer, patience: float
) -> None:
    if bridge is None:
        process.spare_collector()
        await play(plan, target, load_recording(sample.CALL), tally, pacer)
        return
    opened = asyncio.Event()
    reading = asyncio.create_task(follow(bridge.url, bridge.token, tally, opened, target.tls))
    try:
        waiting = asyncio.create_task(opened.wait())
        await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if reading.done():
            reading.result()
        process.spare_collector()
        await play(plan, target, load_recording(sample.CALL), tally, pacer)
        async with BridgeClient(bridge) as client:
            await settle(client, tally, patience)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def settle(client: BridgeClient, tally: Tally, patience: float) -> None:
    """Ask the record of each call until it is over and done with, or patience ends."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + patience
    while open_calls := tally.open_calls():
        for call_id in open_calls:
            try:
                tally.record(call_id, await client.call(call_id))
            except ReadingError:
                continue  # a call that was never begun is in no record; it counts as not complete
        if loop.time() > ends or not tally.open_calls():
            return
        await asyncio.sleep(_PAUSE)
