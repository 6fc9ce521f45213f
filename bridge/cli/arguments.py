"""The arguments that several commands share, and checks of what an option was given.

What is said of a wrong one never has its value: addresses and tokens are secrets on some machines.
"""

from math import isfinite
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from bridge import values
from bridge.deepgram.options import Options, parse
from bridge.errors import ConfigError
from bridge.store.audio.store import CALL_ID


def call_id(call: str | None) -> str | None:
    """Check a call's id; None passes. Raises BadParameter."""
    if call is not None and not CALL_ID.fullmatch(call):
        raise typer.BadParameter("a call's id is letters, digits, - and _")
    return call


def seconds(given: float | None) -> float | None:
    """Check a time, a share or a speed, which `nan` and `inf` are not. Raises BadParameter."""
    if given is not None and not isfinite(given):
        raise typer.BadParameter("must be a number")
    return given


def socket_url(given: str | None) -> str | None:
    """Check the address of a WebSocket. Raises BadParameter."""
    return _checked(given, ("wss", "ws"), "a wss:// or ws:// URL such as wss://calls.example.com/media/twilio")


def socket_urls(given: str | None) -> str | None:
    """Check one or more of these, with blanks between them. Raises BadParameter."""
    for each in given.split() or [given] if given is not None else []:
        socket_url(each)
    return given


def web_url(given: str | None) -> str | None:
    """Check the address of a web server. Raises BadParameter."""
    return _checked(given, ("https", "http"), "an https:// or http:// URL such as https://calls.example.com")


def _checked(given: str | None, schemes: tuple[str, ...], what: str) -> str | None:
    try:
        if given is not None:
            values.url(given, schemes, what)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return given


def deepgram_options(settings: str, model: str | None, given: list[str]) -> Options:
    """What Deepgram is asked for: the operator's query string, and over it what a command was given, each as
    name=value. Raises ConfigError."""
    if any("=" not in text for text in given):
        raise ConfigError("--option takes name=value")
    pairs = [text.split("=", 1) for text in given] + ([["model", model]] if model else [])
    own = urlencode([(name, value) for name, value in pairs])
    return parse("&".join(part for part in (settings, own) if part))


def secrets(given: str | None) -> str | None:
    """One or more tokens, as settings take them. Raises BadParameter."""
    try:
        return values.secrets(text) if (text := values.trimmed(given or "")) else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def folder(given: Path | None) -> Path | None:
    """Make a folder for files, unless it is there. Raises BadParameter."""
    try:
        if given is not None:
            given.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"files cannot be kept there: {error.strerror}") from None
    return given


Call = Annotated[
    str,
    typer.Argument(help="The call's id or its beginning, or last: the newest", callback=call_id, show_default=False),
]
Url = Annotated[
    str | None,
    typer.Option(envvar="BRIDGE_URL", help="The bridge's address; by default this machine's, at PORT"),
]
