"""`bridge deliveries`: how the delivery stands at each endpoint; and one event, or all since a time, once more."""

import json
from datetime import datetime
from typing import Annotated

import typer

from bridge import config
from bridge.cli.arguments import Url, call_id
from bridge.cli.client import BridgeAddress, BridgeClient, Json, ReadingError, find_bridge
from bridge.cli.deliver import what_is_wrong
from bridge.cli.loop import run
from bridge.cli.reading import iso_time
from bridge.errors import ConfigError
from bridge.text import plain

_STATES = {
    "well": "takes what it gets",
    "failing": "does not take what it gets",
    "refusing": "fails, and is asked now and then",
    "recovering": "answers again",
    "gone": "said that it is gone: bridge deliver takes it up again",
    "removed": "is not in the settings any more; what waits is kept",
}
_UNWELL = ("failing", "refusing", "gone")


def deliveries(
    call: Annotated[
        str | None, typer.Argument(help="With --seq: the call's id or its beginning, or last", callback=call_id)
    ] = None,
    seq: Annotated[
        int | None, typer.Option(min=1, help="Post this event of the call once more, and nothing else")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Deliver every event of this time or later once more: 2026-11-20T10:00, of this zone",
            callback=iso_time,
        ),
    ] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="NAME", help="Of this one only; by default of all")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many calls that are stuck")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As the bridge answers")] = False,
    url: Url = None,
) -> None:
    """Show how each endpoint does and which calls are stuck; or deliver one event, or all since a time, once more."""
    if (call is None) != (seq is None):
        raise ConfigError("one event needs both: the call's id, and --seq")
    if since and call:
        raise ConfigError("--since is for all calls; for one call there is bridge deliver CALL --after")
    address = find_bridge(config.load(), url)
    if call and seq:
        _post(seq, *run(_again(address, call, seq, endpoint)))
    elif since:
        calls = run(_since(address, since, endpoint))
        typer.echo(f"{calls} {'call is' if calls == 1 else 'calls are'} posted now.")
    else:
        stands = run(_stands(address, endpoint, limit))
        if as_json:
            typer.echo(json.dumps(stands))
        else:
            _show(stands)


def _post(seq: int, call: str, answers: Json) -> None:
    """What each endpoint answered. Raises ReadingError if one did not accept it."""
    for name, attempt in answers.items():
        said = f"answered: {attempt['answer']}" if attempt else "is not told of this event"
        typer.echo(f"{plain(name)} {plain(said)}")
    if any(attempt and not attempt["accepted"] for attempt in answers.values()):
        raise ReadingError(f"event {seq} of {call} was not accepted")


def _show(stands: Json) -> None:
    if not stands["endpoints"]:
        typer.echo("There is no endpoint: set WEBHOOK_URL.", err=True)
    for endpoint in stands["endpoints"]:
        typer.echo(_endpoint(endpoint))
    for lane in stands["calls"]:
        typer.echo(_lane(lane))
    if any(endpoint["state"] in _UNWELL for endpoint in stands["endpoints"]):
        typer.echo(what_is_wrong(), err=True)
    if stands["more"]:
        typer.echo("There are more calls that are stuck: --limit, --endpoint.", err=True)


def _endpoint(endpoint: Json) -> str:
    parts = [f"{plain(endpoint['name'])} {_STATES.get(endpoint['state'], endpoint['state'])}"]
    if endpoint["url"]:
        parts[0] = f"{plain(endpoint['name'])} ({plain(endpoint['url'])}) {_STATES.get(endpoint['state'], '')}"
    if last := endpoint["last"]:
        parts.append(f"last: {plain(last['answer'])} in {last['took']:.2f} s at {_clock(last['at'])}")
    for count, what in ((endpoint["waiting"], "waiting"), (endpoint["parked"], "given up")):
        if count:
            parts.append(f"{count} {'call' if count == 1 else 'calls'} {what}")
    if endpoint["next_try"] and endpoint["state"] != "well":
        parts.append(f"next try at {_clock(endpoint['next_try'])}")
    return "; ".join(parts)


def _lane(lane: Json) -> str:
    left = lane["seq"] - lane["cursor"]
    what = "given up" if lane["parked"] else f"next try at {_clock(lane['next_try'])}"
    events = f"{left} {'event' if left == 1 else 'events'}"
    return f"  {lane['call_id']} to {plain(lane['endpoint'])}: {events} left, {what}: {plain(lane['reason'] or '')}"


def _clock(time: str) -> str:
    """In this machine's time zone."""
    return datetime.fromisoformat(time).astimezone().strftime("%b %d %H:%M:%S")


async def _stands(address: BridgeAddress, endpoint: str | None, limit: int) -> Json:
    async with BridgeClient(address) as client:
        return await client.deliveries(endpoint, limit)


async def _since(address: BridgeAddress, since: str, endpoint: str | None) -> int:
    async with BridgeClient(address) as client:
        calls, _ = await client.deliver(None, None, endpoint, since=since)
        return calls


async def _again(address: BridgeAddress, call: str, seq: int, endpoint: str | None) -> tuple[str, Json]:
    """Which call it was, and what each endpoint answered."""
    async with BridgeClient(address) as client:
        found = await client.find(call)
        return found, await client.deliver_event(found, seq, endpoint)
