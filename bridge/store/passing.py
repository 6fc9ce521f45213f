"""Passing on what is asked of a call to the process that goes on with it, where several have one record.

Not a part of `Store`: where one process has the record there is no one to pass anything on to.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

LARGEST = 256 * 1024
"""Characters of a request, or of its answer, at most; what is asked by HTTP is less."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The owner of the call has answered."""

    text: str


class NotPassed(Enum):
    """Why there is no answer. Where nothing else is said the request has not been carried out, and will not be."""

    NO_CALL = "there is no such call"
    OVER = "the call has ended"
    HERE = "the call is this process's own now"
    NO_OWNER = "no process that lives has the call, or it moves from one to another"
    MANY = "too many requests wait for the process that has the call"
    LATE = "the process that has the call did not begin with it in time"
    UNKNOWN = "it may have been carried out, or not"


Answerer = Callable[[str, str], Awaitable[str | None]]
"""Carries a request out (the call's id, and its text) and returns the answer; None: the call does not go on here.

What it does before it first waits is done in time; what it does after that may take longer than anyone waits for it.
"""


class Passing(Protocol):
    """Passes requests on, and has those carried out that others pass on."""

    async def ask(self, call_id: str, text: str) -> Answered | NotPassed:
        """Have the owner of a call carry a request out, once, and not later than it is waited for.

        Returns within some 20 seconds, mostly much sooner. Raises `StoreError` where the record cannot be reached, or
        the request is too long: it has not been carried out then.
        """

    def answer_by(self, answerer: Answerer) -> None:
        """From now on requests of other processes are carried out by it; before, their calls do not go on here."""
