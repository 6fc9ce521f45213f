"""The demo: the whole bridge on this machine, with real audio, real signatures and a real database.

The bridge runs in a process of its own, as in production. This process plays the other parts: Twilio, which asks for
TwiML and then plays the sample call to the socket it names, and the webhook, whose view is printed.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from rich.console import Console

from bridge.cli.conversation import ConversationPrinter
from bridge.cli.welcome import command, short, show
from bridge.delivery.signing import format_secret
from bridge.errors import BridgeError
from bridge.local import sample, voice
from bridge.local.caller import Summary, Target, play
from bridge.local.receiver import Receiver
from bridge.local.recognizer import ABOUT, available
from bridge.local.script import load_script
from bridge.local.wav import load_recording
from bridge.store.token import FILENAME as TOKEN_FILE
from bridge.store.token import own_token
from bridge.text import json_line

FAST = 3.0
"""Times real time with `--fast`: the recognizer still keeps up on a small machine."""

_OURS = frozenset({"DEEPGRAM_API_KEY", "DEEPGRAM_OPTIONS", "DATABASE_URL", "TWILIO_SIGNATURE", "DYNO"})
"""Settings of the environment that the demo does not pass on."""

_FILES = {
    "events.jsonl": "what the webhook got",
    "transcript.txt": "what was said",
    "captions.vtt": "the same as captions",
    "bridge.db": "the record",
    "call.wav": "the recording, two channels",
    "bridge.log": "the bridge's log",
}

_WRITTEN = {"transcript.txt": "transcript.txt", "captions.vtt": "transcript.vtt", "call.wav": "audio.wav"}
"""Files, and their paths below `/calls/{id}`."""

_CLOSED = 10.0  # seconds from `call.ended` to the recording
_START = 30.0  # seconds the bridge may take to serve
_END = 60.0  # seconds from the last frame to `call.ended`


class DemoError(BridgeError):
    """The demo could not be shown."""


@dataclass(frozen=True, slots=True)
class Setup:
    """This demo's bridge: its address, folder and secrets."""

    origin: str
    folder: Path
    twilio_token: str
    webhook_secret: str
    read_token: str
    speed: float
    """Times real time."""


async def demo(folder: Path, console: Console, *, fast: bool = False, keep: bool = False) -> bool:
    """Run the demo; True if both speakers' words arrived, in order, with valid signatures. Files go into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = format_secret(secrets.token_bytes(32))
    setup = Setup(
        f"http://127.0.0.1:{_free_port()}",
        folder,
        secrets.token_hex(16),
        secret,
        own_token(folder),
        FAST if fast else 1.0,
    )
    with ConversationPrinter(console) as conversation:
        receiver = Receiver(secret, on_event=conversation.receive, on_problem=conversation.problem)
        async with receiver:
            conversation.note("starting the bridge on the local engine")
            async with _bridge(setup, receiver.url):
                _tell_beginning(console, setup)
                url, options = await voice.ask(f"{setup.origin}/twiml/voice", setup.twilio_token)
                conversation.note("the number rings; playing the sample call")
                target = Target(url, speed=setup.speed, auth_token=setup.twilio_token)
                summary = await play(target, load_recording(sample.CALL), options)
                await _until_ended(receiver, options.call_id)
                faults = _faults(receiver, options.call_id, summary)
                await _write_files(setup, receiver, options.call_id)
                conversation.settle()
                _tell_end(console, setup, receiver, options.call_id)
                for fault in faults:
                    conversation.problem(fault)
                if keep:
                    await _keep(console, setup, receiver)
                else:
                    _tell_next(console)
    return not faults


@contextlib.asynccontextmanager
async def _bridge(setup: Setup, webhook_url: str) -> AsyncIterator[None]:
    """`bridge serve --local` in a process of its own; on exit it is asked to stop, and awaited."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS and name[:7] != "BRIDGE_"}
    environment = {
        **inherited,
        "HOST": "127.0.0.1",
        "PORT": str(urlsplit(setup.origin).port),
        "PUBLIC_URL": setup.origin,
        "DATA_DIR": str(setup.folder),
        "TWILIO_AUTH_TOKEN": setup.twilio_token,
        "WEBHOOK_URL": webhook_url,
        "WEBHOOK_SECRET": setup.webhook_secret,
        "WEBHOOK_INTERIM": "true",
        "BRIDGE_LABEL_OUTBOUND": "agent",
        "BRIDGE_REQUIRE_TOKEN": "true",
        "BRIDGE_RECORDINGS": "true",
        "BRIDGE_REPLAY_SPEED": str(max(1.25, 2 * setup.speed)),
        "BRIDGE_FLUSH_TIMEOUT": "30",
    }
    log = setup.folder / "bridge.log"
    serve = (sys.executable, "-m", "bridge", "serve", "--local")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*serve, env=environment, stderr=output, stdout=output)
    try:
        await _until_served(process, setup.origin, log)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_served(process: asyncio.subprocess.Process, origin: str, log: Path) -> None:
    deadline = time.monotonic() + _START
    async with aiohttp.ClientSession() as session:
        while process.returncode is None and time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{origin}/healthz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it wrote nothing"]
    raise DemoError(f"the bridge did not start: {last[0]}")


async def _until_ended(receiver: Receiver, call_id: str) -> None:
    with contextlib.suppress(TimeoutError):  # `_faults` reports what is missing
        await receiver.until(lambda: _events(receiver, call_id, "call.ended"), _END)


def _events(receiver: Receiver, call_id: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in receiver.events(call_id) if event["type"] == kind]


def _faults(receiver: Receiver, call_id: str, summary: Summary) -> list[str]:
    """What went wrong, a sentence each."""
    ended = _events(receiver, call_id, "call.ended")
    heard = {event["data"]["speaker"] for event in _events(receiver, call_id, "transcript.final")}
    checks = {
        f"the call could not be played: {summary.error}": summary.error is None,
        "there is not exactly one call.ended": len(ended) == 1,
        "the last words did not come in time": all(event["data"]["flush"] == "complete" for event in ended),
        "a delivery's signature did not verify": receiver.counters["unverified"] == 0,
        f"not both speakers were heard, only {sorted(heard)}": len(heard) == 2,
    }
    return [sentence for sentence, holds in checks.items() if not holds] + receiver.order.violations


def _heard_of_spoken(receiver: Receiver, call_id: str) -> float:
    """The share of the sample's words that arrived, each on its speaker's channel and in order."""
    script = load_script(sample.SCRIPT)
    spoken = heard = 0
    for channel, words in enumerate(script.channels):
        said = [word.word for word in words]
        finals = [event["data"] for event in _events(receiver, call_id, "transcript.final")]
        arrived = [word["word"] for data in finals if data["channel"] == channel for word in data["words"]]
        blocks = SequenceMatcher(None, said, arrived, autojunk=False).get_matching_blocks()
        spoken += len(said)
        heard += sum(block.size for block in blocks)
    return heard / spoken


async def _write_files(setup: Setup, receiver: Receiver, call_id: str) -> None:
    """Write the events that the webhook got, as lines of JSON, and the record's transcripts and audio."""
    headers = {"Authorization": f"Bearer {setup.read_token}"}
    async with aiohttp.ClientSession(setup.origin, headers=headers, raise_for_status=True) as session:
        await _until_recorded(session, call_id)
        for name, path in _WRITTEN.items():
            async with session.get(f"/calls/{call_id}/{path}", raise_for_status=False) as response:
                if response.ok:
                    (setup.folder / name).write_bytes(await response.read())
    with (setup.folder / "events.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json_line(json.dumps(event, ensure_ascii=False)) + "\n" for event in receiver.events(call_id))


async def _until_recorded(session: aiohttp.ClientSession, call_id: str) -> None:
    """Wait for the recording, which is closed after `call.ended`; without one the demo goes on."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSED):
            while True:
                async with session.get(f"/calls/{call_id}") as response:
                    if (await response.json())["audio"]["available"]:
                        return
                await asyncio.sleep(0.1)


def _tell_beginning(console: Console, setup: Setup) -> None:
    """Where the page is, before the number rings, and what hears the call."""
    missing = available()
    recognizer = f"{missing}; the words come from a script instead of the sound" if missing else ABOUT
    show(console, "The bridge serves while the demo runs.", [("page", _page(setup)), ("recognizer", recognizer)])
    console.print()


def _tell_end(console: Console, setup: Setup, receiver: Receiver, call_id: str) -> None:
    counters = receiver.counters
    heard = f"{_heard_of_spoken(receiver, call_id):.0%} of the spoken words arrived on the right channel"
    verified = (
        f"{counters['deliveries']} deliveries verified, {counters['unverified']} not; "
        f"{counters['new']} events, {len(receiver.order.violations)} out of order"
    )
    show(console, "The call is over.", [("heard", heard), ("webhook", verified)])
    files = [(short(path), what) for name, what in _FILES.items() for path in sorted(setup.folder.glob(name))]
    show(console, "What is left of it:", files)


def _tell_next(console: Console) -> None:
    rows = [
        (command("serve", "--local"), "the bridge on this machine, until Ctrl-C; it says what to type next"),
        (command("demo", "--keep"), "this demo, left running"),
        (command("--help"), "everything else"),
    ]
    show(console, "Next:", rows)
    console.print("\nA number of yours: README.md, “Point a number at it”.", soft_wrap=True)


async def _keep(console: Console, setup: Setup, receiver: Receiver) -> None:
    """Leave everything running until a signal comes, and say what to try."""
    places = [("the page", _page(setup)), ("the bridge", setup.origin), ("the webhook", receiver.url)]
    show(console, "All of it is left running; Ctrl-C ends it.", places)
    bearer = f'-H "Authorization: Bearer $(cat {short(setup.folder / TOKEN_FILE)})"'
    rows = [
        (f"TWILIO_AUTH_TOKEN={setup.twilio_token} {_elsewhere(setup, 'call')}", "another call"),
        (_elsewhere(setup, "watch"), "shows it as it is spoken"),
        (_elsewhere(setup, "transcript", "last"), "what was said"),
        (f"curl -s {bearer} {setup.origin}/calls", "the record"),
        (f"curl -N {bearer} -H 'Accept: text/event-stream' {setup.origin}/calls/live", "the live feed"),
    ]
    show(console, "Try, in another terminal and this folder:", rows)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _elsewhere(setup: Setup, *words: str) -> str:
    """A command for another terminal."""
    return command(*words, data_dir=setup.folder, elsewhere=True)


def _page(setup: Setup) -> str:
    return f"{setup.origin}/#token={setup.read_token}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
