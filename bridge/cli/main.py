"""The commands. Each module has a few of them; what goes wrong in an expected way is one sentence and status 2."""

import sys

import typer

from bridge.cli import backfill, engine, number, reading, serve, watch
from bridge.errors import BridgeError
from twiml.document import TwimlError
from twiml.rest import TwilioError

app = typer.Typer(
    name="bridge",
    help="Calls in, live transcripts at a webhook out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(number.twiml)
app.command()(number.number)
app.command()(backfill.backfill)
app.command()(reading.calls)
app.command()(watch.watch)
app.command()(reading.transcript)
app.command()(reading.delete)
app.command()(engine.demo)
app.command()(engine.call)
app.command()(engine.deepgram)
app.command()(engine.receive)


def main() -> None:
    """Run the command that the command line names."""
    try:
        app()
    except (BridgeError, TwimlError, TwilioError) as error:
        print(f"bridge: {error}", file=sys.stderr)  # noqa: T201 - this is the terminal's part of the house
        sys.exit(2)
