"""`bridge receive`: runs the local receiver and prints the conversation from what it gets."""

import asyncio

from rich.console import Console

from bridge.cli.conversation import ConversationPrinter
from bridge.cli.welcome import command, show
from bridge.local.receiver import Receiver


async def serve(secret: str, *, host: str, port: int, console: Console | None = None, made: bool = False) -> None:
    """Receive events and print the conversation until cancelled. `made`: the secret is new, and no bridge has it."""
    console = console or Console(highlight=False)
    with ConversationPrinter(console) as conversation:
        receiver = Receiver(
            secret,
            host=host,
            port=port,
            on_event=conversation.receive,
            on_problem=conversation.problem,
            # A receiver that starts in the middle of a call must not report the earlier events as lost.
            from_start=False,
            keep=1000,
        )
        async with receiver:
            conversation.note(f"waiting for events: WEBHOOK_URL={receiver.url}")
            if made and console.is_terminal:
                serve = command("serve", "--local", elsewhere=True)
                bridge = f"WEBHOOK_URL={receiver.url} WEBHOOK_SECRET={secret} {serve}"
                show(console, "Next, in another terminal and this folder:", [(bridge, "a bridge that posts here")])
            await asyncio.Event().wait()
