"""`bridge watch`: shows a call, or all of them, in the terminal as they are spoken.

This module decides which calls are followed, and until when; `conversation` prints them.
"""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated

import typer
from rich.console import Console

from bridge import config
from bridge.cli.arguments import Url, call_id
from bridge.cli.client import BridgeAddress, BridgeClient, Json, ReadingError, find_bridge
from bridge.cli.conversation import ConversationPrinter
from bridge.cli.loop import run
from bridge.errors import ConfigError
from bridge.event_stream import ServerSentEvent
from bridge.events import CallEnded, CallStarted

Tell = Callable[[str], None]


def watch(
    call: Annotated[
        str | None,
        typer.Argument(
            help="The call's id or its beginning, or last: the newest; by default the newest that goes on, or the next",
            callback=call_id,
        ),
    ] = None,
    all_calls: Annotated[bool, typer.Option("--all", help="Every call, until Ctrl-C")] = False,
    url: Url = None,
) -> None:
    """Show a call as it is spoken, until it ends."""
    if call and all_calls:
        raise ConfigError("give a call to watch, or --all, not both")
    try:
        run(_watch(find_bridge(config.load(), url), call, all_calls, Console(highlight=False)))
    except KeyboardInterrupt:
        pass  # Ctrl-C is the usual way to stop


async def _watch(address: BridgeAddress, call: str | None, all_calls: bool, console: Console) -> None:
    async with BridgeClient(address) as client:
        with ConversationPrinter(console, name_calls=all_calls) as conversation:
            # If the output is a file, only the conversation goes there.
            tell = conversation.note if console.is_terminal else _aside
            if all_calls:
                await _follow_all(client, conversation, tell)
            else:
                found = await client.find(call) if call else await _newest(client, tell)
                await _follow_one(client, found, conversation, tell)


async def _newest(client: BridgeClient, tell: Tell) -> str:
    """The newest call that goes on, as soon as there is one."""
    async for call in client.calls({"active": "true"}, 1):
        return str(call["id"])
    tell("no call goes on; waiting for the next one …")
    feed = client.watch(f"/calls/live?types={CallStarted.type}", tell, whole=False)
    async with aclosing(feed):
        async for message in feed:
            if event := _event(message):
                return str(event["call_id"])
    raise ReadingError("the bridge ended the feed of all calls, which has no end")


async def _follow_one(client: BridgeClient, call: str, conversation: ConversationPrinter, tell: Tell) -> None:
    seq = 0
    async for message in client.watch(f"/calls/{call}/events", tell):
        if message.event == "reset":
            seq = 0
            conversation.forget(call)
            tell("the record is another one; from its beginning:")
        if event := _event(message):
            number = event.get("seq", seq)
            if number > seq + 1:
                conversation.problem(f"{number - seq - 1} events did not come")
            seq = number
            conversation.receive({"id": call}, event)


async def _follow_all(client: BridgeClient, conversation: ConversationPrinter, tell: Tell) -> None:
    going_on: set[str] = set()
    tell("following all calls; Ctrl-C ends it")
    async for message in client.watch("/calls/live", tell, whole=False):
        if message.event == "reset":
            while going_on:
                conversation.forget(going_on.pop())
            tell("the record is another one; from now on:")
        if event := _event(message):
            call = event["call_id"]
            if event["type"] == CallStarted.type and call in going_on:
                continue  # after reconnecting without a cursor the feed repeats which calls go on
            if event["type"] == CallStarted.type:
                going_on.add(call)
            elif event["type"] == CallEnded.type:
                going_on.discard(call)
            conversation.receive({"id": call}, event)
            if call not in going_on:
                conversation.forget(call)


def _event(message: ServerSentEvent) -> Json | None:
    """The event in a message; None for a reset. Raises ReadingError."""
    if message.event == "reset":
        return None
    try:
        event: Json = json.loads(message.data)
    except ValueError as error:
        raise ReadingError("the bridge sent an event that is no JSON") from error
    return event


def _aside(text: str) -> None:
    typer.echo(text, err=True)
