"""The local engine's commands: one for each part, and `bridge demo`, which runs them together.

The parts are imported inside the functions, so that `bridge serve` does not load what it does not need.
"""

import logging
import time
from enum import StrEnum
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Annotated

import typer

from bridge import logs
from bridge.cli.arguments import folder, seconds, secrets, socket_url, web_url
from bridge.cli.loop import run
from bridge.errors import BridgeError, ConfigError

if TYPE_CHECKING:
    from bridge.local.deepgram import LocalDeepgram
    from bridge.local.recognition import RecognizerFactory

log = logging.getLogger("bridge.local")


class Tracks(StrEnum):
    """The tracks of a call that is played."""

    both = "both"
    inbound = "inbound"
    outbound = "outbound"


class EngineError(BridgeError):
    """A part of the local engine has failed."""


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Faster than real time")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and say what to try next")] = False,
) -> None:
    """Play the sample call through the whole bridge on this machine and print what the webhook gets."""
    from rich.console import Console

    from bridge.cli import demo as demonstration
    from bridge.local.receiver import check_installed

    check_installed()
    folder = Path("data") / f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
    shown = run(demonstration.demo(folder, Console(highlight=False), fast=fast, keep=keep))
    raise typer.Exit(0 if shown else 1)


def call(
    recordings: Annotated[
        list[Path] | None, typer.Argument(help="One WAV of two channels, or two of one; the sample call by default")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The media socket: wss://…", callback=socket_url)] = None,
    voice: Annotated[
        str | None, typer.Option(help="The voice webhook that names it: https://…", callback=web_url)
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            min=0,
            callback=seconds,
            help="Times real time; 0: as fast as the server reads. A bridge hands on 1.25 at most, unless set",
        ),
    ] = 1.0,
    token: Annotated[
        str | None,
        typer.Option(envvar="TWILIO_AUTH_TOKEN", callback=secrets, help="Signs the upgrade as Twilio does; the first"),
    ] = None,
    sign: Annotated[str | None, typer.Option(help="What to sign, where it is not the address itself")] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="A <Parameter>, as name=value")] = None,
    tracks: Annotated[Tracks, typer.Option(help="Those that are sent")] = Tracks.both,
    lost: Annotated[float, typer.Option(min=0, max=1, help="Share of the frames that get lost")] = 0.0,
    repeated: Annotated[float, typer.Option(min=0, max=1, help="Share of the frames that come twice")] = 0.0,
    reordered: Annotated[float, typer.Option(min=0, max=1, help="Share of the frames that come late")] = 0.0,
    late: Annotated[float, typer.Option(min=0, callback=seconds, help="Seconds before outbound begins")] = 0.0,
    wobble: Annotated[int, typer.Option(min=0, help="Milliseconds by which timestamps may be off")] = 0,
    drop_after: Annotated[
        float | None, typer.Option(min=0, callback=seconds, help="Seconds after which the socket breaks")
    ] = None,
) -> None:
    """Play a recording at the bridge on this machine, or at any server that takes Twilio's media streams."""
    from bridge.cli import calling
    from bridge.cli.welcome import command
    from bridge.events import TRACKS
    from bridge.local import sample
    from bridge.local.stream import CallerFaults
    from bridge.local.wav import load_recording

    if to and voice:
        raise ConfigError("say where to call only once: --to with a media socket, or --voice with a voice webhook")
    parameters = dict(_pair(text) for text in parameter or ())
    faults = CallerFaults(
        lost=lost, repeated=repeated, reordered=reordered, late=late, wobble_ms=wobble, drop_after=drop_after
    )
    sent = TRACKS if tracks is Tracks.both else (tracks.value,)
    # Of several tokens, while rotating, the first is the one that Twilio signs with from now on.
    arguments = calling.CallArguments(to, voice, token.split()[0] if token else None, sign, speed, parameters, sent)
    recording = load_recording(*(recordings or [sample.CALL]))
    summary = run(calling.call(arguments, recording, faults, lambda line: typer.echo(line, err=True)))
    if summary.messages:
        typer.echo(f"call {summary.call_id}: {summary.messages} messages in {summary.seconds:.1f} s")
        if not (to or voice):
            typer.echo(f"read it with: {command('transcript', summary.call_id[:10])}")
    if summary.unexpected:
        typer.echo(f"the server sent {summary.unexpected} messages; Twilio takes none on a <Start> stream (31924)")
    if summary.error:
        raise EngineError(summary.error)


def deepgram(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any")] = 8081,
    script: Annotated[Path | None, typer.Option(help="Words and times to say instead of listening (JSON)")] = None,
    key: Annotated[str | None, typer.Option(help="The only API key accepted; any by default")] = None,
    save: Annotated[
        Path | None, typer.Option(callback=folder, help="Where to keep what was heard, raw and WAV")
    ] = None,
    notices: Annotated[bool, typer.Option(help="Speak as the server of Deepgram's streaming test suite does")] = False,
    refuse: Annotated[int | None, typer.Option(help="Refuse with this status: 400, 401, 402, 403, 429, 503")] = None,
    first: Annotated[int | None, typer.Option(min=0, help="Only the first so many connections have faults")] = None,
    drop_after: Annotated[
        float | None, typer.Option(min=0, callback=seconds, help="Cut after so many seconds of audio")
    ] = None,
    stall_after: Annotated[
        float | None, typer.Option(min=0, callback=seconds, help="Stop answering after so many seconds of audio")
    ] = None,
    delay: Annotated[
        float, typer.Option(min=0, callback=seconds, help="Seconds by which every message comes late")
    ] = 0.0,
) -> None:
    """Serve Deepgram's live and pre-recorded API on this machine, with recognition from the sound."""
    from bridge.local.deepgram import Faults, serve
    from bridge.policies import own_egress

    logs.configure("info", "text")
    faults = Faults(first=first, refuse=refuse, drop_after=drop_after, stop_answering_after=stall_after, delay=delay)
    run(
        serve(
            _recognizers(script),
            host=host,
            port=port,
            key=key,
            save_dir=save,
            faults=faults,
            notices=notices,
            route=own_egress().route,
            ready=lambda url: typer.echo(f"DEEPGRAM_URL={url}"),
        )
    )


def vosk(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any")] = 2700,
    script: Annotated[Path | None, typer.Option(help="Words and times to say instead of listening (JSON)")] = None,
) -> None:
    """Serve the Vosk server's protocol on this machine, with recognition from the sound."""
    from bridge.local.vosk import serve

    logs.configure("info", "text")
    recognizers = _recognizers(script)
    run(serve(recognizers, host=host, port=port, ready=lambda url: typer.echo(f"BRIDGE_VOSK_URL={url}")))


def receive(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any")] = 8082,
    secret: Annotated[
        str | None,
        typer.Option(envvar="WEBHOOK_SECRET", callback=secrets, help="whsec_…; a new one is made and shown by default"),
    ] = None,
) -> None:
    """Receive a bridge's webhook: verify it, check its order and print the conversation."""
    from bridge.cli.receive import serve
    from bridge.delivery.signing import format_secret
    from bridge.local.receiver import check_installed

    check_installed()
    made = secret is None
    if secret is None:
        secret = format_secret(token_bytes(32))
        typer.echo(f"WEBHOOK_SECRET={secret}")
    run(serve(secret, host=host, port=port, made=made))


def local_deepgram() -> "LocalDeepgram":
    """The engine's recognizer on a free port, for `bridge serve --local`."""
    from bridge.local.deepgram import LocalDeepgram

    return LocalDeepgram(_recognizers(None), remember=False)


def _recognizers(script: Path | None) -> "RecognizerFactory":
    """Recognizers of sound if this interpreter has one; else the script of the sample call, and a warning."""
    from bridge.local import recognizer, sample
    from bridge.local.script import TimedRecognizers, load_script

    if script:
        return TimedRecognizers(load_script(script))
    if missing := recognizer.available():
        log.warning("no recognition here; every call gets the words of the sample call: %s", missing)
        return TimedRecognizers(load_script(sample.SCRIPT))
    return recognizer.SphinxRecognizer


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError("a parameter is name=value")
    return name, value
