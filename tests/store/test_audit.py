"""The audit log's files: what is written is there, is found again, and survives what a crash has torn."""

import json
import stat

import pytest

from bridge.errors import StoreError
from bridge.store.audit import FOLDER, AuditFilter, AuditLog, Entry


def entry(second=0, month="2026-11", **given):
    fields = {"who": "crm", "via": "token", "address": "10.0.0.1", "action": "read", "call_id": "CA1"}
    time = f"{month}-20T10:00:{second:02}.000Z"
    return Entry(**{**fields, "time": time, "form": None, "status": 200, **given})


@pytest.fixture
def audit(tmp_path):
    return AuditLog(tmp_path)


async def seconds(audit, wanted=AuditFilter(), **how):
    entries, further = await audit.read(wanted, **how)
    return [int(found["time"][17:19]) for found in entries], further


async def test_what_was_written_is_read_from_the_newest_back(audit):
    await audit.write(entry(1, month="2026-10", form="events"))
    await audit.write(entry(2))
    entries, further = await audit.read(AuditFilter())

    assert further is None
    assert entries[1] == {
        "time": "2026-10-20T10:00:01.000Z",
        "who": "crm",
        "via": "token",
        "address": "10.0.0.1",
        "action": "read",
        "call_id": "CA1",
        "form": "events",
        "status": 200,
    }
    assert "form" not in entries[0]


async def test_it_is_for_the_owner_only(audit, tmp_path):
    await audit.write(entry())
    assert stat.S_IMODE((tmp_path / FOLDER / "2026-11.jsonl").stat().st_mode) == 0o600


async def test_a_page_goes_on_where_the_last_one_ended(audit):
    for second in range(5):
        await audit.write(entry(second, month="2026-10" if second < 2 else "2026-11"))
    first, place = await seconds(audit, limit=2)
    second, further = await seconds(audit, before=place, limit=2)
    third, none = await seconds(audit, before=further, limit=2)

    assert (first, second, third, none) == ([4, 3], [2, 1], [0], None)
    with pytest.raises(ValueError):
        await audit.read(AuditFilter(), before="elsewhere")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AuditFilter(who="anna"), [2]),
        (AuditFilter(action="delete"), [3]),
        (AuditFilter(call_id="CA2"), [3, 2]),
        (AuditFilter(since="2026-11-20T10:00:02"), [3, 2]),
        (AuditFilter(until="2026-11-20T10:00:02"), [1, 0]),
        (AuditFilter(since="2026-11"), [3, 2, 1]),
        (AuditFilter(who="crm", call_id="CA2"), [3]),
        (AuditFilter(who="eve"), []),
    ],
)
async def test_what_is_asked_for_is_found(audit, wanted, expected):
    await audit.write(entry(0, month="2026-10"))
    await audit.write(entry(1))
    await audit.write(entry(2, who="anna", call_id="CA2"))
    await audit.write(entry(3, action="delete", call_id="CA2"))
    assert (await seconds(audit, wanted))[0] == expected


async def test_a_line_that_a_crash_has_torn_harms_no_other(audit, tmp_path):
    await audit.write(entry(1))
    with (tmp_path / FOLDER / "2026-11.jsonl").open("a") as file:
        file.write('{"time": "2026-11-20T10:0')
    await audit.write(entry(2))

    assert await seconds(audit) == ([2, 1], None)
    assert json.loads((tmp_path / FOLDER / "2026-11.jsonl").read_text().splitlines()[-1])["status"] == 200


async def test_months_go_when_they_are_too_old(audit):
    for month in ("2026-08", "2026-09", "2026-10", "2026-11"):
        await audit.write(entry(month=month))
    november = 1_795_000_000.0  # 18 November 2026

    assert await audit.sweep(november, 60) == 1
    assert {found["time"][:7] for found in (await audit.read(AuditFilter()))[0]} == {"2026-09", "2026-10", "2026-11"}


async def test_a_disk_that_takes_nothing_is_said(audit, tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot write the audit log"):
        await audit.write(entry())
    assert audit.counters["not_written"] == 1


async def test_a_file_is_read_in_blocks_from_its_end(audit, tmp_path, monkeypatch):
    """Whatever the block cuts: a line, its end, several at once; and no more than that is in memory."""
    (tmp_path / FOLDER).mkdir()
    lines = [json.dumps({"time": f"2026-11-20T10:00:{n:02}.000Z", "who": "x" * (n * 7 % 50)}) for n in range(60)]
    (tmp_path / FOLDER / "2026-11.jsonl").write_text("\n".join(lines) + "\n")
    for block in (1, 7, 64, 100, 1 << 20):
        monkeypatch.setattr("bridge.store.audit._BLOCK", block)
        got, place = [], None
        while True:
            page, place = await seconds(audit, before=place, limit=7)
            got += page
            if place is None:
                break
        assert got == list(range(59, -1, -1)), block


async def test_what_a_client_sends_is_kept_short_and_ends_no_line(audit, tmp_path):
    await audit.write(entry(call_id="x" * 60_000))
    await audit.write(entry(call_id='a\nb\u2028c"\x1b[2J\udc80', who="\x85 é"))
    written = (tmp_path / FOLDER / "2026-11.jsonl").read_bytes()

    assert len(written) < 1000
    assert written.isascii()
    assert len(written.splitlines()) == 2
    (found,), _ = await audit.read(AuditFilter(call_id='a\nb\u2028c"\x1b[2J\udc80', who="\x85 é"))
    assert found["who"] == "\x85 é"
