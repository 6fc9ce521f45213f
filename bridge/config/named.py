"""The variables that a file of endpoints names as its own: whatever their names are, they are no misspelt settings."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from bridge import values

ENDPOINTS = "BRIDGE_ENDPOINTS"

_LARGEST = 1_000_000  # octets of the file


def named(environment: Mapping[str, str]) -> set[str]:
    """What `secret_env` says in the file of `BRIDGE_ENDPOINTS`; of a file that cannot be used, which `bridge.endpoints`
    tells, nothing."""
    path = values.trimmed(environment.get(ENDPOINTS, ""))
    if not path:
        return set()
    try:
        with Path(path).expanduser().open("rb") as file:
            tables = tomllib.loads(file.read(_LARGEST).decode("utf-8-sig")).get("endpoint")
    except (OSError, ValueError, RecursionError):
        return set()
    found = tables if isinstance(tables, list) else []
    names = {table.get("secret_env") for table in found if isinstance(table, dict)}
    return {name for name in names if isinstance(name, str)}
