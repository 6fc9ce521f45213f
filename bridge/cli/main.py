"""The command line: it imports the module of the command, and turns an expected error into a sentence and status 2."""

import ast
import keyword
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

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
    "stream": "stream",
    "import": "imports",
    "transcript": "reading",
    "control": "control",
    "delete": "reading",
    "deliver": "deliver",
    "backup": "backup",
    "demo": "engine",
    "call": "engine",
    "deepgram": "engine",
    "vosk": "engine",
    "receive": "engine",
}
"""Each command, and the module of this package that has a function of its name, with `_` where Python has that word."""


def build(names: Iterable[str]) -> typer.Typer:
    """The command line with these commands. Importing their modules takes most of the time to start."""
    app = _app()
    for name in names:
        module = import_module(f"bridge.cli.{COMMANDS[name]}")
        app.command(name)(getattr(module, _function(name)))
    return app


def build_list() -> typer.Typer:
    """The command line with what `--help` lists of all commands, for which no module is imported."""
    app = _app()
    for name, module in COMMANDS.items():
        app.command(name, help=_docstrings(module)[_function(name)])(_nothing)
    return app


def _function(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _app() -> typer.Typer:
    app = typer.Typer(name="bridge", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
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


def bridge() -> None:
    """Calls in, live transcripts at a webhook out."""


def main() -> None:
    """Run the command that the command line names."""
    named = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        (build(named) if named else build_list())()
    except (BridgeError, TwimlError, TwilioError) as error:
        print(f"bridge: {error}", file=sys.stderr)  # noqa: T201 - commands write to the terminal
        sys.exit(2)
