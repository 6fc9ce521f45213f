"""The receiver's own command: what it prints of what it gets."""

import asyncio
import re
import time
from io import StringIO

import aiohttp
from rich.console import Console

from bridge.cli.receive import serve
from bridge.delivery.envelope import envelope
from bridge.delivery.signing import Signer, format_secret
from bridge.events import Event
from bridge.outbox import call_header
from tests.fakes import words
from tests.fakes.waiting import until

SECRET, ANOTHER = format_secret(b"n" * 32), format_secret(b"o" * 32)


async def post(url: str, events: list[Event], secret: str) -> int:
    body = envelope(call_header(words.started(events[0].call_id)), [event.to_json() for event in events], ())
    async with aiohttp.ClientSession() as client:
        async with client.post(url, data=body, headers=Signer(secret).headers("evt_1", body, time.time())) as response:
            return response.status


async def test_a_new_secret_comes_with_the_command_that_has_it() -> None:
    out = StringIO()
    console = Console(file=out, width=60, force_terminal=True, color_system=None)
    serving = asyncio.create_task(serve(SECRET, host="127.0.0.1", port=0, console=console, made=True))
    await until(lambda: "posts here" in out.getvalue())
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    (line,) = [line for line in out.getvalue().splitlines() if "serve --local" in line]
    assert re.search(
        rf"WEBHOOK_URL=http://127\.0\.0\.1:\d+/webhook WEBHOOK_SECRET={re.escape(SECRET)} \S*bridge serve --local", line
    )


async def test_what_comes_is_printed() -> None:
    out = StringIO()
    serving = asyncio.create_task(serve(SECRET, host="127.0.0.1", port=0, console=Console(file=out, width=100)))
    await until(lambda: out.getvalue().endswith("\n"))
    first = out.getvalue()
    assert (address := re.fullmatch(r"waiting for events: WEBHOOK_URL=(http://127\.0\.0\.1:\d+/webhook)\n", first))
    assert await post(address[1], words.conversation(), SECRET) == 204
    assert await post(address[1], [words.final(seq=9)], ANOTHER) == 401
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    lines = out.getvalue().splitlines()
    assert lines[1].startswith("call CA1, inbound")
    assert lines[2] == "00:02.0  caller   words of 2 words of 3 words of 4"
    assert lines[-1] == "!! a delivery whose signature does not verify was refused"
