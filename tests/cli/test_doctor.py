"""`bridge doctor`, as a person and as a program gets it."""

import json

from bridge.cli.place import Place, written
from tests.fakes.command import command
from tests.fakes.running import bridge, settings
from tests.fakes.setups import KEY, fronted, working

LOCAL = ("--skip", "disk", "--skip", "files", "--skip", "versions", "--skip", "twilio", "--skip", "clock")
HERE = ("--skip", "disk", "--skip", "files", "--skip", "versions", "--skip", "clock", "--skip", "serving")


async def test_every_thing_is_a_line_and_broken_is_a_status(tmp_path):
    async with working(tmp_path) as setup, fronted(setup):
        well = await command("doctor", *HERE, **setup.environment)
        broken = await command("doctor", *HERE, **{**setup.environment, "DEEPGRAM_API_KEY": "another-key-altogether"})

    assert (well.status, broken.status) == (0, 1)
    assert "✓ webhook " in well.out and "✓ public_url.media " in well.out
    assert "✗ deepgram " in broken.out and "→ copy it whole" in broken.out
    assert "1 broken" in broken.out.splitlines()[-1]
    assert KEY not in well.out + broken.out and "another-key" not in broken.out


async def test_a_program_gets_json(tmp_path):
    async with working(tmp_path) as setup:
        told = await command("doctor", *HERE, "--json", **{**setup.environment, "BRIDGE_CHUNKS": "1"})

    said = json.loads(told.out)
    assert (told.status, said["ok"]) == (1, False)
    assert said["findings"][0]["remedy"] == "rename BRIDGE_CHUNKS to BRIDGE_CHUNK_MS"


async def test_a_check_that_there_is_not_is_told():
    told = await command("doctor", "--skip", "weather")

    assert told.status == 2
    assert "there is no check weather" in told.err


async def test_a_local_set_up_is_understood_while_it_serves_and_when_it_is_asked_for(tmp_path):
    async with working(tmp_path) as setup:
        environment = {
            name: value for name, value in setup.environment.items() if not name.startswith(("DEEPGRAM", "TWILIO"))
        }
        before = await command("doctor", *LOCAL, **environment, PORT="0")
        asked = await command("doctor", *LOCAL, "--local", **environment, PORT="0")
        async with bridge(settings(setup.data, setup.deepgram.url)) as origin:
            with written(setup.data, Place(origin, origin, local=True)):
                serving = await command("doctor", *LOCAL, "--json", **environment)
                away = {"DEEPGRAM_API_KEY": KEY, "DEEPGRAM_URL": "ws://127.0.0.1:1"}
                with_a_key = await command("doctor", *LOCAL, **environment, **away)

    assert before.status == 1 and "bridge doctor --local" in before.out
    assert asked.status == 0 and "as with bridge serve --local: PocketSphinx" in asked.out
    assert "no bridge serves here" in asked.out and "→ bridge serve --local" in asked.out
    told = json.loads(serving.out)
    marks = {finding["check"]: finding["status"] for finding in told["findings"]}
    assert told["ok"] and {name for name, mark in marks.items() if mark == "ok"} == {
        *("settings", "public_url.dns", "public_url.health", "public_url.media", "deepgram", "webhook", "serving")
    }
    assert with_a_key.status == 1, "another set-up is asked for"
