"""`bridge backup`: a copy of a running bridge's record."""

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from bridge import config
from bridge.cli.arguments import Url
from bridge.cli.client import BridgeAddress, BridgeClient, ReadingError, find_bridge
from bridge.cli.loop import run


def backup(
    to: Annotated[Path, typer.Argument(help="The file to write, an SQLite database", show_default=False)],
    url: Url = None,
) -> None:
    """Save a copy of the record while the bridge runs: all calls and events, without audio."""
    octets = run(_backup(find_bridge(config.load(), url), to))
    typer.echo(f"Saved {octets:,} octets to {to}.")


async def _backup(address: BridgeAddress, to: Path) -> int:
    part = to.with_name(f"{to.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            async with BridgeClient(address) as client:
                octets = 0
                async for piece in client.backup():
                    octets += file.write(piece)
        part.replace(to)
    except OSError as error:
        raise ReadingError(f"cannot write {to}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return octets
