"""What the log says of requests that no handler sees."""

import pytest
from aiohttp import web

from bridge.web.refusals import Refusals

TWILIO = {"X-Twilio-Signature": "x"}


async def answer(request):
    return web.Response()


async def refuse(request):
    raise web.HTTPBadRequest(text="A form needs a CallSid.")


async def refuse_size(request):
    raise web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2, text="more than 1")


async def forbid(request):
    raise web.HTTPForbidden


async def redirect(request):
    raise web.HTTPFound("/")


@pytest.fixture
def refusals():
    return Refusals("https://calls.example.com", True, ["/media/twilio", "/media/telnyx"])


@pytest.fixture
async def client(refusals, aiohttp_client):
    app = web.Application(middlewares=[refusals.middleware])
    app.add_routes([web.get("/media/twilio", answer), web.post("/media/telnyx/{secret}", answer)])
    app.add_routes([web.get("/twiml/voice", refuse), web.post("/twiml/voice", refuse_size)])
    app.add_routes([web.get("/twiml/forbidden", forbid), web.get("/moved", redirect)])
    return await aiohttp_client(app)


def told(caplog):
    return [vars(record) for record in caplog.records if record.name == "bridge.requests"]


@pytest.mark.parametrize(
    ("method", "path", "status", "reason", "remedy"),
    [
        ("POST", "/media/twilio", 405, "method", "by GET"),
        ("GET", "/media/twillio", 404, "no such path", "/media/twilio, /media/telnyx"),
        ("GET", "/twiml", 404, "no such path", "the voice URL is https://calls.example.com/twiml/voice"),
        ("DELETE", "/twiml/voice", 405, "method", "POST or by GET"),
        ("GET", "/twiml/voice", 400, "CallSid", "documentation"),
        ("POST", "/twiml/voice", 413, "too large", "a few kB"),
    ],
)
async def test_a_carriers_refusal_is_told_with_its_reason_and_what_helps(
    client, caplog, method, path, status, reason, remedy
):
    assert (await client.request(method, path)).status == status
    (line,) = told(caplog)

    assert (line["method"], line["path"], line["status"], line["levelname"]) == (method, path, status, "WARNING")
    assert reason in line["reason"] and remedy in line["remedy"]


async def test_twilio_at_a_wrong_path_is_told_the_right_one(client, caplog):
    assert (await client.post("/voice", headers=TWILIO)).status == 404

    assert "the voice URL is" in told(caplog)[0]["remedy"]


async def test_a_bridge_that_answers_no_calls_says_what_to_set(caplog, aiohttp_client):
    refusals = Refusals(None, False, ["/media/twilio"])
    client = await aiohttp_client(web.Application(middlewares=[refusals.middleware]))
    assert (await client.post("/twiml/voice")).status == 404

    assert "set PUBLIC_URL and TWILIO_AUTH_TOKEN" in told(caplog)[0]["remedy"]


async def test_a_secret_in_a_path_or_a_query_is_not_told(client, caplog):
    for path in ("/media/telnyx/SECRET", "/media/telnix/SECRET/x", "/media/telnyx?token=SECRET"):
        assert (await client.get(path)).status in (404, 405)

    assert [line["path"] for line in told(caplog)] == ["/media/telnyx/…", "/media/telnix/…", "/media/telnyx"]
    assert "SECRET" not in str(told(caplog))


async def test_what_a_handler_has_told_is_not_told_twice(client, caplog):
    assert (await client.get("/twiml/forbidden")).status == 403

    assert told(caplog) == []


async def test_a_scan_is_counted_only(client, refusals, caplog):
    for path in ("/wp-login.php", "/.env", "/twimlx"):
        assert (await client.get(path)).status == 404
    assert (await client.get("/moved", allow_redirects=False)).status == 302

    assert (told(caplog), refusals.counters["refused"]) == ([], 3)
