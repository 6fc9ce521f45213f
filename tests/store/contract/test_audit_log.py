"""What every store promises of the audit log: what was written is there, and is found, from the newest back."""

import pytest

from bridge.store.auditing import AuditFilter
from tests.fakes.audit import entry, seconds


@pytest.fixture
def audit(store):
    return store.audit


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


async def test_what_a_client_sends_is_kept_short_and_is_found(audit):
    await audit.write(entry(call_id="x" * 60_000))
    await audit.write(entry(call_id='a\nb\u2028c"\x1b[2J\udc80\0', who="\x85 é"))
    (found,), _ = await audit.read(AuditFilter(call_id='a\nb\u2028c"\x1b[2J\udc80\0', who="\x85 é"))
    assert found["who"] == "\x85 é"
    (found,), _ = await audit.read(AuditFilter(call_id="x" * 256))
    assert found["call_id"] == "x" * 256


async def test_entries_go_when_they_are_too_old(audit):
    for month in ("2026-08", "2026-09", "2026-10", "2026-11"):
        await audit.write(entry(month=month))
    november = 1_795_000_000.0  # 18 November 2026

    await audit.sweep(november, None)
    assert len((await audit.read(AuditFilter()))[0]) == 4
    await audit.sweep(november, 59.5)  # 19 September
    assert {found["time"][:7] for found in (await audit.read(AuditFilter()))[0]} == {"2026-09", "2026-10", "2026-11"}


@pytest.mark.parametrize("before", ["elsewhere", "2026-11.", "2026-11.x", "2026-11.\u0663"])
async def test_a_place_that_there_is_not(audit, before):
    with pytest.raises(ValueError):
        await audit.read(AuditFilter(), before=before)
