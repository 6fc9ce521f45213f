"""`bridge call` without an address: the bridge on this machine."""

import pytest

from tests.fakes.command import command
from tests.fakes.running import TWILIO_TOKEN, bridge, deepgram, settings

TOLD = r"call CA\w+: \d+ messages in"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Plays a second of one track at the bridge at this port, with these settings."""
    monkeypatch.chdir(tmp_path)

    async def play(port, **environment):
        given = {"PORT": str(port), "TWILIO_AUTH_TOKEN": "", "PUBLIC_URL": "", **environment}
        return await command("call", "--speed", "0", "--tracks", "inbound", "--drop-after", "1", **given)

    return play


@pytest.mark.parametrize("public_url", [None, "https://calls.example.com"])
async def test_it_is_played_there_whatever_its_public_url_is(tmp_path, call, public_url):
    strict = {"twilio_signature": "strict", "twilio_auth_token": TWILIO_TOKEN} if public_url else {}
    async with deepgram() as server, bridge(settings(tmp_path, server.url, public_url=public_url, **strict)) as origin:
        environment = {"PUBLIC_URL": public_url, "TWILIO_AUTH_TOKEN": TWILIO_TOKEN} if public_url else {}
        told = await call(origin.rpartition(":")[2], **environment)

    assert (told.status, told.err) == (0, f"calling {origin.removeprefix('http://')} …\n")
    assert "messages in" in told.out
    assert f"bridge transcript {told.out.split()[1][:10]}\n" in told.out


async def test_a_bridge_that_wants_signatures_is_said_to(tmp_path, call):
    strict = {
        "twilio_signature": "strict",
        "twilio_auth_token": TWILIO_TOKEN,
        "public_url": "https://calls.example.com",
    }
    async with deepgram() as server, bridge(settings(tmp_path, server.url, **strict)) as origin:
        told = await call(origin.rpartition(":")[2])

    assert told.status == 2
    assert told.err.endswith("Set TWILIO_AUTH_TOKEN as the bridge has it\n")


@pytest.mark.parametrize(
    ("port", "why"), [(1, "no bridge answers at http://127.0.0.1:1"), (0, "no bridge is known here")]
)
async def test_where_no_bridge_is_it_says_how_to_have_one(call, port, why):
    remedy = "start `bridge serve --local`, or say where to call: --voice, --to"
    assert await call(port) == (2, "", f"bridge: {why}: {remedy}\n")
