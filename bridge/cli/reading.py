"""`bridge calls`, `bridge transcript`, `bridge delete`: read and delete records through a running bridge's API.

They do not use the store, so they work from any machine that has a token. Text from calls is printed to a terminal
without control characters; a file gets every octet.
"""

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge import config
from bridge.cli.arguments import Call, Url
from bridge.cli.client import BridgeAddress, BridgeClient, Json, ReadingError, find_bridge
from bridge.cli.loop import run
from bridge.errors import ConfigError
from bridge.text import plain

_WORTH_TELLING = 0.5  # seconds of audio without words

WIDE = 100  # columns of a terminal from which on ids have room

_SHORTEST = 10  # characters of a shortened id

UNBROKEN = 1000  # columns of a table that is not printed to a terminal


class Form(StrEnum):
    """The formats of a transcript."""

    txt = "txt"
    json = "json"
    srt = "srt"
    vtt = "vtt"


def iso_time(text: str | None) -> str | None:
    """Check a time, of this machine's zone unless it says another; None passes. Raises BadParameter."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "a time is written 2026-11-20 or 2026-11-20T10:00, with Z or +01:00 after it"
        ) from None


def calls(
    active: Annotated[bool, typer.Option("--active", help="Only those that go on")] = False,
    from_: Annotated[str | None, typer.Option("--from", help="Part of the caller's number")] = None,
    to: Annotated[str | None, typer.Option(help="Part of the number that was called")] = None,
    carrier_call_id: Annotated[
        str | None, typer.Option(metavar="ID", help="All records of this call of the carrier's")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Begun at this time or later: 2026-11-20T10:00, of this zone", callback=iso_time)
    ] = None,
    until: Annotated[str | None, typer.Option(help="Begun before this time", callback=iso_time)] = None,
    search: Annotated[str | None, typer.Option(metavar="WORDS", help="What was said")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Each as one line of JSON")] = False,
    url: Url = None,
) -> None:
    """List the calls of a bridge, the newest first."""
    asked = {
        "active": "true" if active else None,
        "carrier_call_id": carrier_call_id,
        "from": from_,
        "to": to,
        "since": since,
        "until": until,
        "q": search,
    }
    wanted = {name: value for name, value in asked.items() if value}
    found = run(_calls(find_bridge(config.load(), url), wanted, limit))
    if as_json:
        for call in found:
            typer.echo(json.dumps(call))  # in ASCII: other characters could control the terminal
    elif found:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = UNBROKEN
        console.print(_table(found, "q" in wanted, datetime.now(UTC), short=console.width < WIDE))
    else:
        typer.echo("No call matches." if wanted else "There are no calls yet.", err=True)


def transcript(
    call: Call,
    form: Annotated[Form, typer.Option("--format", help="Text, JSON, or captions")] = Form.txt,
    url: Url = None,
) -> None:
    """Write what was said in a call to the standard output, as the bridge renders it."""
    octets = run(_transcript(find_bridge(config.load(), url), call, form.value))
    if sys.stdout.isatty():
        text = octets.decode(errors="replace")
        typer.echo("\n".join(plain(line) for line in text.split("\n")), nl=not text.endswith("\n"))
    else:
        typer.echo(octets, nl=False)


def delete(
    call: Call,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    url: Url = None,
) -> None:
    """Delete a call that has ended from everywhere: record, recording, what is still to be delivered."""
    address = find_bridge(config.load(), url)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("there is no terminal to confirm the deletion on: use --yes")
        told = run(_call(address, call))
        call = str(told["id"])
        if told.get("active"):
            raise ReadingError(f"{call} is going on; it can be deleted when it has ended")
        what = f"{_when(told, datetime.now(UTC))}, {_parties(told)}, {_duration(told)}"
        typer.confirm(f"Delete {call} for good ({what})?", abort=True)
    typer.echo(f"{run(_delete(address, call))} is deleted.")


async def _calls(address: BridgeAddress, wanted: dict[str, str], limit: int) -> list[Json]:
    async with BridgeClient(address) as client:
        return [call async for call in client.calls(wanted, limit)]


async def _call(address: BridgeAddress, call: str) -> Json:
    async with BridgeClient(address) as client:
        return await client.call(await client.find(call))


async def _transcript(address: BridgeAddress, call: str, form: str) -> bytes:
    async with BridgeClient(address) as client:
        return await client.transcript(await client.find(call), form)


async def _delete(address: BridgeAddress, call: str) -> str:
    """Which call it was."""
    async with BridgeClient(address) as client:
        found = await client.find(call)
        await client.delete(found)
    return found


def _table(found: list[Json], searched: bool, now: datetime, *, short: bool) -> Table:
    """`short`: with ids that are cut to what tells them apart, which commands take as well."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("call", no_wrap=True)
    table.add_column("begun", no_wrap=True)
    table.add_column("from → to")
    table.add_column("length", justify="right", no_wrap=True)
    table.add_column(
        "said" if searched else "words", justify="left" if searched else "right", no_wrap=not (searched or short)
    )
    ids = [str(call.get("id")) for call in found]
    for call in found:
        duration = Text(_duration(call), style="bold green" if call.get("active") else "")
        said = plain(call.get("snippet") or "") if searched else _words(call)
        name = str(call.get("id"))
        cells = plain(beginning(name, ids) if short else name), _when(call, now), _parties(call)
        table.add_row(*(Text(cell) for cell in cells), duration, Text(said))
    return table


def beginning(name: str, ids: list[str]) -> str:
    """What tells an id from these others; all of it where another one goes on after it."""
    for length in range(_SHORTEST, len(name)):
        if not any(other.startswith(name[:length]) for other in ids if other != name):
            return name[:length]
    return name


def _when(call: Json, now: datetime) -> str:
    """The start in this machine's time zone; for a call of another year its date only."""
    moment = datetime.fromisoformat(call["started_at"]).astimezone()
    return moment.strftime("%b %d %H:%M" if moment.year == now.astimezone().year else "%Y-%m-%d")


def _parties(call: Json) -> str:
    """Who called whom; of a recording of which that is not known, its name."""
    if (name := call.get("name")) and not call.get("from") and not call.get("to"):
        return plain(name)
    return " → ".join(plain(call.get(name) or "?") for name in ("from", "to"))


def _duration(call: Json) -> str:
    seconds = call.get("duration")
    if call.get("active") or seconds is None:
        return "live" if call.get("active") else "?"
    hours, rest = divmod(int(seconds + 1e-6), 3600)  # cut, as on the page
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def _words(call: Json) -> str:
    """The number of words, and how many seconds of audio have none yet or were transcribed after the call."""
    figures = call.get("figures")
    told = [str(sum(figures["words"].values()))] if figures else []
    waiting = call.get("waiting") or 0.0
    for seconds, what in (
        ((call.get("missing") or 0.0) - waiting, "missing"),
        (waiting, "to come"),
        (call.get("backfilled") or 0.0, "added later"),
    ):
        if seconds >= _WORTH_TELLING:
            told.append(f"{seconds:.0f} s {what}")
    return ", ".join(told)
