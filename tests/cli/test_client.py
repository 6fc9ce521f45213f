"""Which bridge a command asks, and what is told while it follows a feed."""

import asyncio

import pytest

from bridge import config
from bridge.cli.client import BridgeAddress, BridgeClient, ClientPolicy, find_bridge
from bridge.errors import ConfigError
from bridge.store.token import FILENAME
from tests.fakes import words
from tests.fakes.reading import TOKEN, doors
from tests.fakes.wire import Wire


def settings(**given):
    return config.load({}, **given)


def test_the_bridge_of_this_machine_by_default(tmp_path):
    (tmp_path / FILENAME).write_text("kept-token\n")
    assert find_bridge(settings(data_dir=tmp_path, port=9000), None) == BridgeAddress(
        "http://127.0.0.1:9000", "kept-token"
    )


def test_the_first_of_the_tokens(tmp_path):
    (tmp_path / FILENAME).write_text("kept-token\n")
    tokens = settings(data_dir=tmp_path, bridge_read_tokens="first-of-the-tokens second-of-the-tokens")
    assert find_bridge(tokens, "https://calls.example.com/") == BridgeAddress(
        "https://calls.example.com", "first-of-the-tokens"
    )


def test_the_token_that_programs_with_the_client_have(tmp_path, monkeypatch):
    monkeypatch.setenv("BRIDGE_TOKEN", " token-of-the-reader\n")
    tokens = settings(data_dir=tmp_path, bridge_read_tokens="first-of-the-tokens")
    assert find_bridge(tokens, "https://calls.example.com").token == "token-of-the-reader"

    monkeypatch.setenv("BRIDGE_TOKEN", "two sesames")
    with pytest.raises(ConfigError, match="BRIDGE_TOKEN must be one token") as told:
        find_bridge(tokens, "https://calls.example.com")
    assert "sesame" not in str(told.value)


def test_no_token_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"no token in DATA_DIR, now .*: run this in the folder"):
        find_bridge(settings(data_dir=tmp_path / "data"), None)
    assert not (tmp_path / "data").exists()


def test_any_port_is_no_address(tmp_path):
    with pytest.raises(ConfigError, match="--url"):
        find_bridge(settings(port=0, data_dir=tmp_path), None)


@pytest.mark.parametrize(
    "url",
    [
        "calls.example.com",
        "ftp://x",
        "https://",
        "http://a:99999",
        "http://me:sesame@x",
        "http://x?a=b",
        "http://[",
        "",
    ],
)
def test_a_bad_address_is_said_and_not_repeated(tmp_path, url):
    with pytest.raises(ConfigError, match=r"--url must be the bridge's address") as told:
        find_bridge(settings(data_dir=tmp_path, bridge_read_tokens=TOKEN), url)
    assert "sesame" not in str(told.value)


async def test_a_connection_that_is_lost_and_back_is_told(tmp_path):
    told = asyncio.Queue()
    policy = ClientPolicy(pauses=(0.0, 0.01))
    async with doors(tmp_path) as house, Wire(house.origin) as wire:
        await house.store.append([words.started()])
        async with BridgeClient(BridgeAddress(wire.origin, TOKEN), policy) as client:
            feed = client.watch("/calls/CA1/events", told.put_nowait)
            assert (await anext(feed)).event == "call.started"
            wire.cut()
            following = asyncio.ensure_future(anext(feed))
            assert await told.get() == "the connection is lost; reconnecting …"
            back = await told.get()
            assert back.startswith("back after 0.") and back.endswith(" s; nothing was missed")
            async with doors(tmp_path / "other") as other:
                await other.store.append([words.started()])
                await house.store.append([words.final()])
                assert (await following).event == "transcript.final"
                wire.leads_to(other.origin)
                wire.cut()
                assert (await anext(feed)).event == "reset"
                assert await told.get() == "the connection is lost; reconnecting …"
                assert (await told.get()).endswith("; what happened meanwhile may be missing")
                await feed.aclose()
