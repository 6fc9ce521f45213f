"""The command line: it imports the module of the command, and turns an expected error into a sentence and status 2."""

import ast
import gc
import keyword
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bridge import __version__
from bridge.errors import BridgeError
from twiml.errors import TwilioError, TwimlError

COMMANDS = {
    "serve": "serve",
    "twiml": "number",
    "number": "number",
    "doctor": "doctor",
    "webhook": "webhook",
    "backfill": "backfill",
    "repair": "repair",
    "migrate": "migrate",
    "calls": "reading",
    "watch": "watch",
    "stream": "stream",
    "import": "imports",
    "transcript": "reading",
    "control": "control",
    "delete": "reading",
    "deliver": "deliver",
    "deliveries": "deliveries",
    "audit": "audit",
    "backup": "backup",
    "drain": "drain",
    "schema": "schema",
    "demo": "engine",
    "call": "engine",
    "load": "load",
    "deepgram": "engine",
    "vosk": "engine",
    "receive": "engine",
}
"""Each command, and the module of this package that has a function of its name, with `_` where Python has that word."""

TROUBLES = (BridgeError, TwimlError, TwilioError)
"""What a command may end with whose text is a sentence for its user."""

GROUPS = {
    "Run": ("serve", "stream", "import", "control", "deliver", "backfill", "drain"),
    "Read": ("calls", "watch", "transcript", "delete", "deliveries", "audit", "backup"),
    "Set up": ("doctor", "webhook", "number", "twiml", "schema", "repair", "migrate"),
    "Try": ("demo", "call", "receive", "load", "deepgram", "vosk"),
}
"""The groups in which `--help` lists the commands, by their headings."""

EXAMPLES = {
    "serve": (
        "bridge serve --local",
        "bridge serve --tunnel --number +15550123",
        "PORT=8090 DATA_DIR=other bridge serve --local",
        "bridge serve --processes 4 --role media,web",
    ),
    "stream": ("bridge stream talk.mp3 --timestamps", "bridge stream mic", "bridge stream talk.wav --format srt"),
    "import": ("bridge import recordings/", "bridge import call.wav --from +15550101 --to +15550123"),
    "control": ("bridge control last pause", "bridge control CA2d96 configure --keyterm Acme --numerals"),
    "deliver": ("bridge deliver", "bridge deliver last --after 0"),
    "backfill": ("bridge backfill last",),
    "calls": ("bridge calls --active", "bridge calls --since 2026-11-20T10:00 --search refund"),
    "watch": ("bridge watch", "bridge watch --all --url https://calls.example.com"),
    "transcript": ("bridge transcript last", "bridge transcript CA2d96 --format srt"),
    "delete": ("bridge delete CA2d96",),
    "deliveries": (
        "bridge deliveries",
        "bridge deliveries --since 2026-11-20T10:00 --endpoint crm",
        "bridge deliveries last --seq 12",
    ),
    "audit": ("bridge audit --action delete", "bridge audit --call last"),
    "backup": ("bridge backup copy.db",),
    "drain": ("bridge drain --wait 30",),
    "doctor": ("bridge doctor", "bridge doctor --number +15550123", "bridge doctor --skip webhook --json"),
    "webhook": ("bridge webhook test",),
    "migrate": ("DATABASE_URL=postgresql://calls:password@db.example.com/calls bridge migrate",),
    "number": ("bridge number +15550123", "bridge number +15550123 --show", "bridge number +15550123 --undo"),
    "schema": ("bridge schema typescript", "bridge schema Delivery"),
    "demo": ("bridge demo --fast",),
    "call": ("bridge call", "bridge call talk.wav --voice https://calls.example.com/twiml/voice"),
    "receive": ("bridge receive --port 8083",),
    "load": ("bridge load --calls 20 --seconds 30",),
    "deepgram": ("bridge deepgram --port 8081", "bridge deepgram --refuse 429 --first 3"),
    "vosk": ("bridge vosk",),
}
"""Lines that can be typed, which a command's `--help` ends with."""

_COMPLETING = "_BRIDGE_COMPLETE"
"""Set by the shell that asks what a word may be completed to; the line is then in one of `_LINES`."""

_LINES = ("_TYPER_COMPLETE_ARGS", "COMP_WORDS")


def build(names: Iterable[str]) -> typer.Typer:
    """The command line with these commands. Importing their modules takes most of the time to start."""
    app = _app()
    gc.disable()  # what is imported stays; to look for garbage in it, again and again, takes a tenth of that time
    try:
        for name in names:
            module = import_module(f"bridge.cli.{COMMANDS[name]}")
            app.command(name, epilog=_examples(name))(getattr(module, _function(name)))
    finally:
        gc.enable()
    return app


def build_list() -> typer.Typer:
    """The command line with what `--help` lists of all commands, for which no module is imported."""
    app = _app()
    for group, names in GROUPS.items():
        for name in names:
            app.command(name, help=_docstrings(COMMANDS[name])[_function(name)], rich_help_panel=group)(_nothing)
    return app


def _examples(name: str) -> str | None:
    lines = EXAMPLES.get(name)
    return "\n\n".join(["For example:", *lines]) if lines else None


def _function(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _app() -> typer.Typer:
    app = typer.Typer(
        name="bridge",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(bridge)
    return app


@cache
def _docstrings(module: str) -> dict[str, str | None]:
    """Of the module's functions, by name."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return {function.name: ast.get_docstring(function) for function in functions}


def _nothing() -> None:
    """A command that is only listed."""


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"bridge {__version__}")
        raise typer.Exit


def bridge(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Calls in, live transcripts at a webhook out."""


def main() -> None:
    """Run the command that the command line names."""
    try:
        app = build(named) if (named := _named()) else build_list()
        app(prog_name="bridge")
    except TROUBLES as error:
        print(f"bridge: {error}", file=sys.stderr)  # noqa: T201 - commands write to the terminal
        sys.exit(2)


def _named() -> list[str]:
    """The command that is to run, or whose words a shell completes, if there is one."""
    if _COMPLETING not in os.environ:
        return [name for name in sys.argv[1:2] if name in COMMANDS]
    line = next((line for name in _LINES if (line := os.environ.get(name))), "")
    *words, _ = [*line.split(), *([""] if line[-1:].isspace() else [])] or [""]  # the last one is still being typed
    return [name for name in words[1:2] if name in COMMANDS]
