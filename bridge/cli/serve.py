"""`bridge serve`: run the server."""

import logging
import os
import sys
from typing import Annotated

import typer
from pydantic import SecretStr

from bridge import app, checks, config, logs
from bridge.cli import engine
from bridge.cli.loop import run
from bridge.config import Settings
from bridge.store.token import FILENAME as TOKEN_FILE

log = logging.getLogger("bridge.app")


def serve(
    local: Annotated[
        bool, typer.Option("--local", help="Recognize on this machine: no Deepgram key, unsigned streams unless set")
    ] = False,
) -> None:
    """Serve calls until SIGTERM, then finish what can be finished. Settings come from the environment."""
    settings = config.load({**os.environ, **_local_defaults()} if local else None)
    checks.check_for_serving(settings)
    logs.configure(settings.bridge_log_level, settings.bridge_log_format)
    for doubt in checks.doubts(settings):
        log.warning("a setting may not do what it was set for", extra={"reason": doubt})
    if run(_serve_locally(settings) if local else _serve(settings)):
        raise typer.Exit(1)  # some events are not on the disk


async def _serve(settings: Settings) -> int:
    """Serve; returns how many events could not be kept."""
    return await app.serve(settings, lambda url: _tell_how_to_read(settings, url))


async def _serve_locally(settings: Settings) -> int:
    async with engine.local_deepgram() as deepgram:
        only = {"deepgram_url": deepgram.url, "deepgram_api_key": SecretStr("local")}
        return await _serve(settings.model_copy(update=only))


def _tell_how_to_read(settings: Settings, url: str) -> None:
    """Print a link that logs in, to a terminal only: a token in a log file would not stay secret."""
    if settings.read_tokens:
        return
    if sys.stderr.isatty():
        typer.echo(f"Read the calls at {app.login_link(settings, url)}", err=True)
    else:
        log.info("read the calls with the token in this file", extra={"file": str(settings.data_dir / TOKEN_FILE)})


def _local_defaults() -> dict[str, str]:
    """The settings that the local engine needs, except those that the environment sets."""
    defaults = {"DEEPGRAM_API_KEY": "local"}
    if not os.environ.get("TWILIO_AUTH_TOKEN"):
        defaults["TWILIO_SIGNATURE"] = "off"
    return {name: value for name, value in defaults.items() if not os.environ.get(name)}
