"""The command line: it imports the module of the command, and turns an expected error into a sentence and status 2."""

import sys
from collections.abc import Iterable
from importlib import import_module

import typer

from bridge.errors import BridgeError
from twiml.errors import TwilioError, TwimlError

COMMANDS = {
    "serve": "serve",
    "twiml": "number",
    "number": "number",
    "backfill": "backfill",
    "repair": "repair",
    "calls": "reading",
    "watch": "watch",
    "transcript": "reading",
    "delete": "reading",
    "deliver": "deliver",
    "demo": "engine",
    "call": "engine",
    "deepgram": "engine",
    "receive": "engine",
}
"""Each command, and the module of this package that has a function of its name."""


def build(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands. Importing their modules takes most of the time to start."""
    app = typer.Typer(name="bridge", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(bridge)
    for name in names:
        module = import_module(f"bridge.cli.{COMMANDS[name]}")
        app.command()(getattr(module, name))
    return app


def bridge() -> None:
    """Calls in, live transcripts at a webhook out."""


def main() -> None:
    """Run the command that the command line names."""
    named = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        build(named or COMMANDS)()
    except (BridgeError, TwimlError, TwilioError) as error:
        print(f"bridge: {error}", file=sys.stderr)  # noqa: T201 - commands write to the terminal
        sys.exit(2)
