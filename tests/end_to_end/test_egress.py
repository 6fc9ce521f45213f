"""Every way to set a URL that the bridge posts to, with URLs that lead to this machine: none of them reaches it.

The listener is real, on both families of loopback, and counts who connects. URLs of the operator are held to the rules
by `BRIDGE_EGRESS_STRICT`; those that calls name always are, here under an allow-list that lets all of them through.
"""

import asyncio
import contextlib
import json
import socket

import aiohttp
import pytest

from bridge import config, policies
from bridge.delivery.allowed import Allowed, parse_prefix
from bridge.delivery.sender import Sender
from bridge.egress import Egress
from bridge.endpoints import named_guard
from bridge.errors import ConfigError
from bridge.failure import Failure
from bridge.local.receiver import Receiver
from bridge.outlets import Named
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import TWILIO_TOKEN, WEBHOOK_SECRET, bridge, deepgram, serving, settings
from tests.fakes.talk import play
from tests.fakes.waiting import until

REBOUND = "rebound.example.com"
"""A name that leads here when it is looked up, whatever it did before."""

HOSTS = [
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.0.0.1.", "2130706433", "0x7f.1", "0x7f000001"),
    *("0x7F.0x0.0x0.0x1", "0177.0.0.1", "017700000001", "0", "0.0.0.0", "00.0.0.0"),
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", REBOUND, f"{REBOUND.upper()}."),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:1]"),
    *("[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]"),
    *("[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[fe80::5efe:127.0.0.1]", "[::1%25lo]", "[::1%lo]"),
    *("127.0.0.01", "0x7f.0.0.1", "0X7F.1", "127.0x0.0.1", "00", "0x0", "4294967297", "[::ffff:0:7f00:1]", "[fec0::1]"),
    *("[::ffff:0x7f000001]", "[v1.127.0.0.1]", "[127.0.0.1]", "[::1].", "[::%lo]", "[fe80::1%lo]", "[ff02::1%lo]"),
    *("[64:ff9b:1:7f00:0:100::]", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "[fd00:42::42]"),
    *("127．0．0．1", "127｡0｡0｡1", "１２７。１", "٠x7f.1", "127.0.0.1%00", "127.0.0.1%2f", "%31%32%37.0.0.1"),
    *("①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛocalhost", "loc\u00adalhost"),
    *("x@127.0.0.1", "app.example.com:x@127.0.0.1", "app.example.com@[::1]", "app.example.com\\@127.0.0.1"),
    *("169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "100.100.100.200"),
]


@contextlib.asynccontextmanager
async def listening(monkeypatch):
    """A port of this machine, and the list of those who connected; `REBOUND` leads to it."""
    reached = []

    async def connected(reader, writer):
        reached.append(writer.get_extra_info("sockname"))
        writer.close()

    one = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = one.sockets[0].getsockname()[1]
    servers = [one, await asyncio.start_server(connected, "127.0.0.2", port)]
    with contextlib.suppress(OSError):  # no IPv6
        servers.append(await asyncio.start_server(connected, "::1", port))
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def rebinding(host, port, **wanted):
        if str(host).lower().rstrip(".") != REBOUND:
            return await look_up(host, port, **wanted)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    try:
        yield port, reached
    finally:
        for server in servers:
            server.close()


def strict(path, **given):
    return config.load({}, data_dir=path, bridge_egress_strict=True, webhook_secret=WEBHOOK_SECRET, **given)


def of_settings(path, url):
    return policies.posting(made := strict(path, webhook_url=url), policies.event_store(made), Egress({})).senders


def of_file(path, url):
    file = path / "endpoints.toml"
    file.write_text(f'[[endpoint]]\nname = "crm"\nurl = {json.dumps(url)}\nsecret = "{WEBHOOK_SECRET}"')
    made = strict(path, bridge_endpoints=file)
    return policies.posting(made, policies.event_store(made), Egress({})).senders


def of_twilio(path, url):
    given = {"twilio_account_sid": "AC1", "twilio_auth_token": TWILIO_TOKEN}
    made = strict(path, bridge_twilio_transcription_url=url, **given)
    return policies.posting(made, policies.event_store(made), Egress({})).senders


def of_call(path, url):
    """As a call names it, where the operator has allowed that very URL."""
    made = strict(path, bridge_webhook_allow=url)
    found = Allowed({"call": [parse_prefix(url)]}, named_guard(made)).find(url)
    if not isinstance(found, Named):
        raise ConfigError(found)
    store = policies.event_store(made)
    sender = policies.posting(made, store, Egress({}))._make(found)
    assert isinstance(sender, Sender)
    return {found.endpoint: sender}


@pytest.mark.parametrize("way", [of_settings, of_file, of_twilio, of_call])
async def test_no_url_reaches_this_machine(way, tmp_path, monkeypatch):
    async with listening(monkeypatch) as (port, reached):
        refused, blocked = [], []
        for scheme in ("https", "http"):
            for host in HOSTS:
                try:
                    (sender,) = way(tmp_path, f"{scheme}://{host}:{port}/").values()
                except ConfigError as error:
                    refused.append(host)
                    assert str(port) not in str(error)
                    continue
                async with sender.poster as poster:
                    outcome = await poster.post(b"{}", {}, 0.0)
                assert isinstance(outcome, Failure) and outcome.kind in ("blocked", "dns"), (host, outcome)
                blocked.append(host)
        await asyncio.sleep(0)
        assert reached == []
        assert REBOUND in blocked and "127.0.0.1" in refused


async def test_the_operators_own_url_reaches_this_machine_but_no_metadata_service(tmp_path, monkeypatch):
    async with listening(monkeypatch) as (port, reached):
        for host in ("127.0.0.1", "localhost", "127.1"):
            made = config.load(
                {}, data_dir=tmp_path, webhook_url=f"http://{host}:{port}/", webhook_secret=WEBHOOK_SECRET
            )
            (sender,) = policies.posting(made, policies.event_store(made), Egress({})).senders.values()
            async with sender.poster as poster:
                assert await poster.post(b"{}", {}, 0.0) == Failure("reset")
        assert len(reached) >= 3
        for host in ("169.254.169.254", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "metadata.google.internal"):
            made = config.load({}, data_dir=tmp_path, webhook_url=f"http://{host}/", webhook_secret=WEBHOOK_SECRET)
            with pytest.raises(
                ConfigError, match="^endpoint webhook: the webhook's URL leads to where no webhook may be"
            ):
                policies.posting(made, policies.event_store(made), Egress({}))


@pytest.fixture
async def receivers():
    async with Receiver(WEBHOOK_SECRET) as usual, Receiver(WEBHOOK_SECRET) as own:
        yield usual, own


def ended(receiver, call):
    return lambda: any(event["type"] == "call.ended" for event in receiver.events(call))


async def test_a_call_names_its_webhook_and_one_that_is_not_allowed_goes_the_usual_way(
    tmp_path, receivers, monkeypatch, caplog
):
    usual, own = receivers
    given = {
        "webhook_url": usual.url,
        "webhook_secret": WEBHOOK_SECRET,
        "bridge_webhook_allow": f"{own.url} https://{REBOUND}/",
        "bridge_egress_allow": "127.0.0.1/32",
        "bridge_read_tokens": TOKEN,
    }
    calls = {"CA1": f"{own.url}?token=hidden", "CA2": "https://app.example.com/hidden", "CA3": "http://[::1]/hidden"}
    async with listening(monkeypatch) as (_, reached), deepgram() as server:
        async with (
            bridge(settings(tmp_path, server.url, **given)) as origin,
            aiohttp.ClientSession(origin, headers=BEARER) as session,
        ):
            for call, url in calls.items():
                await play(origin, call=call, parameters={"bridge.webhook": url, "team": "a"})
            await until(ended(own, "CA1"))
            for call in ("CA2", "CA3"):
                await until(ended(usual, call))
            assert (own.seqs("CA2"), usual.seqs("CA1")) == ([], [])
            started, *_, end = usual.events("CA2")
            assert started["data"]["parameters"] == {"team": "a"}
            assert end["data"]["counts"]["webhooks_refused"] == 1

            told = await (await session.get("/calls/CA1")).json()
            (named,) = [name for name in told["deliveries"] if name.startswith("call@")]
            assert told["delivery"]["state"] == "none" and "hidden" not in json.dumps(told)
            stands = await (await session.get("/deliveries")).json()
            assert "hidden" not in json.dumps(stands)
            assert {endpoint["name"] for endpoint in stands["endpoints"]} == {"webhook", named}

            assert (await session.delete("/calls/CA1")).status == 204
            await session.post("/deliveries")
            assert named not in (await (await session.post("/deliveries")).json())["endpoints"]
        assert reached == []
    assert "hidden" not in caplog.text and "a call names a webhook that is not allowed" in caplog.text


async def test_what_a_call_named_is_delivered_after_a_kill(tmp_path, receivers):
    _, own = receivers
    given = {
        "webhook_secret": WEBHOOK_SECRET,
        "bridge_webhook_allow": own.url,
        "bridge_egress_allow": "127.0.0.0/8",
        "bridge_read_tokens": TOKEN,
    }
    await own.go_down()
    async with deepgram() as server:
        environment = {
            **{name.upper(): value for name, value in given.items()},
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATA_DIR": str(tmp_path),
            "BRIDGE_REPLAY_SPEED": "1000",
            "DEEPGRAM_URL": server.url,
            "DEEPGRAM_API_KEY": "key",
            "TWILIO_SIGNATURE": "off",
        }
        async with serving(environment) as (process, port):
            await play(f"http://127.0.0.1:{port}", call="CA1", parameters={"bridge.webhook": own.url})
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=BEARER) as session:
                while (await (await session.get("/calls/CA1")).json())["active"]:
                    await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
        await own.come_up()
        async with bridge(settings(tmp_path, server.url, **given)):
            await until(ended(own, "CA1"))
    assert own.order.violations == []
