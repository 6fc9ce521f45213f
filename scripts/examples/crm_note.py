"""Adds the transcript of every call to its contact in HubSpot, as a note, when all of it is transcribed.

    pip install 'aiohttp>=3.14' 'pydantic>=2.12' && pip install --no-deps .
    WEBHOOK_SECRET=whsec_… BRIDGE_URL=https://… BRIDGE_TOKEN=… HUBSPOT_TOKEN=… python scripts/examples/crm_note.py

It listens on PORT, 3000, at `/calls`. The work is done before the answer: while HubSpot does not take the note, the
bridge is answered 503, and tries again for three days. `notes.db` remembers which calls have theirs. HUBSPOT_URL is
HubSpot's API, or another server for tests; HUBSPOT_TOKEN that of a private app with the scopes
`crm.objects.contacts.read` and `.write`. Source: developers.hubspot.com, CRM API v3, notes, contacts, search.
"""

import asyncio
import os
import sys
from html import escape

import aiohttp
from aiohttp import web

from bridge.client import Bridge, ReadingError, RecordedCall, Refused, SeenFile, Webhook

CRM = os.environ.get("HUBSPOT_URL", "https://api.hubapi.com")
LONGEST = 65_536  # characters of a note
NOTE_TO_CONTACT = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}
LAST = ("call.ended", "transcription.backfilled", "audio.gap")  # the events after which nothing more may come

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
noted = SeenFile("notes.db")


async def receive(request: web.Request) -> web.Response:
    try:
        delivery = webhook.receive(await request.read(), request.headers)
    except Refused as error:
        return web.Response(status=error.status)
    call_id = delivery.call.id
    if any(event.type in LAST for event in delivery.events) and not noted.get(call_id):
        try:
            async with asyncio.timeout(12):  # the bridge waits 15 s for the answer
                await note(call_id)
        except (aiohttp.ClientError, TimeoutError, ReadingError) as error:
            why = f"{type(error).__name__} {getattr(error, 'status', '')}".strip()
            if isinstance(error, ReadingError):
                why = str(error)  # a sentence, with what to do
            print(f"{call_id} has no note yet: {why}", file=sys.stderr, flush=True)
            return web.Response(status=503, headers={"Retry-After": "5"})
    return web.Response(status=204)


async def note(call_id: str) -> None:
    """Post the note, unless the call goes on or waits to be transcribed further."""
    async with Bridge(os.environ["BRIDGE_URL"], os.environ["BRIDGE_TOKEN"]) as bridge:
        call = await bridge.call(call_id)
        number = call.to if call.direction == "outbound" else call.from_
        if call.active or call.waiting or not number:
            return
        transcript = await bridge.transcript(call_id)
    headers = {"Authorization": f"Bearer {os.environ['HUBSPOT_TOKEN']}"}
    async with aiohttp.ClientSession(CRM, headers=headers, raise_for_status=True) as crm:
        contact = await find(crm, number) or await create(crm, number)
        body = {
            "properties": {"hs_timestamp": call.started_at, "hs_note_body": text(call, transcript)},
            "associations": [{"to": {"id": contact}, "types": [NOTE_TO_CONTACT]}],
        }
        async with crm.post("/crm/v3/objects/notes", json=body) as answer:
            noted[call_id] = str((await answer.json())["id"])
    print(f"{call_id} is noted at contact {contact}", flush=True)


async def find(crm: aiohttp.ClientSession, number: str) -> str | None:
    """The contact with this number."""
    filters = [[{"propertyName": name, "operator": "EQ", "value": number}] for name in ("phone", "mobilephone")]
    body = {"filterGroups": [{"filters": each} for each in filters], "limit": 1}  # one group, or the other
    async with crm.post("/crm/v3/objects/contacts/search", json=body) as answer:
        found = (await answer.json())["results"]
    return found[0]["id"] if found else None


async def create(crm: aiohttp.ClientSession, number: str) -> str:
    async with crm.post("/crm/v3/objects/contacts", json={"properties": {"phone": number}}) as answer:
        return str((await answer.json())["id"])


def text(call: RecordedCall, transcript: str) -> str:
    """The note, in HubSpot's HTML, no longer than it may be."""
    head = f"<p><strong>Call of {call.duration or 0:.0f} s</strong> ({escape(call.id)})</p>"
    if call.missing:
        head += f"<p>{call.missing:.0f} s have no transcript.</p>"
    lines, room = [], LONGEST - len(head) - len("<p>…</p>")
    for line in transcript.splitlines():
        lines.append(f"{escape(line)}<br>")
        room -= len(lines[-1])
        if room < len("…"):
            lines[-1] = "…"  # the rest is in the bridge's record
            break
    return f"{head}<p>{''.join(lines)}</p>"


app = web.Application()
app.router.add_post("/calls", receive)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3000")), print=None)
