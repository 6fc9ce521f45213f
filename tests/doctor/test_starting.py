"""The checks that a server makes of itself, against real parts; its log is what they say."""

import asyncio
import json
import logging

import aiohttp
import pytest

from bridge import app
from bridge.doctor.starting import StartChecks
from bridge.local.deepgram import Faults
from tests.fakes import twilio_rest
from tests.fakes.running import WEBHOOK_SECRET, bridge, settings
from tests.fakes.setups import KEY, NUMBER, working

DONE = "the set-up has been looked at"
ANOTHER = "another-key-altogether"


def configured(setup, **given):
    """Settings of a server with these parts."""
    return settings(
        setup.data,
        given.pop("deepgram_url", setup.deepgram.url),
        **{
            "deepgram_api_key": KEY,
            "twilio_account_sid": twilio_rest.ACCOUNT,
            "twilio_auth_token": twilio_rest.AUTH_TOKEN,
            "bridge_twilio_api": setup.twilio.url,
            "webhook_url": setup.receiver.url,
            "bridge_audio_limit": 1,
            **given,
        },
    )


def told(caplog):
    """What was warned of: by check, the reason and the remedy."""
    lines = [record for record in caplog.records if record.name == "bridge.doctor" and record.levelno > logging.INFO]
    assert all(record.remedy for record in lines)
    return {record.check: record.reason for record in lines}


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def origins_of(wanted):
    return app.build(wanted)[app.ORIGINS]


async def test_what_does_not_work_is_a_warning_with_a_remedy(tmp_path, caplog):
    async with working(tmp_path) as setup:
        setup.twilio.numbers = [twilio_rest.number("PN1", NUMBER, trunk_sid="TK1", voice_url="https://x/twiml/voice")]
        wanted = configured(
            setup,
            deepgram_api_key=ANOTHER,
            public_url="https://nowhere.invalid",
            webhook_url="http://127.0.0.1:1/",
            webhook_secret=WEBHOOK_SECRET,
            bridge_audio_limit=999_999_999,
            database_url=f"postgresql://ann:sesame@/x?host={tmp_path}",
        )
        async with StartChecks(wanted, origins_of(wanted), settle=0.0):
            await until(lambda: {"deepgram", "public_url.dns"} <= told(caplog).keys())

        assert setup.receiver.counters["deliveries"] == 0
    said = told(caplog)
    assert said.keys() == {"database", "deepgram", "disk", "public_url.dns", "twilio.number", "webhook"}
    assert "refuses the key" in said["deepgram"]
    assert not [secret for secret in (ANOTHER, twilio_rest.AUTH_TOKEN, "sesame") if secret in caplog.text]


async def test_where_all_works_nothing_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    async with working(tmp_path) as setup:
        wanted = configured(setup)
        async with StartChecks(wanted, origins_of(wanted)):
            await until(lambda: DONE in caplog.text)
            await until(lambda: setup.deepgram.connections and setup.deepgram.connections[0].ended.is_set())

    assert told(caplog).keys() <= {"disk"}  # that of a busy machine may be slow


async def test_a_server_that_is_told_to_asks_no_one(tmp_path):
    async with working(tmp_path) as setup:
        wanted = configured(setup, bridge_start_checks=False)
        async with StartChecks(wanted, origins_of(wanted)) as checks:
            assert repr(checks) == "<StartChecks done>"


async def test_calls_and_readiness_know_a_refused_key_until_it_is_mended(tmp_path, caplog):
    caplog.set_level("INFO")
    async with working(tmp_path) as setup:
        setup.deepgram.faults = Faults(refuse=401)
        wanted = configured(setup)
        origins = origins_of(wanted)
        async with StartChecks(wanted, origins, again=0.01):
            await until(lambda: origins.standing and setup.deepgram.accepted > 2)
            assert origins.needs_person(0) and not origins.is_closed
            setup.deepgram.faults = Faults()
            await until(lambda: not origins.standing)

    assert origins.is_closed
    lines = [record for record in caplog.records if getattr(record, "check", None) == "deepgram"]
    assert len(lines) == 1  # however often it is asked
    assert "deepgram takes calls again" in caplog.text


async def test_a_deepgram_that_is_away_is_said_and_left_to_the_calls(tmp_path, caplog):
    async with working(tmp_path) as setup:
        wanted = configured(setup, deepgram_url="ws://127.0.0.1:1")
        origins = origins_of(wanted)
        async with StartChecks(wanted, origins, again=0.01):
            await until(lambda: "deepgram" in told(caplog))

    assert origins.standing == {} and origins.is_closed


async def test_a_vosk_server_is_left_alone(tmp_path, caplog):
    caplog.set_level("INFO")
    async with working(tmp_path) as setup:
        wanted = configured(setup, bridge_vosk_url="ws://127.0.0.1:1")
        async with StartChecks(wanted, origins_of(wanted)) as checks:
            assert repr(checks) == "<StartChecks at work>"
            await until(lambda: repr(checks) == "<StartChecks done>")

    assert DONE in caplog.text and setup.deepgram.accepted == 0


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?strict=true", 503)])
async def test_readiness_with_a_refused_key(tmp_path, query, status):
    async with working(tmp_path) as setup, aiohttp.ClientSession() as session:
        setup.deepgram.faults = Faults(refuse=402)
        wanted = configured(setup)
        application = app.build(wanted)
        origins = application[app.ORIGINS]
        async with bridge(wanted, application) as origin, StartChecks(wanted, origins):
            await until(lambda: origins.standing)
            async with session.get(f"{origin}/readyz{query}") as response:
                assert response.status == status
                answer = json.loads(await response.text())

    assert answer["status"] == ("ready" if status == 200 else "deepgram refuses")
    assert answer["warnings"] == [{"origin": origins.all[0].name, "status": 402, "reason": "the project has no credit"}]


@pytest.mark.parametrize(
    ("role", "checks"),
    [("web", set()), ("worker", {"deepgram", "webhook"}), ("media", {"deepgram", "twilio.number", "public_url.dns"})],
)
async def test_a_role_is_looked_at_for_what_it_does(tmp_path, caplog, role, checks):
    caplog.set_level(logging.INFO, "bridge.doctor")
    async with working(tmp_path) as setup:
        wanted = configured(
            setup,
            bridge_role=role,
            deepgram_api_key=ANOTHER,
            public_url="https://nowhere.invalid",
            webhook_url="http://127.0.0.1:1/",
            webhook_secret=WEBHOOK_SECRET,
        )
        async with StartChecks(wanted, origins_of(wanted), settle=0.0):
            await until(lambda: DONE in caplog.text and checks <= told(caplog).keys())
    assert told(caplog).keys() == checks
