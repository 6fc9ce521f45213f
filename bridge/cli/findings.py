"""Findings as lines for a person, or as JSON for a program; and the exit status that they make."""

import json
import sys
from collections.abc import Iterable

import typer

from bridge import __version__
from bridge.doctor.finding import Finding, Mark, any_broken

_SIGNS = {Mark.FINE: "✓", Mark.DOUBT: "!", Mark.BROKEN: "✗", Mark.SKIPPED: "-"}
_PLAIN = {Mark.FINE: "ok", Mark.DOUBT: "??", Mark.BROKEN: "NO", Mark.SKIPPED: "--"}
"""For a terminal that cannot show the others."""
_COLOURS = {
    Mark.FINE: typer.colors.GREEN,
    Mark.DOUBT: typer.colors.YELLOW,
    Mark.BROKEN: typer.colors.RED,
    Mark.SKIPPED: typer.colors.BRIGHT_BLACK,
}
_WIDTH = 17
"""Characters of the longest name of a check."""


def show(finding: Finding) -> None:
    """A line, and below it what to do. Both stay whole at any width, to be copied."""
    signs, arrow = (_SIGNS, "→") if _shows("✓✗→") else (_PLAIN, ">")
    sign = typer.style(signs[finding.mark], fg=_COLOURS[finding.mark], bold=True)
    typer.echo(_writable(f"{sign} {finding.check:{_WIDTH}} {finding.said}"))
    if finding.remedy:
        typer.echo(_writable(f"{' ' * (_WIDTH + len(signs[finding.mark]) + 2)}{arrow} {finding.remedy}"))


def sum_up(findings: Iterable[Finding]) -> None:
    """The last line: how many of each."""
    counts = dict.fromkeys(Mark, 0)
    for finding in findings:
        counts[finding.mark] += 1
    named = {Mark.BROKEN: "broken", Mark.DOUBT: "doubtful", Mark.FINE: "fine", Mark.SKIPPED: "not looked at"}
    typer.echo(f"\n{', '.join(f'{counts[mark]} {name}' for mark, name in named.items() if counts[mark])}.")


def end(findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings, if they are to be JSON. Raises Exit, with 1 if anything is broken."""
    is_broken = any_broken(findings)
    if as_json:
        told = [finding.to_json() for finding in findings]
        typer.echo(json.dumps({"ok": not is_broken, "version": __version__, "findings": told}))
    raise typer.Exit(1 if is_broken else 0)


def _shows(text: str) -> bool:
    return _writable(text) == text


def _writable(text: str) -> str:
    """The text with `?` for what standard output cannot take."""
    encoding = sys.stdout.encoding or "ascii"
    return text.encode(encoding, "replace").decode(encoding)
