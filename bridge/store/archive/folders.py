"""What the archive looks for on this disk: the folders of calls, and the files in them. Everything blocks."""

import shutil
from pathlib import Path

from bridge.store.archive.plan import is_audio
from bridge.store.audio.store import CALL_ID


def files(folder: Path) -> dict[str, int]:
    """What is to be there of a call's kept audio, with the octets. Raises `OSError`."""
    try:
        return {path.name: path.stat().st_size for path in folder.iterdir() if is_audio(path.name)}
    except FileNotFoundError:
        return {}


def folders(folder: Path) -> list[str]:
    """The calls that have a folder in this one. Raises `OSError`."""
    try:
        return sorted(path.name for path in folder.iterdir() if CALL_ID.fullmatch(path.name) and path.is_dir())
    except FileNotFoundError:
        return []


def make_empty(folder: Path) -> None:
    """A folder without anything in it, whatever there was. Raises `OSError`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
