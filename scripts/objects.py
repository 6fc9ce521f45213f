"""Installs the object stores that the archive is tried with, each into a folder of its own: moto, an S3 server, and
Azurite, Microsoft's own stand-in for Azure Blob Storage."""

import shutil
import sys
from pathlib import Path

from scripts import installing

S3 = "moto[server]==5.2.5"
AZURE = "azurite@3.35.0"
"""It runs under Node."""


def folder(package: str) -> Path:
    """Where one of them is, made or not."""
    name, _, version = package.replace("@", "==").partition("==")
    return installing.cache("objects") / f"{sys.implementation.cache_tag}-{name.partition('[')[0]}-{version}"


def s3_server() -> list[str] | None:
    """The command that serves S3, without its arguments; None where it is not installed."""
    made = installing.is_made(folder(S3))
    return [str(folder(S3) / "bin" / "python"), "-m", "moto.server"] if made else None


def azure_server() -> list[str] | None:
    """The same for Azure."""
    node = shutil.which("node")
    made = installing.is_made(folder(AZURE))
    return [node, str(folder(AZURE) / "node_modules" / ".bin" / "azurite-blob")] if node and made else None


def make(package: str) -> str | None:
    """Install one of them, if that has not been done; what went wrong, or None."""
    if package == AZURE:
        return installing.make_node(folder(AZURE), [AZURE])
    return installing.make_environment(folder(S3), [S3])


def main() -> None:
    for package in (S3, AZURE):
        if complaint := make(package):
            print(f"no {package}: {complaint}", file=sys.stderr)


if __name__ == "__main__":
    main()
