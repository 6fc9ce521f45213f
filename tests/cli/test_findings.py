"""How findings are written."""

import json
import sys

import pytest
import typer

from bridge.cli import findings
from bridge.doctor.finding import broken, doubt, fine, skipped

ALL = [
    fine("clock", "it agrees"),
    doubt("disk", "it is slow", "move it"),
    skipped("webhook", "there is none"),
    broken("public_url.tls", "it has ended", "certbot renew"),
]


def test_each_is_a_line_and_what_to_do_is_below(capsys):
    for finding in ALL:
        findings.show(finding)
    findings.sum_up(ALL)

    assert capsys.readouterr().out.splitlines() == [
        "✓ clock             it agrees",
        "! disk              it is slow",
        "                    → move it",
        "- webhook           there is none",
        "✗ public_url.tls    it has ended",
        "                    → certbot renew",
        "",
        "1 broken, 1 doubtful, 1 fine, 1 not looked at.",
    ]


def test_a_terminal_without_such_signs_gets_letters(capsys, monkeypatch):
    sys.stdout.flush()
    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    for finding in (*ALL, broken("settings", "it is not set", "export KEY=…")):
        findings.show(finding)

    said = capsys.readouterr().out
    assert said.isascii() and "> export KEY=?" in said


@pytest.mark.parametrize(("told", "code"), [(ALL, 1), (ALL[:3], 0)])
def test_the_status_says_whether_anything_is_broken(told, code, capsys):
    with pytest.raises(typer.Exit) as ended:
        findings.end(told, as_json=True)

    said = json.loads(capsys.readouterr().out)
    assert (ended.value.exit_code, said["ok"]) == (code, not code)
    assert said["findings"] == [finding.to_json() for finding in told]
