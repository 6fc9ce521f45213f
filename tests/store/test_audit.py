"""The audit log's files: what is written is there, is found again, and survives what a crash has torn."""

import json
import stat

import pytest

from bridge.errors import StoreError
from bridge.store.audit import FOLDER, AuditFiles
from bridge.store.auditing import AuditFilter
from tests.fakes.audit import entry, seconds


@pytest.fixture
def audit(tmp_path):
    return AuditFiles(tmp_path)


async def test_it_is_for_the_owner_only(audit, tmp_path):
    await audit.write(entry())
    assert stat.S_IMODE((tmp_path / FOLDER / "2026-11.jsonl").stat().st_mode) == 0o600


async def test_a_line_that_a_crash_has_torn_harms_no_other(audit, tmp_path):
    await audit.write(entry(1))
    with (tmp_path / FOLDER / "2026-11.jsonl").open("a") as file:
        file.write('{"time": "2026-11-20T10:0')
    await audit.write(entry(2))

    assert await seconds(audit) == ([2, 1], None)
    assert json.loads((tmp_path / FOLDER / "2026-11.jsonl").read_text().splitlines()[-1])["status"] == 200


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
