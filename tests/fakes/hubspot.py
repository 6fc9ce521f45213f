"""As much of HubSpot's CRM API as a note needs, with the limits its pages name.

Source: developers.hubspot.com, CRM API v3: notes, contacts, search.
"""

from contextlib import asynccontextmanager
from types import SimpleNamespace

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "pat-na1-of-a-private-app"
LONGEST = 65_536
NOTE_TO_CONTACT = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]


@asynccontextmanager
async def hubspot(**contacts):
    """Yields its `url`, the `notes` that it took, and `busy`: how often it answers 429 before it takes one.
    `contacts`: numbers by their ids.
    """
    crm = SimpleNamespace(notes=[], busy=0, turned_away=0, contacts=dict(contacts))

    def refused(request, status, message):
        return web.json_response({"status": "error", "message": message}, status=status)

    async def search(request):
        body = await request.json()
        assert 1 <= len(body["filterGroups"]) <= 5
        wanted = set()
        for group in body["filterGroups"]:
            for each in group["filters"]:
                assert each["operator"] == "EQ" and each["propertyName"] in ("phone", "mobilephone")
                wanted.add(each["value"])
        found = [{"id": name, "properties": {}} for name, number in crm.contacts.items() if number in wanted]
        return web.json_response({"total": len(found), "results": found[: body["limit"]]})

    async def create(request):
        name = f"new{len(crm.contacts)}"
        crm.contacts[name] = (await request.json())["properties"]["phone"]
        return web.json_response({"id": name}, status=201)

    async def note(request):
        if crm.busy > 0:
            crm.busy -= 1
            crm.turned_away += 1
            return refused(request, 429, "You have reached your secondly limit.")
        body = await request.json()
        properties = body["properties"]
        if not properties.get("hs_timestamp") or len(properties["hs_note_body"]) > LONGEST:
            return refused(request, 400, "Property values were not valid")
        for association in body["associations"]:
            if association["to"]["id"] not in crm.contacts or association["types"] != NOTE_TO_CONTACT:
                return refused(request, 400, "One or more associations are not valid")
        crm.notes.append(body)
        return web.json_response({"id": str(len(crm.notes)), "properties": properties}, status=201)

    @web.middleware
    async def private(request, handler):
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refused(request, 401, "Authentication credentials not found.")
        return await handler(request)

    app = web.Application(middlewares=[private])
    app.router.add_post("/crm/v3/objects/contacts/search", search)
    app.router.add_post("/crm/v3/objects/contacts", create)
    app.router.add_post("/crm/v3/objects/notes", note)
    server = TestServer(app)
    await server.start_server()
    crm.url = str(server.make_url("")).rstrip("/")
    try:
        yield crm
    finally:
        await server.close()
