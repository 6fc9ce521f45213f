"""Entries of the audit log, and which of them are read."""

from bridge.store.auditing import AuditFilter, Entry


def entry(second=0, month="2026-11", **given):
    fields = {"who": "crm", "via": "token", "address": "10.0.0.1", "action": "read", "call_id": "CA1"}
    time = f"{month}-20T10:00:{second:02}.000Z"
    return Entry(**{**fields, "time": time, "form": None, "status": 200, **given})


async def seconds(audit, wanted=AuditFilter(), **how):
    entries, further = await audit.read(wanted, **how)
    return [int(found["time"][17:19]) for found in entries], further
