"""`bridge import`: recordings made elsewhere, into the record."""

import asyncio
import contextlib
import math
import signal
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bridge import config, logs
from bridge.call.imported import Parties
from bridge.cli.arguments import deepgram_options, seconds, socket_urls
from bridge.cli.importing import Importing
from bridge.cli.loop import run
from bridge.cli.readying import YEARS, Wanted
from bridge.cli.recordings import Recording, find
from bridge.cli.sources import undecoded
from bridge.config import Settings
from bridge.errors import ConfigError
from bridge.events import Direction
from bridge.policies import backfill_policy, call_policy, own_egress
from bridge.text import clock, plain

_STOPPED = 130  # the status of a command that Ctrl-C has ended

Sources = Annotated[
    list[str], typer.Argument(help="Files, folders, http(s)://… addresses, Twilio's among them", show_default=False)
]


def import_(
    sources: Sources,
    model: Annotated[str | None, typer.Option("-m", "--model", help="Deepgram's model")] = None,
    host: Annotated[str | None, typer.Option("--host", help="By default DEEPGRAM_URL", callback=socket_urls)] = None,
    option: Annotated[list[str] | None, typer.Option(help="A parameter of Deepgram's, as name=value")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Who speaks on a channel, the first one first")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Who called")] = None,
    to: Annotated[str | None, typer.Option(help="Who was called")] = None,
    direction: Annotated[Direction | None, typer.Option(help="Of the call: names the channels caller, callee")] = None,
    started_at: Annotated[
        str | None, typer.Option(help="When it began, as 2026-11-20T10:00:00Z; by default what the file says")
    ] = None,
    recording: Annotated[
        bool | None, typer.Option(help="Keep the audio; by default BRIDGE_RECORDINGS", show_default=False)
    ] = None,
    webhook: Annotated[bool, typer.Option("--webhook", help="Deliver them to WEBHOOK_URL")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Recordings at a time")] = 4,
    patience: Annotated[
        float, typer.Option(min=0, callback=seconds, help="Seconds for which Deepgram may be busy or away")
    ] = 600.0,
) -> None:
    """Transcribe recordings into the record; run again, it goes on where it was stopped."""
    settings = config.load(None, **({"deepgram_url": host} if host else {}))
    settings = _checked(settings, host)
    if webhook and not settings.webhook_url:
        raise ConfigError("--webhook needs WEBHOOK_URL")
    logs.configure("error", "text")  # what else there is to say is shown
    labels = call_policy(settings).labels
    wanted = Wanted(
        Parties(from_, to, direction, name or [], labels),
        deepgram_options(settings.deepgram_options, model, option or []),
        _moment(started_at),
        keep=settings.bridge_recordings if recording is None else recording,
        deliver=webhook,
        at_once=at_once,
        patience=patience,
    )
    found, others = find(sources, settings.bridge_twilio_api)
    if others:
        typer.echo(f"{others} other {'file is' if others == 1 else 'files are'} left out.", err=True)
    if not found:
        raise ConfigError("there is no recording")
    run(import_all(settings, found, wanted))


def _checked(settings: Settings, host: str | None) -> Settings:
    """Settings with which the recordings can be transcribed: a server of one's own may need no key, and is given a word
    in its place, as by `bridge stream`. Raises ConfigError."""
    if settings.bridge_vosk_url:
        if host:
            raise ConfigError("--host is for Deepgram, and with BRIDGE_VOSK_URL nothing goes there")
        return settings
    if settings.deepgram_api_key:
        return settings
    if any(url.endswith("deepgram.com") for url in settings.deepgram_origins):
        raise ConfigError("set DEEPGRAM_API_KEY: Deepgram transcribes the recordings")
    return settings.model_copy(update={"deepgram_api_key": SecretStr("none")})


async def import_all(settings: Settings, found: Sequence[Recording], wanted: Wanted) -> None:
    """Import them, and say what becomes of each. Raises typer.Exit if not all came in, and BridgeError."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    egress = own_egress()
    shown = Shown(Console(highlight=False), Console(stderr=True, highlight=False))
    importing = Importing(settings, egress, backfill_policy(settings), wanted, shown)
    with shown.showing(len(found)):
        whole = await importing.run(found, stop)
    counts = importing.counts
    if not whole:
        typer.echo(f"Stopped after {counts.imported}; the same command goes on from here.", err=True)
        raise typer.Exit(_STOPPED)
    if counts.failed:
        raise typer.Exit(1)


class Shown:
    """What becomes of each recording, a line each, and how far they have come, on a terminal."""

    def __init__(self, console: Console, errors: Console) -> None:
        self._errors = errors
        self._progress = Progress(
            TextColumn("recordings"),
            MofNCompleteColumn(),
            BarColumn(24),
            TextColumn("{task.fields[audio]} transcribed"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._console = console
        self._bar: TaskID | None = None
        self._seconds = 0.0
        self._reason = ""

    @contextlib.contextmanager
    def showing(self, recordings: int) -> Iterator[None]:
        """While they are imported."""
        self._bar = self._progress.add_task("", total=recordings, audio=clock(0))
        # Older versions of rich end a progress that is disabled with an empty line.
        with contextlib.nullcontext() if self._progress.disable else self._progress:
            yield

    def imported(self, name: str, call_id: str, seconds: float, words: int) -> None:
        """It is in the record."""
        self._say(self._console, f"{name}: {call_id}, {clock(seconds)}, {words} {'word' if words == 1 else 'words'}")

    def known(self, name: str, call_id: str) -> None:
        """It has been before."""
        self._say(self._console, f"{name} is in the record already: {call_id}")

    def failed(self, name: str, reason: str) -> None:
        """It cannot be imported."""
        self._say(self._errors, f"{name} is not imported: {reason}")

    def broken(self, name: str, packets: int) -> None:
        """So many packets of it cannot be decoded, and are left out."""
        self._errors.print(plain(f"{name}: {undecoded(packets)}"), markup=False, soft_wrap=True)

    def transcribed(self, seconds: float) -> None:
        """So much more audio is."""
        self._seconds += seconds
        if self._bar is not None:
            self._progress.update(self._bar, audio=clock(self._seconds))

    def waits(self, reason: str) -> None:
        """Deepgram is busy, or away; said once for each reason."""
        if reason != self._reason:
            self._errors.print(plain(f"waiting for Deepgram: {reason}"), markup=False, soft_wrap=True)
        self._reason = reason

    def _say(self, console: Console, line: str) -> None:
        console.print(plain(line), markup=False, soft_wrap=True)
        if self._bar is not None:
            self._progress.advance(self._bar)


def _moment(text: str | None) -> float | None:
    """Seconds since 1970; of this machine's time zone if it names none. Raises ConfigError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        at = math.nan
    if not YEARS[0] <= at < YEARS[1]:
        raise ConfigError("--started-at takes a time such as 2026-11-20T10:00:00Z")
    return at
