"""Where the bridge with this `DATA_DIR` serves, so that commands on its machine find it at whatever port it has.

`bridge serve` writes it down when it begins to serve, and takes it away at the end. After a crash it stays, and leads
to no one, or to another bridge: a command says so, and sends its token to this machine only.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge.config import Settings

FILENAME = "address.json"


@dataclass(frozen=True, slots=True)
class Place:
    """A bridge on this machine."""

    url: str
    """Its address here: `http://127.0.0.1:8080`."""
    public_url: str
    """The origin over which Twilio's requests are signed."""
    local: bool = False
    """It hears calls itself, by `--local`."""


def local_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """With the settings that `--local` needs, except those that the environment sets."""
    # What is on this machine works.
    defaults = {"DEEPGRAM_API_KEY": "local", "HOST": "127.0.0.1", "BRIDGE_START_CHECKS": "false"}
    if not environment.get("TWILIO_AUTH_TOKEN"):
        defaults["TWILIO_SIGNATURE"] = "off"
    return {**environment, **{name: value for name, value in defaults.items() if not environment.get(name)}}


def find(settings: Settings) -> Place | None:
    """The bridge that serves with these settings; None: its port is not known."""
    written = _read(settings.data_dir / FILENAME)
    if written and "port" not in settings.model_fields_set:
        return written
    if not settings.port:
        return written
    url = f"http://127.0.0.1:{settings.port}"
    if written and written.url == url:
        return written
    return Place(url, settings.public_url or url)


@contextmanager
def written(data_dir: Path, place: Place) -> Iterator[None]:
    """Write down where the bridge serves, while it does. A disk that takes nothing costs the note only."""
    path = data_dir / FILENAME
    fresh = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        fresh.write_text(json.dumps(asdict(place)) + "\n")
        fresh.replace(path)
    try:
        yield
    finally:
        if _read(path) == place:
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> Place | None:
    try:
        said = json.loads(path.read_text())
        return Place(str(said["url"]), str(said["public_url"]), said.get("local") is True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
