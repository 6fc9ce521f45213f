"""`bridge schema`: the contract with machines, without a server."""

from typing import Annotated

import typer

from bridge.errors import ConfigError
from bridge.web import contract

_TYPESCRIPT = "typescript"


def schema(
    what: Annotated[
        str, typer.Argument(help="openapi, asyncapi, typescript, or a type's name, such as Delivery or CallDetails")
    ] = "openapi",
) -> None:
    """Print what machines can rely on: the HTTP API, the events, or the types for TypeScript."""
    try:
        text = contract.typescript() if what == _TYPESCRIPT else contract.written(what)
    except KeyError:
        names = ", ".join(contract.document()["components"]["schemas"])
        raise ConfigError(f"there is no type {what}; there are {names}") from None
    typer.echo(text, nl=False)
