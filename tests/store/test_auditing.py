"""Entries of the audit log as they are written down, and which of them a filter takes."""

import json

import pytest

from bridge.store.auditing import AuditFilter, loaded
from tests.fakes.audit import entry


def test_what_is_not_known_is_left_out_and_what_is_long_is_cut():
    kept = entry(call_id=None, address="x" * 300).kept()
    assert kept.keys() == {"time", "who", "via", "address", "action", "status"}
    assert kept["address"] == "x" * 256


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (AuditFilter(), True),
        (AuditFilter(who="crm", action="read", call_id="CA1"), True),
        (AuditFilter(who="anna"), False),
        (AuditFilter(since="2026-11-20T10:00:01"), False),
        (AuditFilter(since="2026-11", until="2026-11-20T10:00:00.001Z"), True),
        (AuditFilter(until="2026-11-20T10:00:00.000Z"), False),
    ],
)
def test_which_are_wanted(wanted, takes):
    kept = entry().kept()
    assert wanted.takes(kept) == takes
    assert all(mark in json.dumps(kept).encode() for mark in wanted.marks) or not takes


@pytest.mark.parametrize("line", [b'{"time": "2026-11-20T10:0', b"[1]", b"", b"\xff"])
def test_a_line_that_a_crash_has_torn_is_none(line):
    assert loaded(line) is None
