"""`bridge stream`: any audio to Deepgram, straight, and its words here; no server is needed."""

import asyncio
import contextlib
import signal
import wave
from collections.abc import AsyncGenerator, Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge import config, logs
from bridge.call.imported import Parties
from bridge.cli.arguments import deepgram_options, seconds, socket_urls
from bridge.cli.handing import taken_in
from bridge.cli.loop import run
from bridge.cli.recorded import Recorder
from bridge.cli.sources import Raw, Source, SourceError, chunks, open_source, undecoded
from bridge.cli.streamed import Shown, printer
from bridge.cli.streaming import PATIENCE, Streaming
from bridge.config import Settings
from bridge.deepgram.options import Options
from bridge.deepgram.origins import Origins
from bridge.errors import BridgeError, ConfigError
from bridge.events import Event
from bridge.policies import deepgram, own_egress, redaction
from bridge.redaction.rules import Rules

_WORD = 0.5
"""Seconds in which there may be one."""


class Form(StrEnum):
    """How the words are written."""

    text = "text"
    srt = "srt"
    vtt = "vtt"


class StreamError(BridgeError):
    """Deepgram will not transcribe it."""


Key = Annotated[
    str | None,
    typer.Option("-k", "--key", help="Deepgram's API key, or one for each host; by default DEEPGRAM_API_KEY"),
]
Host = Annotated[
    str | None,
    typer.Option("--host", help="By default DEEPGRAM_URL; several in quotes, with blanks", callback=socket_urls),
]
Encoding = Annotated[
    str | None, typer.Option("-e", "--encoding", help="Of audio without a header: linear16, linear32, mulaw, alaw")
]


def stream(
    source: Annotated[
        str | None, typer.Argument(help="A file, - for standard input, http(s)://…, or mic", show_default=False)
    ] = None,
    input_: Annotated[str | None, typer.Option("-i", "--input", help="The same", show_default=False)] = None,
    key: Key = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="Deepgram's model")] = None,
    form: Annotated[Form, typer.Option("-f", "--format", help="How the words are written")] = Form.text,
    timestamps: Annotated[bool, typer.Option("-ts", "--timestamps", help="A line a final, with its seconds")] = False,
    host: Host = None,
    encoding: Encoding = None,
    rate: Annotated[int, typer.Option("-s", "--sample-rate", min=1000, max=192_000, help="Of the same")] = 8000,
    channels: Annotated[int, typer.Option("-c", "--channels", min=1, max=2, help="Of the same")] = 1,
    option: Annotated[list[str] | None, typer.Option(help="A parameter of Deepgram's, as name=value")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Who speaks on a channel, the first one first")] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Every event, a line each")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep what was sent, as a WAV file")] = None,
    record: Annotated[bool, typer.Option("--record", help="Put it into the bridge's record, as a call")] = False,
    patience: Annotated[
        float, typer.Option(min=0, callback=seconds, help="Seconds for which a Deepgram that goes away is waited for")
    ] = PATIENCE,
) -> None:
    """Transcribe any audio live: a file, standard input, an address, the microphone."""
    chosen = source or input_
    if chosen is None or (source and input_):
        raise ConfigError("say what to hear: a file, - for standard input, an address, or mic")
    logs.configure("error", "text")  # what else there is to say is shown
    settings = config.load()
    hosts = [each.rstrip("/") for each in (host or settings.deepgram_url).split()]
    origins = deepgram(hosts, _keys(hosts, key, settings), own_egress())
    options = deepgram_options(settings.deepgram_options, model, option or [])
    opened = open_source(chosen, Raw(encoding, rate, channels) if encoding else None)
    parties = Parties(names=name or [])
    shown = printer(Console(highlight=False), form.value, timestamps=timestamps, json_lines=json_lines)
    recorder, rules = None, redaction(settings)
    if record:
        kept = settings.bridge_recordings
        recorder = Recorder(settings.data_dir, opened, parties, settings.public_url, keep=kept, redact=rules.names)
    speakers = parties.speakers(opened.format.channels)
    try:
        work = _stream(
            opened,
            shown,
            save,
            recorder,
            origins=origins,
            options=options,
            speakers=speakers,
            rules=rules,
            patience=patience,
        )
        run(work)
    finally:
        if recorder and recorder.ended:
            run(taken_in(settings, recorder.call_id))
            typer.echo(f"recorded as {recorder.call_id}", err=True)


async def _stream(
    source: Source,
    shown: Shown,
    save: Path | None,
    recorder: Recorder | None,
    *,
    origins: Origins,
    options: Options,
    speakers: dict[str, str],
    rules: Rules,
    patience: float,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def receive(event: Event) -> None:
        shown.receive(event)
        if recorder:
            recorder.receive(event)

    streaming = Streaming(
        source,
        origins=origins,
        options=options,
        speakers=speakers,
        patience=patience,
        on_event=receive,
        name=recorder.call_id if recorder else "stream",
        seq=1 if recorder else 0,
        rules=rules,
    )
    with shown.showing(source.seconds, lambda: streaming.position), _saved(save, source) as keep:

        async def heard() -> AsyncGenerator[bytes, None]:
            async with contextlib.aclosing(chunks(source)) as read:
                async for chunk in read:
                    keep(chunk)
                    if recorder:
                        recorder.hear(chunk)
                    yield chunk

        try:
            await streaming.run(heard(), stop)
        finally:
            if recorder:
                recorder.end(
                    streaming.position,
                    streaming.requests,
                    refused=streaming.refusal is not None or not streaming.connected,
                )
    if source.broken.packets:
        typer.echo(undecoded(source.broken.packets), err=True)
    if trouble := _trouble(streaming):
        raise StreamError(trouble)


def _trouble(streaming: Streaming) -> str | None:
    """Why not all of it was transcribed."""
    if refusal := streaming.refusal:
        request = f" (request {refusal.request_id})" if refusal.request_id else ""
        return f"Deepgram refuses it: {refusal.reason}{request}"
    if away := streaming.away:
        why = f"{away.reason} at {away.origin}"
        if not streaming.connected:
            return f"Deepgram cannot be reached: {why}; --host names another address"
        return f"Deepgram went away and is given up: {why}; {streaming.missing:.1f} s were not transcribed"
    return f"{streaming.missing:.1f} s were not transcribed" if streaming.missing >= _WORD else None


def _keys(hosts: list[str], given: str | None, settings: Settings) -> list[str]:
    """As many as there are hosts; a server of one's own may need none."""
    own = settings.deepgram_api_key.get_secret_value() if settings.deepgram_api_key else ""
    keys = (given or own).split()
    if not keys and any(host.endswith("deepgram.com") for host in hosts):
        raise ConfigError(
            "set DEEPGRAM_API_KEY, or give Deepgram's key with -k; --host names a server of yours that needs none"
        )
    keys = keys or ["none"]
    if len(keys) not in (1, len(hosts)):
        raise ConfigError("there must be one key, or one for each host")
    return keys * len(hosts) if len(keys) == 1 else keys


@contextlib.contextmanager
def _saved(path: Path | None, source: Source) -> Iterator[Callable[[bytes], None]]:
    """What takes each chunk that is sent."""
    if path is None:
        yield lambda chunk: None
        return
    try:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(source.format.channels)
            file.setsampwidth(2)
            file.setframerate(source.format.rate)
            yield file.writeframesraw
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}") from error
