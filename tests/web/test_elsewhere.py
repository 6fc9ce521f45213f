"""What a process answers where another one's role is asked for."""

import pytest
from aiohttp import web

from bridge.roles import ALL
from bridge.web.elsewhere import here
from bridge.web.http import refuse_in_json


async def answer(request):
    return web.Response(text="here")


ROUTES = [web.get("/media/twilio", answer), web.post("/twiml/voice", answer), web.get("/calls/{id}", answer)]


async def asked(aiohttp_client, roles):
    app = web.Application(middlewares=[refuse_in_json])
    app.add_routes(list(here(frozenset(roles), ROUTES)))
    client = await aiohttp_client(app)
    answers = [
        await client.get("/media/twilio"),
        await client.post("/twiml/voice"),
        await client.get("/calls/CA1"),
        await client.get("/none"),
        await client.get("/twiml/stream-status"),
    ]
    return [each.status for each in answers], [await each.text() for each in answers]


@pytest.mark.parametrize(
    ("roles", "statuses"),
    [
        (ALL, [200, 200, 200, 404, 404]),
        ({"media"}, [200, 200, 503, 404, 404]),
        ({"web"}, [503, 503, 200, 404, 503]),
        ({"worker"}, [503, 503, 503, 404, 503]),
        ({"media", "web"}, [200, 200, 200, 404, 404]),
    ],
)
async def test_what_is_another_roles_is_refused_and_known(aiohttp_client, roles, statuses):
    assert (await asked(aiohttp_client, roles))[0] == statuses


async def test_the_refusal_says_who_serves_it_and_a_carriers_is_told_in_the_log(aiohttp_client, caplog):
    said = (await asked(aiohttp_client, {"web", "worker"}))[1]

    sentence = "This process is web and worker, and this is served by those with the role media."
    assert said[0] == said[1] == f'{{"error": "{sentence}"}}'
    told = [vars(record) for record in caplog.records if record.name == "bridge.requests"]
    assert [each["msg"] for each in told] == ["a carrier asks a process that takes no calls"] * 3
    assert "/media and /twiml" in told[0]["remedy"]
