"""`bridge audit`: who has read, heard, linked, controlled or deleted what, from a running bridge's audit log."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge import config
from bridge.cli.arguments import Url, call_id
from bridge.cli.client import BridgeAddress, BridgeClient, Json, find_bridge
from bridge.cli.loop import run
from bridge.cli.reading import UNBROKEN, WIDE, beginning, iso_time
from bridge.events import timestamp
from bridge.text import plain


def audit(
    who: Annotated[str | None, typer.Option(help="The name of the reader's token")] = None,
    action: Annotated[str | None, typer.Option(help="What was done: read, hear, delete …")] = None,
    call: Annotated[
        str | None, typer.Option(help="The call's id or its beginning, or last: the newest", callback=call_id)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="At this time or later: 2026-11-20T10:00, of this zone", callback=iso_time)
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this time", callback=iso_time)] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Each as one line of JSON")] = False,
    url: Url = None,
) -> None:
    """List who has read, heard, linked, controlled or deleted what, the newest first."""
    asked = {"who": who, "action": action, "since": _stamp(since), "until": _stamp(until)}
    wanted = {name: value for name, value in asked.items() if value}
    found = run(_entries(find_bridge(config.load(), url), wanted, call, limit))
    if as_json:
        for entry in found:
            typer.echo(json.dumps(entry))  # in ASCII: other characters could control the terminal
    elif found:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = UNBROKEN
        console.print(_table(found, short=console.width < WIDE))
    else:
        typer.echo("No entry matches." if wanted or call else "There are no entries yet.", err=True)


async def _entries(address: BridgeAddress, wanted: dict[str, str], call: str | None, limit: int) -> list[Json]:
    async with BridgeClient(address) as client:
        if call:
            wanted = {**wanted, "call_id": await client.find(call)}
        return [entry async for entry in client.audit(wanted, limit)]


def _table(found: list[Json], *, short: bool) -> Table:
    """`short`: with ids that are cut to what tells them apart."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("when", "who", "action", "call"):
        table.add_column(name, no_wrap=name != "who")
    table.add_column("what")
    table.add_column("status", justify="right", no_wrap=True)
    table.add_column("by")
    ids = list(dict.fromkeys(str(entry["call_id"]) for entry in found if entry.get("call_id")))
    for entry in found:
        call = str(entry.get("call_id") or "")
        cells = (
            datetime.fromisoformat(entry["time"]).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            entry.get("who") or "?",
            entry.get("action") or "",
            beginning(call, ids) if short else call,
            entry.get("form") or "",
            str(entry.get("status", "")),
            " ".join(part for part in (entry.get("via"), entry.get("address")) if part),
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _stamp(time: str | None) -> str | None:
    """As entries have it: the log compares the characters."""
    return timestamp(datetime.fromisoformat(time).timestamp()) if time else None
