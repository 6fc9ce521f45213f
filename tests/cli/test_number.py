"""`bridge twiml` and `bridge number`, as a person at a terminal gets them."""

import asyncio
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.fakes import twilio_rest

ROOT = Path(__file__).parent.parent.parent
NUMBER = "+15550123"


def bridge(*arguments, **environment):
    """The command in a process of its own: (status, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_twiml_for_a_bin_names_the_socket_and_dials():
    status, xml, _ = bridge("twiml", PUBLIC_URL="https://calls.example.com", BRIDGE_DIAL="+15550199")
    answer = ElementTree.fromstring(xml)

    assert status == 0
    assert answer.find("./Start/Stream").get("url") == "wss://calls.example.com/media/twilio"
    assert answer.find("./Dial/Number").text == "+15550199"


def test_twiml_without_an_address_says_what_to_set():
    assert bridge("twiml") == (2, "", "bridge: set PUBLIC_URL to the https origin Twilio reaches this server at\n")


def test_twiml_cannot_make_the_token_that_is_required():
    status, _, said = bridge("twiml", PUBLIC_URL="https://calls.example.com", BRIDGE_REQUIRE_TOKEN="true")

    assert (status, "TwiML Bin cannot make" in said) == (2, True)


def test_a_destination_that_is_none_is_one_sentence():
    status, _, said = bridge("twiml", PUBLIC_URL="https://calls.example.com", BRIDGE_DIAL="mum")

    assert status == 2
    assert said.startswith("bridge: ") and said.count("\n") == 1


async def test_a_number_is_pointed_here_shown_and_put_back(tmp_path):
    held = [twilio_rest.number("PN1", NUMBER, voice_url="https://old.example/voice")]
    async with twilio_rest.FakeTwilioRest(held) as twilio:
        environment = {
            "TWILIO_ACCOUNT_SID": twilio_rest.ACCOUNT,
            "TWILIO_AUTH_TOKEN": twilio_rest.AUTH_TOKEN,
            "PUBLIC_URL": "https://calls.example.com",
            "DATA_DIR": str(tmp_path),
        }

        async def number(*arguments):
            return await asyncio.to_thread(
                bridge, "number", NUMBER, *arguments, BRIDGE_TWILIO_API=twilio.url, **environment
            )

        status, pointed, _ = await number()
        assert status == 0
        assert f"{NUMBER} answers with POST https://calls.example.com/twiml/voice" in pointed
        assert "before: POST https://old.example/voice" in pointed

        assert "https://calls.example.com/twiml/voice" in (await number("--show"))[1]
        assert f"{NUMBER} answers with POST https://old.example/voice" in (await number("--undo"))[1]


def test_no_credentials_are_one_sentence():
    status, _, said = bridge("number", NUMBER, PUBLIC_URL="https://calls.example.com")

    assert status == 2
    assert "TWILIO_ACCOUNT_SID" in said
