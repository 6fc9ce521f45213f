"""The documents as they are served, and held against the routes of the whole application."""

import re
import time
from importlib.resources import files

import pytest
from aiohttp.test_utils import make_mocked_request

from bridge import __version__, app
from bridge.rights import unlimited
from bridge.web.access import VISITOR, Access, Visitor
from bridge.web.contract import document, events_document, operations, schema, written
from tests.fakes.running import TWILIO_TOKEN, settings

TOKEN = "a-token-for-readers"
SOCKETS = "/media/"


@pytest.fixture
def application(tmp_path):
    """With all that a setting can add."""
    configured = settings(
        tmp_path,
        "ws://127.0.0.1:9",
        public_url="https://calls.example.com",
        twilio_auth_token=TWILIO_TOKEN,
        twilio_signature="strict",
        bridge_read_tokens=TOKEN,
        bridge_metrics="token",
    )
    return app.build(configured)


@pytest.fixture
async def client(application, aiohttp_client):
    return await aiohttp_client(application)


def routes(application):
    """Method and path; a slash at the end is another spelling."""
    found = [(route.method, route.resource.canonical) for route in application.router.routes()]
    return {(method, path.rstrip("/") or "/") for method, path in found if method != "HEAD"}


def test_every_route_has_its_document(application):
    known = {(one.method, one.path) for one in operations()}
    hint = "put @documented at its handler, and the handler's class into HANDLERS of bridge/web/contract.py"

    assert not [f"{method} {path}: {hint}" for method, path in sorted(routes(application) - known)]


def test_every_document_has_its_route(application):
    known = [(one.method, one.path) for one in operations()]

    assert not [f"{method} {path}: there is no such route" for method, path in set(known) - routes(application)]
    assert len(known) == len(set(known))


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does():
    names = [one.name for one in operations()]

    assert len(names) == len(set(names))
    assert [one.name for one in operations() if not one.summary] == []


def linked_to(call_id):
    """The token of a link, as the reader makes it who has the token."""
    [reader] = unlimited([TOKEN])
    request = make_mocked_request("GET", "/")
    request[VISITOR] = Visitor(reader, "token")
    return Access([reader], None, time.time).link(request, call_id, 60.0)[0]


def filled(path):
    return path.replace("{id}", "CA1").replace("{form}", "txt").replace("{name}", "base.css").replace("{file}", "x")


async def test_who_is_let_in_is_who_the_document_says(client):
    wrong, link = [], linked_to("CA1")
    for one in operations():
        if one.path.startswith((SOCKETS, "/twiml/")) or one.name == "login":
            continue
        strangers = (await client.request(one.method, filled(one.path))).status
        linked = 401
        if one.guard == "link" or (one.guard == "reader" and one.method == "GET" and one.name != "followCalls"):
            linked = (await client.request(one.method, f"{filled(one.path)}?access={link}")).status
        if (strangers != 401, linked != 401) != (one.guard == "open", one.guard == "link"):
            wrong.append(
                f"{one.method} {one.path} is for {one.guard}: a stranger got {strangers}, with a link {linked}"
            )
    assert wrong == []


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json", "/schemas/Delivery.json"])
async def test_a_document_is_served_to_everyone_and_only_once(client, path):
    answer = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": answer.headers["ETag"]})

    assert (answer.status, again.status) == (200, 304)
    assert answer.content_type in ("application/json", "application/schema+json")


async def test_the_documents_have_the_version_of_the_package(client):
    for path in ("/openapi.json", "/asyncapi.json"):
        assert (await (await client.get(path)).json())["info"]["version"] == __version__


async def test_types_for_typescript(client):
    answer = await client.get("/schemas/bridge.d.ts")

    assert (answer.status, answer.content_type) == (200, "text/plain")
    assert "TranscriptFinalEvent" in await answer.text()


def test_the_types_for_typescript_are_of_these_operations_and_schemas():
    """`./scripts/contract` makes them again and compares; this names those of an older document at once."""
    types, said = (files("bridge.contract") / "bridge.d.ts").read_text(), document()
    asked = [each for path in said["paths"].values() for each in path.values() if "operationId" in each]
    summaries = [f"* {each['summary']}" for each in asked]
    fields = [name for schema in said["components"]["schemas"].values() for name in schema.get("properties", ())]

    assert len(asked) > 30
    assert [summary for summary in summaries if summary not in types] == []
    assert [name for name in said["components"]["schemas"] if f" {name}: " not in types] == []
    assert [name for name in fields if not re.search(rf"[ \"]{re.escape(name)}[\"?:]", types)] == []


@pytest.mark.parametrize("name", ["Nothing.json", "Delivery", "bridge.d.ts.json", "..%2fopenapi.json"])
async def test_there_is_no_such_type(client, name):
    assert (await client.get(f"/schemas/{name}")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PATCH", "/calls", 405),
        ("GET", "/calls/x/y/z", 404),
        ("GET", "/media/twilio", 403),
        ("GET", "/media/jambonz", 403),
        ("POST", "/twiml/voice", 403),
        ("POST", "/login", 401),
    ],
)
async def test_every_refusal_has_the_same_form(client, method, path, status):
    answer = await client.request(method, path)

    assert answer.status == status
    assert (await answer.json()).keys() == {"error"}
    assert ("Allow" in answer.headers) is (status == 405)
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_the_documents_are_made_once():
    assert document() is document()
    assert events_document() is events_document()
    assert written("openapi") is written("openapi")


def test_a_schema_alone():
    assert schema("Delivery")["$defs"].keys() >= {"Event", "CallHeader", "Word"}
    with pytest.raises(KeyError):
        schema("Nothing")
