"""PostgreSQL, by what was measured of it: each fact and its remedy."""

from dataclasses import replace

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging.database import COPYING, Away, Program, Server, Standbys, Tables, away, database

WANTS = Program(version=2, connections=8)
TABLES = Tables(version=2, oldest=1, are_there=True, nodes=2)
WELL = Server(
    version=17,
    encoding="UTF8",
    trip=0.0004,
    skew=0.1,
    pooled=False,
    standby=False,
    read_only=False,
    flushes=True,
    synchronous_commit="on",
    waits_for_standbys=True,
    standbys=Standbys(2, 1, 0.01, 4096.0),
    tables=TABLES,
    free=90,
    bound="max_connections",
)


def of(check, **changed):
    """The finding of one check, of a server that is well but for this."""
    found = {finding.check: finding for finding in database(replace(WELL, **changed), WANTS)}
    return found[f"database.{check}"]


def test_a_server_that_is_well_has_a_line_for_each_thing():
    findings = database(WELL, WANTS)

    assert {finding.mark for finding in findings} == {Mark.FINE}
    assert [finding.check.partition(".")[2] for finding in findings] == [
        *("version", "rights", "schema", "latency", "pooler", "commit", "standbys", "room", "clock"),
    ]
    said = " | ".join(finding.said for finding in findings)
    assert "PostgreSQL 17, UTF8" in said and "of version 2; 2 processes have them open" in said
    assert "2 standbys follow closely; commits wait for 1" in said
    assert "90 connections are free: enough for 11 more processes of 8" in said


@pytest.mark.parametrize(
    ("found", "said", "remedy"),
    [
        (Away(answers=False), "nothing answers", "start the server"),
        (Away(answers=True), "does not let us in", "correct DATABASE_URL"),
        (Away(answers=False, starts=True), "takes no connections now", "wait for it"),
    ],
)
def test_no_connection(found, said, remedy):
    finding = away(found)

    assert (finding.check, finding.mark) == ("database", Mark.BROKEN)
    assert said in finding.said and remedy in finding.remedy


@pytest.mark.parametrize(
    ("check", "changed", "mark", "said", "remedy"),
    [
        ("version", {"version": 14}, Mark.BROKEN, "PostgreSQL 14; 15 or later", "pg_upgrade"),
        ("version", {"version": 15}, Mark.FINE, "PostgreSQL 15", None),
        ("encoding", {"encoding": "SQL_ASCII"}, Mark.BROKEN, "the encoding SQL_ASCII", "ENCODING 'UTF8'"),
        ("writable", {"standby": True}, Mark.BROKEN, "is a standby", "target_session_attrs=read-write"),
        ("writable", {"read_only": True}, Mark.BROKEN, "read-only", "default_transaction_read_only=off"),
        ("latency", {"trip": 0.03}, Mark.FINE, "30.0 ms; words are shown", None),
        ("latency", {"trip": 0.2}, Mark.DOUBT, "200.0 ms", "in one region"),
        ("pooler", {"pooled": True}, Mark.DOUBT, "a pooler in transaction mode", "session mode"),
        ("commit", {"flushes": False}, Mark.BROKEN, "a crash of the server takes back", "fsync=on"),
        ("commit", {"standbys": Standbys()}, Mark.BROKEN, "waits for a synchronous standby", "start the standby"),
        ("commit", {"standbys": Standbys(), "standby": True}, Mark.FINE, "outlives a crash", None),
        ("commit", {"standbys": Standbys(1, None)}, Mark.FINE, "outlives a crash", None),
        ("commit", {"synchronous_commit": "local"}, Mark.DOUBT, "may be on no standby", "SET synchronous_commit=on"),
        (
            "commit",
            {"synchronous_commit": "off", "waits_for_standbys": False},
            Mark.FINE,
            "is not followed where events are written",
            None,
        ),
        ("standbys", {"standbys": Standbys()}, Mark.SKIPPED, "no standby follows", None),
        ("standbys", {"standby": True}, Mark.SKIPPED, "a standby itself", None),
        ("standbys", {"standbys": Standbys(1, None)}, Mark.SKIPPED, "may not see", "GRANT pg_monitor"),
        ("standbys", {"standbys": Standbys(1)}, Mark.FINE, "1 standby follows closely; commits wait for none", None),
        ("standbys", {"standbys": Standbys(1, 0, 99.0)}, Mark.DOUBT, "the slowest 99 s", "look at its log"),
        ("standbys", {"standbys": Standbys(1, 0, None, 1e9)}, Mark.DOUBT, "1,000 MB behind", "look at its log"),
        ("room", {"free": 8}, Mark.FINE, "enough for 1 more process of 8", None),
        ("room", {"free": 7}, Mark.DOUBT, "7 connections are free", "max_connections"),
        ("room", {"free": -3, "bound": "user"}, Mark.DOUBT, "0 connections", "ALTER ROLE"),
        ("room", {"free": 1, "bound": "database"}, Mark.DOUBT, "1 connections", "ALTER DATABASE"),
        ("clock", {"skew": -3.0}, Mark.DOUBT, "3 s behind the database's", "timedatectl"),
        ("clock", {"skew": 90.0}, Mark.BROKEN, "90 s ahead of the database's", "timedatectl"),
    ],
)
def test_what_is_told_of_it(check, changed, mark, said, remedy):
    finding = of(check, **changed)

    assert (finding.mark, said in finding.said) == (mark, True), finding
    assert finding.remedy is remedy is None or remedy in finding.remedy


@pytest.mark.parametrize(
    ("check", "tables", "mark", "said", "remedy"),
    [
        ("rights", Tables(), Mark.FINE, "may make the tables", None),
        ("schema", Tables(), Mark.FINE, "the first process to start", None),
        ("rights", Tables(may_make=False), Mark.BROKEN, "may not make them", "GRANT CREATE ON DATABASE"),
        (
            "rights",
            replace(TABLES, lacking="INSERT on call, UPDATE on call, USAGE on event_position"),
            Mark.BROKEN,
            "lacks rights: INSERT on call and 2 more",
            "GRANT USAGE ON SCHEMA bridge TO",
        ),
        ("rights", replace(TABLES, lacking="INSERT on call"), Mark.BROKEN, "rights: INSERT on call", "GRANT"),
        ("schema", replace(TABLES, nodes=0), Mark.FINE, "no process has them open", None),
        ("schema", replace(TABLES, nodes=1), Mark.FINE, "1 process has them open", None),
        ("schema", replace(TABLES, version=1), Mark.FINE, "which the next start changes", None),
        ("schema", replace(TABLES, version=1, may_make=False), Mark.BROKEN, "may not change them", "as the owner"),
        ("schema", replace(TABLES, version=9, oldest=3), Mark.BROKEN, "newer versions", "update the bridge"),
        ("schema", replace(TABLES, oldest=COPYING), Mark.BROKEN, "is being copied", "bridge migrate"),
    ],
)
def test_what_is_told_of_the_tables(check, tables, mark, said, remedy):
    finding = of(check, tables=tables)

    assert (finding.mark, said in finding.said) == (mark, True), finding
    assert finding.remedy is remedy is None or remedy in finding.remedy


def test_what_says_that_a_record_is_being_copied_is_the_stores_own():
    schema = pytest.importorskip("bridge.store.postgres.schema")

    assert schema.COPYING == COPYING
