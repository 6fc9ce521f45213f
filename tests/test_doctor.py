"""The doctor against set-ups that work, and against some of which one part does not: real servers on loopback.

`doctor/test_remedies` has those whose remedies are followed.
"""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.doctor.examination import NAMES, Check, checks, examine
from bridge.doctor.finding import Mark, fine
from bridge.doctor.settings import set_up
from bridge.errors import ConfigError
from bridge.local.deepgram import Faults
from bridge.local.receiver import Fault
from tests.fakes import certificates, twilio_rest
from tests.fakes.http import server
from tests.fakes.proxy import Proxy
from tests.fakes.running import WEBHOOK_SECRET
from tests.fakes.setups import KEY, NUMBER, fronted, working

VOICE = "https://calls.example.com/twiml/voice"


@contextlib.asynccontextmanager
async def answering(status=200, headers=None, text="", method="*", path="/{any:.*}"):
    """A server that says the same to all."""

    async def handler(request):
        return web.Response(status=status, headers=headers, text=text)

    app = web.Application()
    app.add_routes([web.route(method, path, handler)])
    async with TestServer(app, host="127.0.0.1") as there:
        yield f"http://127.0.0.1:{there.port}"


def nothing():
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def hanging(reader, writer):
    await reader.read()
    await reader.read()


async def test_where_everything_works_nothing_is_broken(tmp_path):
    async with working(tmp_path) as setup, fronted(setup) as front:
        setup.twilio.numbers = [twilio_rest.number("PN1", NUMBER, voice_url=f"{front.url}/twiml/voice")]
        findings = await setup.findings()

    told = {finding.check: finding.mark for finding in findings}
    assert [finding for finding in findings if finding.mark is Mark.BROKEN] == []
    assert told["public_url.dns"] is Mark.DOUBT  # this machine itself, which no carrier reaches
    assert {name for name, mark in told.items() if mark is Mark.FINE} >= {
        *("settings", "public_url.health", "public_url.media", "twilio", "twilio.number", "deepgram", "webhook"),
        *("clock", "files"),
    }  # the disk of a busy machine may be slow, which is a doubt
    assert told["deepgram.balance"] is Mark.FINE
    assert (setup.receiver.counters["interims"], setup.receiver.counters["new"]) == (1, 0)
    assert not any(KEY in str(finding) or twilio_rest.AUTH_TOKEN in str(finding) for finding in findings)


# The public address.


async def test_a_certificate_that_is_good(tmp_path):
    async with working(tmp_path) as setup, fronted(setup, tls=certificates.serving()):
        findings = await setup.findings("public-url", SSL_CERT_FILE=str(certificates.AUTHORITY))

    assert [finding.mark for finding in findings[1:]] == [Mark.FINE] * 3


# Twilio.


async def test_without_an_account_no_number_is_looked_at(tmp_path):
    async with working(tmp_path) as setup:
        (finding,) = await setup.findings("twilio", TWILIO_ACCOUNT_SID="")

    assert (finding.check, finding.mark) == ("twilio", Mark.SKIPPED)
    assert "set TWILIO_ACCOUNT_SID" in finding.remedy


@pytest.mark.parametrize(
    ("config", "asked", "mark", "said", "remedy"),
    [
        ({"voice_url": "https://demo.twilio.com"}, NUMBER, Mark.BROKEN, "demo.twilio.com", "bridge number +15550123"),
        ({"voice_url": VOICE}, NUMBER, Mark.FINE, "+15550123 calls here", ""),
        ({"voice_url": VOICE}, "+15550199", Mark.BROKEN, "has no number +15550199", ""),
    ],
)
async def test_a_number_that_calls_elsewhere(tmp_path, config, asked, mark, said, remedy):
    async with working(tmp_path) as setup:
        setup.twilio.numbers = [twilio_rest.number("PN1", NUMBER, **config)]
        finding = (await setup.findings("twilio", number=asked, PUBLIC_URL="https://calls.example.com"))[-1]

    assert (finding.mark, said in finding.said) == (mark, True)
    assert remedy in (finding.remedy or "")


# Deepgram.


async def test_a_vosk_server_that_is_not_there(tmp_path):
    async with working(tmp_path) as setup:
        (finding,) = await setup.findings("deepgram", BRIDGE_VOSK_URL="ws://127.0.0.1:1")

    assert (finding.check, finding.mark) == ("deepgram", Mark.BROKEN)
    assert "nothing listens at 127.0.0.1:1" in finding.said and "correct BRIDGE_VOSK_URL" in finding.remedy


@pytest.mark.parametrize(
    ("status", "said", "remedy"),
    [(400, "refuses the request", "correct DEEPGRAM_OPTIONS"), (503, "is failing (503)", "status.deepgram.com")],
)
async def test_a_deepgram_that_refuses(tmp_path, status, said, remedy):
    async with working(tmp_path) as setup:
        setup.deepgram.faults = Faults(refuse=status)
        (finding,) = await setup.findings("deepgram")

    assert (finding.mark, said in finding.said, remedy in finding.remedy) == (Mark.BROKEN, True, True)


async def test_with_flux_the_model_of_kept_audio_is_asked_too(tmp_path):
    async with working(tmp_path) as setup:
        flux = {"DEEPGRAM_OPTIONS": "model=flux-general-en"}
        live, kept, _ = await setup.findings("deepgram", **flux)
        setup.deepgram.faults_of = {place: Faults(refuse=403) for place in (2, 3)}
        refused = await setup.findings("deepgram", **flux)

    assert "hears model=flux-general-en" in live.said and "hears model=nova-3&language=en" in kept.said
    assert [(finding.mark, "model=flux-general-en" in finding.said) for finding in refused] == [(Mark.BROKEN, True)]


async def test_of_two_origins_each_is_asked(tmp_path):
    async with working(tmp_path) as setup:
        findings = await setup.findings("deepgram", DEEPGRAM_URL=f"{setup.deepgram.url} ws://127.0.0.1:1")

    assert [finding.mark for finding in findings if finding.check == "deepgram"] == [Mark.FINE, Mark.BROKEN]


@pytest.mark.parametrize(
    ("amount", "mark", "said"),
    [(250.0, Mark.FINE, "250.00"), (0.5, Mark.DOUBT, "0.50"), (None, Mark.SKIPPED, "may not read the balance")],
)
async def test_the_balance_of_a_key(tmp_path, amount, mark, said):
    async with working(tmp_path) as setup:
        setup.deepgram.balance = amount
        _, balance = await setup.findings("deepgram")

    assert (balance.mark, said in balance.said) == (mark, True)


async def test_a_proxy_on_the_way_that_refuses(tmp_path):
    async with working(tmp_path) as setup, Proxy(refuse=407) as proxy:
        findings = await setup.findings("deepgram", DEEPGRAM_URL="wss://deepgram.invalid", HTTPS_PROXY=proxy.url)

    assert "407" in findings[0].said
    assert "user:password" in findings[0].remedy


# The webhook.


async def test_of_a_webhook_that_is_none_the_host_is_shown_and_no_more(tmp_path):
    async with working(tmp_path) as setup, answering(method="GET") as url:
        (finding,) = await setup.findings("webhook", WEBHOOK_URL=f"{url}/hook?token=secret")

    assert (finding.check, finding.mark) == ("webhook", Mark.BROKEN)
    assert "takes no POST" in finding.said and "take POST there" in finding.remedy
    assert "secret" not in finding.said and "hook" not in finding.said.replace("webhook", "")


async def test_a_webhook_that_hangs(tmp_path):
    async with working(tmp_path) as setup:
        setup.receiver.faults = [Fault(held=asyncio.Event())]
        (finding,) = await setup.findings("webhook", patience=0.3)

    assert (finding.mark, "within 0.3 s" in finding.said) == (Mark.BROKEN, True)


async def test_no_webhook_is_no_fault(tmp_path):
    async with working(tmp_path) as setup:
        (finding,) = await setup.findings("webhook", WEBHOOK_URL="", WEBHOOK_SECRET="")

    assert finding.mark is Mark.SKIPPED


async def test_each_endpoint_of_a_file_is_asked_with_its_own_secret(tmp_path):
    file = tmp_path / "endpoints.toml"
    async with working(tmp_path) as setup:
        file.write_text(
            f"""
            [[endpoint]]
            name = "crm"
            url = "{setup.receiver.url}?token=hidden"
            secret_env = "CRM_SECRET"
            [[endpoint]]
            name = "screen"
            url = "{setup.receiver.url}"
            secret = "whsec_{"A" * 43}"
            [[endpoint]]
            name = "cloud"
            url = "http://169.254.169.254/hidden"
            secret_env = "CRM_SECRET"
            [[endpoint]]
            name = "tenants"
            allow = ["https://*.example.net/"]
            secret_env = "CRM_SECRET"
            """
        )
        given = {"BRIDGE_ENDPOINTS": str(file), "CRM_SECRET": WEBHOOK_SECRET, "WEBHOOK_URL": "", "WEBHOOK_SECRET": ""}
        crm, screen, cloud, tenants = await setup.findings("webhook", **given)
        settings = await setup.findings("settings", **given)

    assert [(finding.check, finding.mark) for finding in (crm, screen, cloud, tenants)] == [
        ("webhook.crm", Mark.FINE),
        ("webhook.screen", Mark.BROKEN),
        ("webhook.cloud", Mark.BROKEN),
        ("webhook.tenants", Mark.SKIPPED),
    ]
    assert "refuses the signature, or us (401)" in screen.said and "the same secret" in screen.remedy
    assert "link-local" in cloud.said and any("endpoint cloud" in finding.said for finding in settings)
    assert "hidden" not in repr((crm, screen, cloud, tenants, *settings))


async def test_what_a_start_would_not_post_to_the_doctor_does_not_post_to(tmp_path):
    async with working(tmp_path) as setup:
        (finding,) = await setup.findings("webhook", BRIDGE_EGRESS_STRICT="true", WEBHOOK_URL="http://localhost:1/")

    assert (finding.mark, "(loopback)" in finding.said) == (Mark.BROKEN, True)


async def test_a_receiver_of_twilios_format_that_refuses(tmp_path):
    async with working(tmp_path) as setup, answering(403) as url:
        _, finding = await setup.findings("webhook", BRIDGE_TWILIO_TRANSCRIPTION_URL=url)

    assert (finding.check, finding.mark) == ("webhook.twilio", Mark.BROKEN)
    assert "TWILIO_AUTH_TOKEN" in finding.remedy


# The machine.


async def test_peers_that_do_not_tell_the_time(tmp_path):
    async with working(tmp_path) as setup, answering(401, {"Date": "no date"}) as url:
        (finding,) = await setup.findings("clock", DEEPGRAM_URL=url.replace("http", "ws"), TWILIO_ACCOUNT_SID="")

    assert (finding.mark, "no peer" in finding.said) == (Mark.SKIPPED, True)


async def test_the_object_store(tmp_path):
    async with working(tmp_path) as setup:
        (unset,) = await setup.findings("archive")
        (works,) = await setup.findings("archive", BRIDGE_AUDIO_URL=f"file://{tmp_path}/bucket")
        (nowhere,) = await setup.findings("archive", BRIDGE_AUDIO_URL="az://calls")

    assert (unset.mark, works.mark, nowhere.mark) == (Mark.SKIPPED, Mark.FINE, Mark.BROKEN)
    assert nowhere.said.startswith("BRIDGE_AUDIO_URL: the library can do nothing")


# Whatever happens.


async def test_nothing_at_all_still_says_what_to_set():
    findings = [finding async for found in examine(checks(set_up({"DATA_DIR": "/tmp"}))) for finding in found]
    broken = [finding.said for finding in findings if finding.mark is Mark.BROKEN]

    assert any("DEEPGRAM_API_KEY" in said for said in broken)
    assert any("TWILIO_AUTH_TOKEN" in said for said in broken)
    assert [check.name for check in checks(set_up({}))] == list(NAMES)


async def test_where_all_is_dead_each_check_says_so_in_its_time(tmp_path):
    async with working(tmp_path) as setup, server(hanging) as url:
        socket_url = url.rstrip("/").replace("http", "ws")
        dead = {"PUBLIC_URL": url.rstrip("/"), "DEEPGRAM_URL": socket_url, "WEBHOOK_URL": url}
        findings = await setup.findings(patience=0.5, BRIDGE_TWILIO_API=url.rstrip("/"), **dead)

    late = {finding.check for finding in findings if "within 0.5 s" in finding.said}
    assert late == {"public-url", "twilio", "deepgram", "webhook", "clock"}


async def test_a_check_that_fails_spoils_no_other():
    async def failing():
        raise RuntimeError("secret")

    async def refused():
        raise ConfigError("HTTPS_PROXY must be an address; correct it")

    async def working_():
        return [fine("c", "it works")]

    wanted = [Check("a", failing), Check("b", refused), Check("c", working_)]
    told = [finding async for found in examine(wanted) for finding in found]

    assert [finding.mark for finding in told] == [Mark.BROKEN, Mark.BROKEN, Mark.FINE]
    assert "RuntimeError" in told[0].said and "secret" not in str(told)
    assert (told[1].said, told[1].remedy) == ("HTTPS_PROXY must be an address", "correct it")


async def test_checks_that_are_left_are_cancelled():
    ended = asyncio.Event()

    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def quick():
        return []

    running = examine([Check("a", quick), Check("b", endless)])
    assert await anext(running) == []
    await running.aclose()

    assert ended.is_set()


def test_the_pages_name_every_check():
    page = (Path(__file__).parent.parent / "bridge" / "docs" / "doctor.md").read_text()

    assert [name for name in NAMES if f"`{name}`" not in page] == []
