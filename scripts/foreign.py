"""Makes an environment for each foreign client of Deepgram's that the local server is tried with, and for the programs
of `scripts/examples`.

Their versions rule each other out, so each has a folder of its own under the user's cache, for this version of Python.
SDK 7 is among the packages that the tests need anyway. The examples' have what their top comments say and no more: the
bridge itself comes without its dependencies.
"""

import sys
from pathlib import Path

from scripts import installing

PYTHON = {
    "sdk2": ("deepgram-sdk==2.12.0", "websockets==12.0"),
    "sdk3": ("deepgram-sdk==3.11.0",),
    "sdk4": ("deepgram-sdk==4.8.1",),
    "sdk5": ("deepgram-sdk==5.3.3",),
    "websocket-client": ("websocket-client==1.9.2",),
    "kit": ("websockets==10.3",),
    "consumers": ("fastapi==0.165.0", "flask==3.1.3", "uvicorn==0.54.0", "pydantic==2.14.4"),
    "readers": ("aiohttp==3.14.0", "pydantic==2.12.0"),
}
"""What pip installs, by the name of the environment. SDK 2 says nothing of `websockets`, and breaks with later ones."""
NODE = {
    "js3": ("@deepgram/sdk@3.13.0",),
    "js5": ("@deepgram/sdk@5.13.0",),
    "express": ("express@5.3.0", "standardwebhooks@1.1.1"),
}
"""What npm installs."""
EXAMPLES = ("consumers", "readers", "express")
"""Those of `scripts/examples`."""


def folder(name: str) -> Path:
    """Where an environment is, made or not."""
    return installing.cache("foreign") / f"{sys.implementation.cache_tag}-{_digest(name)}"


def is_made(name: str) -> bool:
    """Whether it is complete."""
    return installing.is_made(folder(name))


def _digest(name: str) -> str:
    """The name with what is in it, so that another version gets another folder."""
    packages = NODE[name] if name in NODE else PYTHON[name]
    return "-".join([name, *(package.rpartition("==" if name in PYTHON else "@")[2] for package in packages)])


def make(name: str) -> str | None:
    """Install it, if that has not been done; what went wrong, or None."""
    place = folder(name)
    if is_made(name):
        return None
    if name in NODE:
        return installing.make_node(place, NODE[name])
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    return installing.make(place, [*pip, "--upgrade", "--target", str(place), *PYTHON[name]])


def main(which: str = "foreign") -> None:
    for name in (*PYTHON, *NODE):
        if (name in EXAMPLES) == (which == "examples") and (complaint := make(name)):
            print(f"no {name}: {complaint}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
