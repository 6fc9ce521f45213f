"""Installs the S3 server that the archive is tried with, moto, into an environment of its own."""

import sys
from pathlib import Path

from scripts import installing

PACKAGE = "moto[server]==5.2.5"


def folder() -> Path:
    """Where the environment is, made or not."""
    version = PACKAGE.partition("==")[2]
    return installing.cache("objects") / f"{sys.implementation.cache_tag}-{version}"


def interpreter() -> Path | None:
    """The Python that has the server; None where it is not installed."""
    return folder() / "bin" / "python" if installing.is_made(folder()) else None


def make_environment() -> str | None:
    """Install it, if that has not been done; what went wrong, or None."""
    return installing.make_environment(folder(), [PACKAGE])


def main() -> None:
    if complaint := make_environment():
        print(f"no S3 server: {complaint}", file=sys.stderr)


if __name__ == "__main__":
    main()
