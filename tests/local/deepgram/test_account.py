"""The key, the tokens that are made with it, and the three requests about them."""

import uuid
from typing import Any

import aiohttp
import httpx
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from websockets.asyncio.client import connect

from bridge.local.deepgram import LocalDeepgram
from bridge.local.deepgram.account import Keys, read_ttl
from bridge.local.deepgram.auth import Credentials
from bridge.local.deepgram.request import Refusal
from bridge.local.script import Script, TimedRecognizers

SCRIPT = Script(channels=((),))
KEY = {"Authorization": "Token secret"}


def server() -> LocalDeepgram:
    return LocalDeepgram(TimedRecognizers(SCRIPT), key="secret")


def bearer(token: str) -> Credentials:
    return Credentials("bearer", token, None)


def test_a_token_lets_in_until_it_ends():
    now = 1000.0
    keys = Keys("secret", lambda: now)
    token = keys.grant(30)
    assert keys.is_let_in(bearer(token))
    assert not keys.is_let_in(Credentials("token", token, None))
    assert not Keys("secret", lambda: now).is_let_in(bearer(token))
    now = 1030.0
    assert not keys.is_let_in(bearer(token))
    assert keys.is_let_in(bearer("secret"))
    assert not keys.is_let_in(bearer("\udcff")), "octets that are no text"


def test_where_any_key_is_good_a_token_still_ends():
    now = 1000.0
    keys = Keys(None, lambda: now)
    token = keys.grant(1)
    now = 1002.0
    assert not keys.is_let_in(bearer(token))
    assert keys.is_let_in(bearer("whatever"))
    assert not keys.is_let_in(None)


@pytest.mark.parametrize(("body", "ttl"), [(b"", 30.0), (b"{}", 30.0), (b'{"ttl_seconds":null}', 30.0)])
def test_the_usual_ttl(body, ttl):
    assert read_ttl(body) == ttl


@pytest.mark.parametrize("value", ["0", "3601", "true", '"60"', "NaN", "[]"])
def test_a_ttl_that_is_refused(value):
    assert isinstance(read_ttl(f'{{"ttl_seconds":{value}}}'.encode()), Refusal)
    assert isinstance(read_ttl(b"ttl_seconds=60"), Refusal)


async def ask(local: LocalDeepgram, method: str, path: str, headers: dict[str, str], **options: Any) -> Any:
    """The status and the body; every answer has an id, and every refusal says so in its header, too."""
    async with aiohttp.ClientSession() as http:
        response = await http.request(method, local.http_url + path, headers=headers, **options)
        body = await response.json()
    assert uuid.UUID(response.headers["dg-request-id"])
    if response.status != 200:
        assert set(body) == {"err_code", "err_msg", "request_id"}
        assert body["request_id"] == response.headers["dg-request-id"]
        assert body["err_msg"] == response.headers["dg-error"]
    return response.status, body


async def test_what_is_said_of_a_key_and_its_project():
    async with server() as local:
        status, about = await ask(local, "GET", "/v1/auth/token", KEY)
        assert (status, set(about)) == (200, {"api_key_id", "comment", "scopes", "created"})
        status, about = await ask(local, "GET", "/v1/projects", KEY)
        (project,) = about["projects"]
        assert uuid.UUID(project["project_id"])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/auth/token"), ("POST", "/v1/auth/grant"), ("GET", "/v1/projects")]
)
async def test_a_wrong_key_is_401_and_a_token_is_403(method, path):
    async with server() as local:
        for headers in ({}, {"Authorization": "Token wrong"}):
            status, body = await ask(local, method, path, headers)
            assert (status, body["err_code"], body["err_msg"]) == (401, "INVALID_AUTH", "Invalid credentials.")
        _, granted = await ask(local, "POST", "/v1/auth/grant", KEY)
        status, body = await ask(local, method, path, {"Authorization": f"Bearer {granted['access_token']}"})
        assert (status, body["err_code"]) == (403, "INSUFFICIENT_PERMISSIONS")


async def test_a_token_opens_a_socket_both_ways_in():
    async with server() as local:
        status, granted = await ask(local, "POST", "/v1/auth/grant", KEY, json={"ttl_seconds": 60})
        assert (status, granted["expires_in"]) == (200, 60)
        token = granted["access_token"]
        async with connect(f"{local.url}/v1/listen", additional_headers={"Authorization": f"bearer {token}"}):
            pass
        async with connect(f"{local.url}/v1/listen", subprotocols=["bearer", token]) as ws:
            assert ws.subprotocol == "bearer"


async def test_a_ttl_out_of_range_is_400():
    async with server() as local:
        status, body = await ask(local, "POST", "/v1/auth/grant", KEY, json={"ttl_seconds": 5000})
        assert (status, "between 1 and 3600" in body["err_msg"]) == (400, True)


async def test_deepgrams_own_sdk():
    async with server() as local:
        environment = DeepgramClientEnvironment(
            base=local.http_url, production=local.url, agent=local.url, agent_rest=local.http_url
        )
        async with httpx.AsyncClient() as http:
            client = AsyncDeepgramClient(api_key="secret", environment=environment, httpx_client=http)
            granted = await client.auth.v1.tokens.grant(ttl_seconds=10)
            listed = await client.manage.v1.projects.list()
        assert (granted.access_token.count("."), granted.expires_in) == (2, 10)
        assert [project.name for project in listed.projects] == ["local"]


async def test_the_balance_of_the_project_for_those_who_may_read_it():
    async with server() as deepgram, aiohttp.ClientSession(headers=KEY) as session:
        async with session.get(f"{deepgram.http_url}/v1/projects") as response:
            (project,) = (await response.json())["projects"]
        url = f"{deepgram.http_url}/v1/projects/{project['project_id']}/balances"
        async with session.get(url) as response:
            (balance,) = (await response.json())["balances"]
        async with session.get(f"{deepgram.http_url}/v1/projects/another/balances") as response:
            unknown = response.status
        deepgram.balance = None
        async with session.get(url) as response:
            refused = response.status

    assert (balance["amount"], balance["units"]) == (200.0, "usd")
    assert (unknown, refused) == (404, 403)
