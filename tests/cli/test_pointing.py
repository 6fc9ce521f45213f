"""A number that is pointed here for a time, against Twilio's REST API on loopback."""

import logging

import pytest

from bridge.cli.number import TUNNEL_MEMORY
from bridge.cli.pointing import pointed
from bridge.config import load
from tests.fakes import twilio_rest
from tests.fakes.command import command

NUMBER = "+15550123"
OLD, HERE = "https://old.example/voice?key=secret", "https://a988.ngrok-free.app/twiml/voice"


@pytest.fixture
async def twilio():
    async with twilio_rest.FakeTwilioRest([twilio_rest.number("PN1", NUMBER, voice_url=OLD)]) as running:
        yield running


@pytest.fixture
def environment(twilio, tmp_path):
    return {
        "TWILIO_ACCOUNT_SID": twilio_rest.ACCOUNT,
        "TWILIO_AUTH_TOKEN": twilio_rest.AUTH_TOKEN,
        "BRIDGE_TWILIO_API": twilio.url,
        "DATA_DIR": str(tmp_path),
    }


@pytest.fixture
def settings(environment):
    return load({**environment, "PUBLIC_URL": "https://a988.ngrok-free.app"})


async def test_it_is_pointed_here_and_put_back(twilio, settings, caplog):
    caplog.set_level(logging.INFO)
    async with pointed(settings, NUMBER) as pointing:
        assert twilio.numbers[0]["voice_url"] == OLD, "before the bridge serves nothing is changed"
        pointing.begin()
        await pointing.end()
        assert twilio.numbers[0]["voice_url"] == OLD
    assert [form["VoiceUrl"] for _, form in twilio.posted] == [HERE, OLD]
    assert [record.message for record in caplog.records if record.name == "bridge.tunnel"] == [
        "the number is pointed here until the bridge stops",
        "the number is put back",
    ]
    assert not any("secret" in str(vars(record)) for record in caplog.records if record.name == "bridge.tunnel")


async def test_leaving_it_puts_it_back_too(twilio, settings):
    with pytest.raises(ZeroDivisionError):
        async with pointed(settings, NUMBER) as pointing:
            pointing.begin()
            raise ZeroDivisionError
    assert twilio.numbers[0]["voice_url"] == OLD


async def test_what_was_changed_meanwhile_stays_and_is_said(twilio, settings, caplog):
    async with pointed(settings, NUMBER) as pointing:
        pointing.begin()
        await pointing._task
        twilio.numbers[0]["voice_url"] = "https://other.example/"
    assert twilio.numbers[0]["voice_url"] == "https://other.example/"
    (record,) = [record for record in caplog.records if record.message == "the number is not put back"]
    assert record.remedy == f"bridge number {NUMBER} --undo"


async def test_one_that_cannot_be_pointed_is_said_and_left(twilio, settings, caplog):
    twilio.numbers[0]["trunk_sid"] = "TK1"
    async with pointed(settings, NUMBER) as pointing:
        pointing.begin()
    assert "the number is not pointed here" in caplog.messages
    assert twilio.posted == []


async def test_a_bridge_that_was_killed_leaves_it_for_the_command_and_for_the_next(
    twilio, settings, environment, tmp_path
):
    async def killed(url):
        async with pointed(settings.model_copy(update={"public_url": url}), NUMBER) as pointing:
            pointing.begin()
            await pointing._task
            pointing._task = None  # as if it had never come to its end

    for url in ("https://one.ngrok-free.app", "https://two.ngrok-free.app"):
        await killed(url)
    assert twilio.numbers[0]["voice_url"] == "https://two.ngrok-free.app/twiml/voice"

    told = await command("number", NUMBER, "--undo", **environment)
    assert (told.status, twilio.numbers[0]["voice_url"]) == (0, OLD)
    assert "{}" in (tmp_path / TUNNEL_MEMORY).read_text()


async def test_without_a_number_there_is_nothing(settings):
    async with pointed(settings, None) as pointing:
        assert pointing is None
