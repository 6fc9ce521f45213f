"""What was found of one thing, as a person reads it and as a program does."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Mark(Enum):
    """How a thing stands; the value is its name in JSON."""

    FINE = "ok"
    DOUBT = "warning"
    """It works, or nearly, and may not for long; or it cannot be told from here."""
    BROKEN = "error"
    SKIPPED = "skipped"
    """Not looked at, and why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: neither text has a secret in it, nor the words of a library."""

    check: str
    """What was looked at: `settings`, `public_url.tls`; the same words in every version."""
    mark: Mark
    said: str
    """What was found, as a sentence without its full stop."""
    remedy: str | None = None
    """What to type or to do; None where there is nothing to do."""

    def to_json(self) -> dict[str, str | None]:
        """As `--json` has it."""
        return {"check": self.check, "status": self.mark.value, "message": self.said, "remedy": self.remedy}


def fine(check: str, said: str) -> Finding:
    return Finding(check, Mark.FINE, said)


def doubt(check: str, said: str, remedy: str) -> Finding:
    return Finding(check, Mark.DOUBT, said, remedy)


def broken(check: str, said: str, remedy: str) -> Finding:
    return Finding(check, Mark.BROKEN, said, remedy)


def skipped(check: str, said: str, remedy: str | None = None) -> Finding:
    return Finding(check, Mark.SKIPPED, said, remedy)


def of_sentence(check: str, mark: Mark, sentence: str) -> Finding:
    """An error of ours, which has what to do after its first semicolon, as most have."""
    said, _, remedy = sentence.rstrip(".").partition("; ")
    return Finding(check, mark, said, remedy or None)


def any_broken(findings: Iterable[Finding]) -> bool:
    return any(finding.mark is Mark.BROKEN for finding in findings)
