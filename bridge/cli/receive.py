"""`bridge receive`: the local receiver, and what it gets, printed as it comes."""

import asyncio

from rich.console import Console

from bridge.cli.conversation import Conversation
from bridge.local.receiver import Receiver


async def serve(secret: str, *, host: str, port: int, console: Console | None = None) -> None:
    """Receive events and print the conversation until cancelled."""
    with Conversation(console) as conversation:
        receiver = Receiver(
            secret,
            host=host,
            port=port,
            on_event=conversation.receive,
            on_problem=conversation.problem,
            # A receiver that starts in the middle of a call has not lost what came before.
            from_start=False,
            keep=1000,
        )
        async with receiver:
            conversation.note(f"waiting for events at {receiver.url}")
            await asyncio.Event().wait()
