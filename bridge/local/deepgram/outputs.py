"""What a session wants done to its socket."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket."""

    code: int | None
    """None: a close without a code, as Flux ends."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Abort:
    """Cut the TCP connection, without a word."""


Output = str | Close | Abort
"""A text to send, or an end."""
