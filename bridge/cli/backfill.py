"""`bridge backfill`: transcribe what a call lacks from its kept audio, after the bridge has given up trying."""

from pathlib import Path
from typing import Annotated

import typer

from bridge import app, config, logs
from bridge.call.backfill import request
from bridge.cli.arguments import Call, seconds
from bridge.cli.client import LAST
from bridge.cli.loop import run
from bridge.errors import ConfigError, StoreError, StoreInUse
from bridge.parts import REQUESTS
from bridge.store.audio.store import FOLDER


def backfill(
    call: Call,
    patience: Annotated[
        float, typer.Option(min=0, callback=seconds, help="Seconds for which to retry while Deepgram is away")
    ] = 60.0,
) -> None:
    """Transcribe what a call lacks from its kept audio; the finals are delivered as usual."""
    settings = config.load()
    if not settings.deepgram_api_key and not settings.bridge_vosk_url:
        raise ConfigError("set DEEPGRAM_API_KEY: Deepgram transcribes the kept audio")
    call = _meant(call, settings.data_dir)
    logs.configure(settings.bridge_log_level, settings.bridge_log_format)
    try:
        done = run(app.backfill(settings, call, patience))
    except StoreInUse:
        if not settings.bridge_audio_url and not (settings.data_dir / FOLDER / call).is_dir():
            raise StoreError(f"no audio is kept of {call}") from None
        request(settings.data_dir / REQUESTS, call)
        typer.echo(f"The bridge that is running transcribes {call} now: see its log, or the webhook.")
        return
    if not done:
        typer.echo(f"Not all of {call} could be transcribed; its audio stays.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{call} is transcribed from its kept audio.")


def _meant(call: str, data_dir: Path) -> str:
    """The call of which audio is kept, by its id, the beginning of one, or `last`. Raises StoreError."""
    kept = {path.name: path.stat().st_mtime for path in (data_dir / FOLDER).glob("*") if path.is_dir()}
    if call == LAST and kept:
        return max(kept, key=lambda name: kept[name])
    found = [name for name in kept if name.startswith(call)]
    if call in kept or not found:
        return call
    if len(found) > 1:
        raise StoreError(f"{call} begins the ids of several calls, write more of it: {', '.join(sorted(found)[:5])}")
    return found[0]
