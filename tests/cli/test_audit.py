"""`bridge audit`, against the doors of a record whose readers have done this and that."""

import json
import os
import time
from dataclasses import asdict

import pytest

from bridge.cli import audit
from bridge.rights import Reader
from bridge.store.auditing import Entry
from tests.fakes import words
from tests.fakes.command import command
from tests.fakes.reading import doors

CRM = Reader("crm", "crm-token-123456", frozenset(("read",)))
BOSS = Reader("boss", "boss-token-12345")

CALL = "CA" + "7" * 32
EVIL = "a\x1b[31mb\x9b[bold]c"

ENTRIES = (
    Entry("2026-11-20T10:00:00.000Z", "crm", "token", "10.0.0.7", "read", CALL, "transcript.srt", 200),
    Entry("2026-11-20T10:00:01.500Z", "crm", "session", "10.0.0.7", "delete", "CA1", None, 403),
    Entry("2026-11-21T10:00:00.000Z", "", "token", "10.0.0.8", "log in", None, None, 401),
    Entry("2026-11-22T10:00:00.000Z", "bridge", "bridge", "", "delete", "CA1", None, 204),
)


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
async def house(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    async with doors(tmp_path, (BOSS, CRM)) as running:
        running.told = {"BRIDGE_READ_TOKENS": BOSS.token, "PORT": running.origin.rpartition(":")[2]}
        for entry in ENTRIES:
            await running.log.write(entry)
        yield running


async def test_the_newest_entries_as_a_table(house):
    told = await command("audit", **house.told)
    assert [line.split() for line in told.out.splitlines()] == [
        ["when", "who", "action", "call", "what", "status", "by"],
        ["2026-11-22", "10:00:00", "bridge", "delete", "CA1", "204", "bridge"],
        ["2026-11-21", "10:00:00", "?", "log", "in", "401", "token", "10.0.0.8"],
        ["2026-11-20", "10:00:01", "crm", "delete", "CA1", "403", "session", "10.0.0.7"],
        ["2026-11-20", "10:00:00", "crm", "read", CALL, "transcript.srt", "200", "token", "10.0.0.7"],
    ]
    assert (told.status, told.err) == (0, "")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--who", "crm"), [1, 0]),
        (("--action", "delete"), [3, 1]),
        (("--call", "CA1"), [3, 1]),
        (("--call", CALL[:12]), [0]),
        (("--call", "last"), [0]),
        (("--since", "2026-11-21"), [3, 2]),
        (("--since", "2026-11-20T11:00:01+01:00", "--until", "2026-11-21T10:00Z"), [1]),
        (("--limit", "3", "--who", "crm"), [1, 0]),
        (("--limit", "1"), [3]),
    ],
)
async def test_filters(house, filters, found):
    await house.store.append([words.started(CALL)])
    told = await command("audit", "--json", *filters, **house.told)
    times = [json.loads(line)["time"] for line in told.out.splitlines()]
    assert [time for time in times if time < "2026-12"] == [ENTRIES[number].time for number in found]


async def test_nothing_matches(house):
    assert await command("audit", "--who", "nobody", **house.told) == (0, "", "No entry matches.\n")


async def test_a_reader_without_the_right_is_told_so(house):
    told = await command("audit", **{**house.told, "BRIDGE_READ_TOKENS": CRM.token})
    assert told.status == 2
    assert told.err.startswith("bridge: ") and "audit" in told.err


@pytest.mark.parametrize("how", [(), ("--json",)])
async def test_what_could_play_with_the_terminal_is_not_printed(house, how):
    await house.log.write(Entry("2026-11-23T10:00:00.000Z", EVIL, "token", "", "read", "CA1", EVIL, 200))
    told = await command("audit", *how, **house.told)
    assert all(character.isprintable() for line in told.out.split("\n") for character in line)
    assert "[bold]c" in told.out


@pytest.mark.parametrize(("short", "shown"), [(True, "CA77777777"), (False, CALL)])
def test_where_there_is_little_room_ids_are_cut_to_what_the_command_takes(short, shown):
    table = audit._table([asdict(entry) for entry in ENTRIES], short=short)
    assert [str(cell) for cell in table.columns[3].cells] == [shown, "CA1", "", "CA1"]
