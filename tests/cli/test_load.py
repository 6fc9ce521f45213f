"""`bridge load` against a bridge of its own, and what it refuses."""

import json

import pytest

from bridge.cli.place import Place, written
from tests.fakes.command import command
from tests.fakes.running import TWILIO_TOKEN, bridge, deepgram, settings

READER = "a-token-for-readers-of-a-load"


async def test_calls_are_made_and_found_complete_in_the_record(tmp_path):
    async with deepgram() as server:
        given = {"bridge_read_tokens": READER, "bridge_grace": 5.0}
        async with bridge(settings(tmp_path, server.url, **given)) as origin:
            told = await command(
                *("load", "--to", origin.replace("http", "ws", 1) + "/media/twilio", "--json"),
                *("--calls", "3", "--seconds", "2", "--ramp", "0.2", "--dropped", "0.34", "--away", "0.1"),
                BRIDGE_READ_TOKENS=READER,
            )

    figures = json.loads(told.out)
    assert told.status == 0, told.err
    assert [figures[name] for name in ("calls", "started", "finished", "complete")] == [3, 3, 3, 3]
    assert figures["delays"]["upgrade"]["measured"] == 4  # one socket broke, and came back
    assert figures["delays"]["start"]["measured"] == figures["delays"]["end"]["measured"] == 3
    assert figures["feed_lost"] == 0


async def test_by_default_the_bridge_on_this_machine_is_called_at_whatever_port_it_has(tmp_path):
    async with deepgram() as server:
        given = {"twilio_signature": "strict", "twilio_auth_token": TWILIO_TOKEN, "public_url": "https://a.example"}
        async with bridge(settings(tmp_path, server.url, **given)) as origin:
            with written(tmp_path, Place(origin, "https://a.example")):
                told = await command(
                    *("load", "--calls", "1", "--seconds", "1", "--no-record"),
                    DATA_DIR=str(tmp_path),
                    TWILIO_AUTH_TOKEN=TWILIO_TOKEN,
                )

    assert told.status == 0 and "finished 1" in told.out


async def test_where_no_bridge_is_known_it_is_asked_where_to_call(tmp_path):
    told = await command("load", DATA_DIR=str(tmp_path), PORT="0")

    assert told.status == 2 and "no bridge is known here" in told.err


async def test_calls_that_are_refused_fail_the_command(tmp_path):
    async with deepgram() as server:
        given = {"twilio_signature": "strict", "twilio_auth_token": TWILIO_TOKEN, "public_url": "https://a.example"}
        async with bridge(settings(tmp_path, server.url, **given)) as origin:
            media = origin.replace("http", "ws", 1) + "/media/twilio"
            arguments = ("load", "--to", media, "--calls", "2", "--seconds", "1", "--ramp", "0", "--no-record")
            refused = await command(*arguments)
            signed = await command(*arguments, "--sign", "wss://a.example/media/twilio", TWILIO_AUTH_TOKEN=TWILIO_TOKEN)

    assert refused.status == 1 and "2 × the server refused the call with 403" in refused.out
    assert signed.status == 0 and "finished 2" in signed.out


async def test_without_a_token_that_the_bridge_takes_nothing_is_called(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url)) as origin:
        told = await command(
            "load",
            "--to",
            origin.replace("http", "ws", 1) + "/media/twilio",
            BRIDGE_READ_TOKENS="another-token-than-its",
        )

    assert told.status == 2 and "the feed of the bridge cannot be read" in told.err
    assert server.connections == []


@pytest.mark.parametrize("where", [("--to", "wss://calls.example.com/media/twilio"), ("--voice", "https://10.0.0.1/v")])
async def test_another_machine_is_called_only_if_that_is_meant(where):
    told = await command("load", *where, "--calls", "100", "--minutes", "3")

    assert told.status == 2
    assert "100 calls, for 300 minutes of calls in all, at another machine" in told.err and "--yes" in told.err


async def test_one_address_is_enough():
    told = await command("load", "--to", "ws://127.0.0.1:1/media/twilio", "--voice", "http://127.0.0.1:1/v")

    assert told.status == 2 and "not both" in told.err


@pytest.mark.parametrize(
    "option",
    [("--calls", "1001"), ("--seconds", "601"), ("--minutes", "241"), ("--lost", "nan"), ("--patience", "nan")],
)
async def test_there_are_bounds(option):
    told = await command("load", *option)

    assert told.status == 2 and f"'{option[0]}'" in told.err
