"""The arguments that several commands share."""

from typing import Annotated

import typer

from bridge.store.audio.store import CALL_ID


def call_id(call: str | None) -> str | None:
    """Check a call's id; None passes. Raises BadParameter."""
    if call is not None and not CALL_ID.fullmatch(call):
        raise typer.BadParameter("a call's id is letters, digits, - and _")
    return call


Call = Annotated[str, typer.Argument(help="The call's id, as in its events", callback=call_id)]
Url = Annotated[str | None, typer.Option(help="The bridge's address; by default this machine's, at PORT")]
