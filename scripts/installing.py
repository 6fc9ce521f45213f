"""Installs what one of the scripts alone needs, outside of the checkout: the next clone finds it again."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS = 180
"""An installation may take."""


def cache(kind: str) -> Path:
    """Where the installations of a kind are."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder / "media-stream-bridge" / kind


def is_made(place: Path) -> bool:
    """Whether what was to be there is complete."""
    return (place / "made").exists()


def make(place: Path, *steps: Sequence[str], seconds: int = SECONDS) -> str | None:
    """Take these steps, each of at most so many seconds, if that has not been done; what went wrong, or None."""
    if is_made(place):
        return None
    place.mkdir(parents=True, exist_ok=True)
    for step in steps:
        if complaint := run(step, seconds=seconds):
            return complaint
    (place / "made").touch()
    return None


def make_environment(place: Path, packages: Sequence[str], seconds: int = SECONDS) -> str | None:
    """Install packages into an environment of their own; as `make`."""
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install", *packages]
    return make(place, [sys.executable, "-m", "venv", str(place)], pip, seconds=seconds)


def make_node(place: Path, packages: Sequence[str], seconds: int = SECONDS) -> str | None:
    """Install npm's packages into a folder of their own; as `make`."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm here"
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *packages]
    return make(place, command, seconds=seconds)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, seconds: int = SECONDS) -> str | None:
    """Run an installer; the last that it said where it failed, or None. `environment`: laid over this process's."""
    own = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"not installed within {seconds} s"
    if done.returncode != 0:
        return done.stderr.strip().rpartition("\n")[2] or f"{command[0]} exited with {done.returncode}"
    return None
