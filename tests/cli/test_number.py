"""`bridge twiml` and `bridge number`, as a user types them."""

import xml.etree.ElementTree as ElementTree

from tests.fakes import twilio_rest
from tests.fakes.command import command

NUMBER = "+15550123"


async def test_twiml_for_a_bin_names_the_socket_and_dials():
    status, xml, _ = await command("twiml", PUBLIC_URL="https://calls.example.com", BRIDGE_DIAL="+15550199")
    answer = ElementTree.fromstring(xml)

    assert status == 0
    assert answer.find("./Start/Stream").get("url") == "wss://calls.example.com/media/twilio"
    assert answer.find("./Dial/Number").text == "+15550199"


async def test_twiml_without_an_address_says_what_to_set():
    assert await command("twiml") == (
        2,
        "",
        "bridge: set PUBLIC_URL to the https origin Twilio reaches this server at\n",
    )


async def test_twiml_cannot_make_the_token_that_is_required():
    status, _, said = await command("twiml", PUBLIC_URL="https://calls.example.com", BRIDGE_REQUIRE_TOKEN="true")

    assert (status, "TwiML Bin cannot make" in said) == (2, True)


async def test_a_destination_that_is_none_is_one_sentence():
    status, _, said = await command("twiml", PUBLIC_URL="https://calls.example.com", BRIDGE_DIAL="mum")

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
            return await command("number", NUMBER, *arguments, BRIDGE_TWILIO_API=twilio.url, **environment)

        status, pointed, _ = await number()
        assert status == 0
        assert f"{NUMBER} answers with POST https://calls.example.com/twiml/voice" in pointed
        assert "before: POST https://old.example/voice" in pointed

        assert "https://calls.example.com/twiml/voice" in (await number("--show"))[1]
        assert f"{NUMBER} answers with POST https://old.example/voice" in (await number("--undo"))[1]


async def test_no_credentials_are_one_sentence():
    status, _, said = await command("number", NUMBER, PUBLIC_URL="https://calls.example.com")

    assert status == 2
    assert "TWILIO_ACCOUNT_SID" in said


async def test_a_number_with_an_application_is_shown_with_what_that_answers():
    held = [
        twilio_rest.number("PN1", NUMBER, voice_application_sid="AP1"),
        twilio_rest.number("PN2", "+15550124", trunk_sid="TK1"),
    ]
    ours = {"AP1": "https://calls.example.com/twiml/voice"}
    async with twilio_rest.FakeTwilioRest(held, applications=ours) as twilio:
        environment = {
            "TWILIO_ACCOUNT_SID": twilio_rest.ACCOUNT,
            "TWILIO_AUTH_TOKEN": twilio_rest.AUTH_TOKEN,
            "PUBLIC_URL": "https://calls.example.com",
            "BRIDGE_TWILIO_API": twilio.url,
        }
        told = f"{NUMBER} answers with {ours['AP1']}, by the TwiML App AP1\n"
        assert await command("number", NUMBER, **environment) == (0, told, "")
        _, shown, _ = await command("number", NUMBER, "--show", **environment)
        assert "by the TwiML App AP1" in shown and "Detach" not in shown
        _, shown, _ = await command("number", "+15550124", "--show", **environment)
        assert "the SIP trunk TK1" in shown and "Detach" in shown
