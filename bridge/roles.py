"""What a process does, of all that the bridge does: the names, and which of them has a path.

    media    takes carriers' sockets and webhooks, and transcribes: each call that goes on, and audio on its own disk
    web      serves the record: feeds, pages, the API
    worker   delivers, transcribes what was left to later in the object store, and deletes what is too old

Twilio's webhooks are with the sockets: the one gives out the tokens that the sockets are asked for, the other tells of
streams, and both have to answer as long as calls come.
"""

from typing import Literal, get_args

from bridge.errors import ConfigError

Role = Literal["media", "web", "worker"]

ROLES: tuple[Role, ...] = get_args(Role)
ALL: frozenset[Role] = frozenset(ROLES)

OF_CARRIERS = ("/media", "/twiml")
"""What the paths begin with that carriers ask for."""


def parse(text: str) -> frozenset[Role]:
    """The roles in a list with commas between them. Raises ConfigError."""
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    found = frozenset(role for role in ROLES if role in names)
    if not found or names - found:
        raise ConfigError(f"must be any of {', '.join(ROLES)}, with commas between them")
    return found


def of_path(path: str) -> Role:
    """Which role serves a path; those of operations are every process's."""
    return "media" if any(path == each or path.startswith(f"{each}/") for each in OF_CARRIERS) else "web"
