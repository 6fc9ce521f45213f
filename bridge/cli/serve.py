"""`bridge serve`: the server."""

import os
from typing import Annotated

import typer

from bridge import app, config, logs
from bridge.cli import engine
from bridge.cli.loop import run
from bridge.config import Settings


def serve(
    local: Annotated[
        bool, typer.Option("--local", help="Recognize on this machine: no Deepgram key, unsigned streams unless set")
    ] = False,
) -> None:
    """Serve calls until SIGTERM, then finish what can be finished. Settings come from the environment."""
    settings = config.load({**os.environ, **_local_defaults()} if local else None)
    config.check_for_serving(settings)
    logs.configure(settings.bridge_log_level, settings.bridge_log_format)
    run(_serve_locally(settings) if local else app.serve(settings))


async def _serve_locally(settings: Settings) -> None:
    async with engine.local_deepgram(save_dir=settings.data_dir / "heard") as deepgram:
        await app.serve(settings.model_copy(update={"deepgram_url": deepgram.url}))


def _local_defaults() -> dict[str, str]:
    """What the local engine needs where the environment does not say otherwise."""
    defaults = {"DEEPGRAM_API_KEY": "local"}
    if not os.environ.get("TWILIO_AUTH_TOKEN"):
        defaults["TWILIO_SIGNATURE"] = "off"
    return {name: value for name, value in defaults.items() if not os.environ.get(name)}
