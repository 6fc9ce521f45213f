"""The token of a record for which none is set: made once, kept beside it, and for its owner's eyes only."""

import os
import secrets
from pathlib import Path

from bridge.errors import StoreError

FILENAME = "read-token"


def own_token(data_dir: Path) -> str:
    """The token in `DATA_DIR`; it is made where there is none. Raises StoreError where that cannot be."""
    path = data_dir / FILENAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if token := _read(path):
            return token
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        fresh.replace(path)
        return _read(path)
    except OSError as error:
        raise StoreError(f"cannot keep a token in {path}: {error.strerror}") from error


def kept_token(data_dir: Path) -> str:
    """The token in `DATA_DIR` as it is; empty: there is none. Raises StoreError where it cannot be read."""
    path = data_dir / FILENAME
    try:
        return _read(path)
    except OSError as error:
        raise StoreError(f"cannot read the token in {path}: {error.strerror}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
