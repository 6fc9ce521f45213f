"""`bridge twiml` and `bridge number`: set Twilio up."""

from typing import Annotated

import typer

from bridge import config
from bridge.cli.loop import run
from bridge.config import Settings
from bridge.errors import ConfigError
from bridge.policies import own_egress
from bridge.web.carriers import twilio_account, voice_settings
from twiml import number as numbers
from twiml.document import twiml_bin, webhook_url
from twiml.web import VOICE_PATH, base_answer

MEMORY = "numbers.json"
"""File in DATA_DIR that holds the former voice URL of each number."""

TUNNEL_MEMORY = "tunnel-numbers.json"
"""The same of numbers that are pointed here while a tunnel is open: what they come back to is another thing."""


def twiml() -> None:
    """Print the TwiML for a TwiML Bin: the answer of /twiml/voice, without a token, which belongs to one call."""
    settings = config.load()
    _require_public_url(settings)
    if settings.bridge_require_token:
        raise ConfigError("a TwiML Bin cannot make the token that BRIDGE_REQUIRE_TOKEN asks for; unset it first")
    if not settings.twilio_auth_token:
        settings = settings.model_copy(
            update={"twilio_signature": "off"}
        )  # printing needs no token to check signatures with
    typer.echo(twiml_bin(base_answer(voice_settings(settings, None))))


def number(
    number: Annotated[str, typer.Argument(help="The number in full: +15550123")],
    show: Annotated[bool, typer.Option("--show", help="Only say how it answers calls now")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what it answered with before")] = False,
) -> None:
    """Point a Twilio number's voice URL here, look at it, or put the former one back."""
    settings = config.load()
    account = twilio_account(settings, own_egress())
    memory = settings.data_dir / MEMORY
    if show:
        now = run(numbers.show(account, number))
        typer.echo(f"{now.number} ({now.friendly_name}) answers with {_answer(now)}")
        if now.obstacle and not now.application_url:
            typer.echo(now.obstacle)
    elif undo:
        for_a_time = settings.data_dir / TUNNEL_MEMORY  # a bridge that was killed has not put it back
        memory = for_a_time if numbers.is_remembered(number, for_a_time) else memory
        _tell(run(numbers.undo(account, number, memory)))
    else:
        _require_public_url(settings)
        _tell(run(numbers.point(account, number, webhook_url(settings.public_url or "", VOICE_PATH), memory)))


def _require_public_url(settings: Settings) -> None:
    if not settings.public_url:
        raise ConfigError("set PUBLIC_URL to the https origin Twilio reaches this server at")


def _tell(change: numbers.Change) -> None:
    typer.echo(f"{change.after.number} answers with {_answer(change.after)}")
    if change.before.voice_url != change.after.voice_url:
        typer.echo(f"before: {change.before.voice_method} {change.before.voice_url or 'nothing'}")


def _answer(number: numbers.NumberConfig) -> str:
    """What Twilio asks when it is called."""
    if number.application_url and number.leads_to:
        return f"{number.leads_to}, by the TwiML App {number.voice_application_sid}"
    return f"{number.voice_method} {number.voice_url or 'nothing'}"
