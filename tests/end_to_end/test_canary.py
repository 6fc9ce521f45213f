"""No secret in any text: each is set to a marked value, every way out fails, and all that is written is searched.

A new secret among the settings fails the first test until it has a canary of its own here.
"""

import asyncio
import base64
import io
import itertools
import json
import logging
import subprocess
import sys
from xml.etree import ElementTree

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bridge import app, config, logs
from bridge.errors import ConfigError
from bridge.local.receiver import Receiver
from tests.fakes import frames, parrot, telnyx
from tests.fakes.command import Told, command, logging_kept
from tests.fakes.parrot import Parrot
from tests.fakes.running import AUDIO, ROOT, bridge
from twiml import signature
from twiml.errors import TwilioError, TwimlError

ACCOUNT = "AC" + "0" * 32
PUBLIC = "https://calls.example.com"
DEEPGRAM, TWILIO, READER = "canary-deepgram-key", "canary-twilio-token", "canary-reader-token"
TELNYX, JAMBONZ, PROXY = "canary-telnyx-secret", "ann:canary-jambonz-word", "corp:canary-proxy-word"

SECRETS = {
    "DEEPGRAM_API_KEY": DEEPGRAM,
    "WEBHOOK_SECRET": "whsec_" + "canary" * 8,
    "TWILIO_AUTH_TOKEN": f"{TWILIO} canary-older-token",
    "BRIDGE_TELNYX_SECRET": TELNYX,
    "BRIDGE_JAMBONZ_AUTH": JAMBONZ,
    "BRIDGE_READ_TOKENS": f"{READER} canary-other-reader",
    "DATABASE_URL": "postgres://ann:canary-database@db/x",
}
ENCODED = [base64.b64encode(text.encode()).decode() for text in (f"{ACCOUNT}:{TWILIO}", JAMBONZ, PROXY)]
"""How HTTP Basic writes them."""

FILED = "canary-filed-token"
OWN = "whsec_" + "canary" * 7 + "crms"
FILES = {
    "BRIDGE_TOKENS_FILE": f'[[token]]\nname = "crm"\ntoken = "{FILED}"\nrights = ["read"]\n',
    "BRIDGE_ENDPOINTS": f'[[endpoint]]\nname = "crm"\nurl = "{{peer}}/hook?key=canary-crm"\nsecret = "{OWN}"\n',
}
"""Secrets that stand in files of the operator's."""

OTLP = {"OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=canary-otlp-key"}

READING = {"Authorization": f"Bearer {READER}"}
HASTY = {
    "HOST": "127.0.0.1",
    "PORT": "0",
    "PUBLIC_URL": PUBLIC,
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "BRIDGE_GRACE": "0.2",
    "BRIDGE_REPLAY_SPEED": "1000",
    "BRIDGE_FLUSH_TIMEOUT": "0.1",
    "BRIDGE_BACKFILL_TIMEOUT": "0.5",
    "BRIDGE_STOP_TIMEOUT": "0.5",
    "BRIDGE_START_TIMEOUT": "1",
    "WEBHOOK_INTERIM": "true",
    "DEEPGRAM_OPTIONS": "keyterm=Acme",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def assert_silent(texts, *more):
    """No canary in any of the texts, by name, nor any of what a run has made for itself."""
    marks = ["canary", *ENCODED, *more]
    found = [(name, mark, _around(text, mark)) for name, text in texts.items() for mark in marks if mark in text]
    assert not found, found


def _around(text, mark):
    at = text.index(mark)
    return text[max(0, at - 100) : at + len(mark) + 60]


def environment(tmp_path, peer, **changes):
    secrets = {name: value for name, value in SECRETS.items() if name != "DATABASE_URL"}
    folder = tmp_path.with_name(f"{tmp_path.name}-config")  # the data are searched
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text.replace("{peer}", peer))
        secrets[name] = str(folder / name)
    ways = {"DEEPGRAM_URL": peer.replace("http", "ws", 1), "WEBHOOK_URL": f"{peer}/hook?key=canary-hook"}
    return {**secrets, **HASTY, **ways, "BRIDGE_TWILIO_API": peer, "DATA_DIR": str(tmp_path), **changes}


@pytest.fixture
def log():
    """The log as a process writes it, with all that libraries say at the lowest level."""
    written = io.StringIO()
    with logging_kept():
        logs.configure("debug", "json")
        logging.getLogger().handlers[0].setStream(written)
        yield written


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


async def ring(session, origin):
    """Ask the voice webhook as Twilio does; returns the stream's parameters."""
    form = {"CallSid": frames.CALL, "From": "+15550101", "To": "+15550123", "Direction": "inbound"}
    signed = signature.sign_form(TWILIO, f"{PUBLIC}/twiml/voice", form)
    async with session.post(f"{origin}/twiml/voice", data=form, headers={"X-Twilio-Signature": signed}) as response:
        document = ElementTree.fromstring(await response.text())
    return {item.get("name"): item.get("value") for item in document.iter("Parameter")}


async def talk(origin, parameters):
    """A call whose stream is lost: Twilio is asked for it again, then the call ends."""
    socket = origin.replace("http", "ws", 1) + "/media/twilio"
    signed = signature.sign_url(TWILIO, f"{PUBLIC.replace('http', 'ws', 1)}/media/twilio")
    async with connect(socket, additional_headers={"x-twilio-signature": signed}, proxy=None) as stream:
        await stream.send(frames.start(parameters=parameters))
        for message in itertools.islice(frames.talk(*AUDIO), 200):
            await stream.send(message)


async def read_everything(session, origin):
    """What readers, operators and strangers can see."""
    call = f"/calls/{frames.CALL}"
    paths = ["/", "/healthz", "/readyz", "/metrics", "/calls", call, f"{call}/events"]
    paths += [f"{call}/transcript.{form}" for form in ("txt", "json", "srt", "vtt")]
    texts = {}
    for path, headers in itertools.product(paths, (READING, {})):
        async with session.get(origin + path, headers=headers) as response:
            texts[f"GET {path} ({response.status})"] = str(response.headers) + await response.text()
    return texts


async def over(session, origin):
    """Wait for the call's end, and for what is said of its audio after that."""
    async with asyncio.timeout(120):
        while True:
            async with session.get(f"{origin}/calls/{frames.CALL}/events", headers=READING) as response:
                told = await response.text()
            if '"call.ended"' in told and '"not_transcribed"' in told:
                return
            await asyncio.sleep(0.05)


def files(folder):
    return {path.name: path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}


def tokens(parameters):
    """The call's own token, which is as secret as the others."""
    found = [value for name, value in parameters.items() if name.endswith("token")]
    assert found
    return found


ANSWERS = {
    "no HTTP": parrot.verbatim,
    "400": parrot.refusing(400),
    "401": parrot.refusing(401),
    "500": parrot.refusing(500),
    "redirect": parrot.refusing(302),
    "bad headers": parrot.bad_headers,
    "bad upgrade": parrot.bad_upgrade,
    "nothing": parrot.hanging_up,
}


def test_every_secret_has_a_canary():
    secret = {
        name.upper() for name, field in config.Settings.model_fields.items() if "SecretStr" in str(field.annotation)
    }

    assert secret == SECRETS.keys()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_peers_that_fail_and_quote_what_they_were_sent(tmp_path, log, monkeypatch, answer):
    async with Parrot(answer) as peer, aiohttp.ClientSession() as session:
        for name, value in {**OTLP, "OTEL_EXPORTER_OTLP_ENDPOINT": peer.url}.items():
            monkeypatch.setenv(name, value)
        settings = config.load(environment(tmp_path, peer.url))
        async with bridge(settings) as origin:
            parameters = await ring(session, origin)
            await talk(origin, parameters)
            await over(session, origin)
            texts = await read_everything(session, origin)
        await app.backfill(settings, frames.CALL, 0.0)
        asked = b"".join(peer.heads)

    # Each of them was tried, and told.
    ways = {b"GET /v1/listen", b"POST /v1/listen", b"POST /hook", b"Streams.json", b"key=canary-crm", b"/v1/traces"}
    assert [way for way in ways if way not in asked] == []
    assert b"canary-otlp-key" in asked
    assert '"transcription.interrupted"' in texts[f"GET /calls/{frames.CALL}/events (200)"]
    assert_silent({**texts, **files(tmp_path), "log": log.getvalue()}, *tokens(parameters))


@pytest.mark.parametrize("peer", ["https://127.0.0.1:{port}", "http://peer.invalid", "http://127.0.0.1:1"])
async def test_peers_that_are_not_reached(tmp_path, log, peer):
    """Of which a webhook that works is told."""
    async with Parrot(parrot.verbatim) as plain, Receiver(SECRETS["WEBHOOK_SECRET"]) as receiver:
        hook = {"WEBHOOK_URL": f"{receiver.url}?key=canary-hook"}
        settings = config.load(environment(tmp_path, peer.format(port=plain.port), **hook))
        async with bridge(settings) as origin, aiohttp.ClientSession() as session:
            parameters = await ring(session, origin)
            await talk(origin, parameters)
            await over(session, origin)
            texts = await read_everything(session, origin)
            await receiver.until(lambda: any(e["type"] == "audio.gap" for e in receiver.events(frames.CALL)))
        texts["webhook"] = json.dumps([receiver.calls[frames.CALL].call, receiver.events(frames.CALL)])

    assert '"transcription.interrupted"' in texts["webhook"]
    assert_silent({**texts, **files(tmp_path), "log": log.getvalue()}, *tokens(parameters))


BROKEN = {
    "refusing": "http://{user}@127.0.0.1:{port}",
    "of another scheme": "ftp://{user}@127.0.0.1:{port}",
    "without a host": "http://{user}@",
    "with a port that is none": "http://{user}@127.0.0.1:port",
    "with a password that is not quoted": "http://{user}/@#?@127.0.0.1:{port}",
    "with a line end": "http://{user}@127.0.0.1:{port}\n\n",
    "absent": "http://{user}@127.0.0.1:1",
}


@pytest.mark.parametrize("proxy", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("answer", [parrot.refusing(407), parrot.verbatim], ids=["407", "no HTTP"])
async def test_proxies_that_are_broken(tmp_path, log, monkeypatch, proxy, answer):
    """The start may be stopped by a proxy that cannot be used; either way its password is kept."""
    texts = {}
    async with Parrot(answer) as peer, aiohttp.ClientSession() as session:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.format(user=PROXY, port=peer.port))
        try:
            async with bridge(config.load(environment(tmp_path, "http://peer.invalid"))) as origin:
                parameters = await ring(session, origin)
                await talk(origin, parameters)
                await over(session, origin)
                texts |= await read_everything(session, origin)
        except ConfigError as error:
            texts["terminal"] = str(error)

    assert_silent({**texts, **files(tmp_path), "log": log.getvalue()})


async def test_strangers_and_carriers_whose_secret_is_right_or_nearly_so(tmp_path, log):
    """What stands in a path, a query or a header of a request that fails."""
    texts = {}
    async with Parrot(parrot.refusing(500)) as peer, aiohttp.ClientSession() as session:
        async with bridge(config.load(environment(tmp_path, peer.url))) as origin:
            for given in (FILED, f"{FILED}x"):
                async with session.get(f"{origin}/backup", headers={"Authorization": f"Bearer {given}"}) as response:
                    texts["backup"] = await response.text() if response.status != 200 else ""
            for given in (TELNYX, f"{TELNYX}x"):
                await upgrade(f"{origin}/media/telnyx/{given}", {}, "no start", texts)
                await upgrade(f"{origin}/media/telnyx?token={given}", {}, telnyx.start(encoding="OPUS"), texts)
                bearer = {"Authorization": f"Bearer {given}"}
                await upgrade(f"{origin}/media/telnyx", bearer, telnyx.start(encoding="AMR-WB"), texts)
            for given in (JAMBONZ, f"{JAMBONZ}x"):
                basic = {"Authorization": f"Basic {base64.b64encode(given.encode()).decode()}"}
                await upgrade(f"{origin}/media/jambonz", basic, '{"sampleRate": 16000}', texts)
            for path in ("/calls", f"/calls/live?access={READER}x", f"/{READER}", f"/calls/{READER}/events?after=x"):
                async with session.get(origin + path, headers={"Authorization": f"Bearer {READER}x"}) as response:
                    texts[path.replace(READER, "…")] = await response.text()
            async with session.post(f"{origin}/login", json={"token": f"{READER}x"}) as response:
                texts["login"] = await response.text()
            texts["rubbish"] = await rubbish(origin, f"GET /{READER} HTTP/9\r\nAuthorization: {READER}\x00\r\n\r\n")
            texts |= await read_everything(session, origin)

    # What a stream says of itself is the owner's own, and is kept.
    assert_silent({**texts, "log": log.getvalue()})


async def upgrade(url, headers, start, texts):
    """Open a stream, send one message, and wait for what comes of it."""
    name = url.rpartition("/media/")[2].replace(TELNYX, "…")
    try:
        async with connect(url.replace("http", "ws", 1), additional_headers=headers, proxy=None) as socket:
            await socket.send(start)
            await asyncio.wait_for(socket.wait_closed(), 60)
            texts[name] = str(socket.close_reason)
    except InvalidStatus as refused:
        texts[name] = f"{refused.response.headers} {bytes(refused.response.body or b'').decode()}"


async def rubbish(origin, request):
    """What a request that is not HTTP is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))
    writer.write(request.encode())
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer.decode("latin-1")


@pytest.mark.parametrize("answer", [parrot.verbatim, parrot.refusing(400), parrot.bad_headers, parrot.hanging_up])
async def test_commands_whose_peers_fail(tmp_path, answer):
    async with Parrot(answer) as peer:
        given = environment(tmp_path, peer.url)
        socket = peer.url.replace("http", "ws", 1)
        texts = {}
        for arguments in (
            ("calls", "--url", peer.url),
            ("watch", "--url", peer.url),
            ("transcript", "CA1", "--url", peer.url),
            ("deliver", "--url", peer.url),
            ("delete", "CA1", "--yes", "--url", peer.url),
            ("number", "+15550123"),
            ("twiml",),
            ("backfill", "CA1"),
            ("call", "--to", f"{socket}/media/twilio"),
            ("call", "--voice", f"{peer.url}/twiml/voice"),
            ("receive", "--port", str(peer.port)),
        ):
            told = await asyncio.wait_for(command_in(given, *arguments), 60)
            texts[" ".join(arguments[:1])] = told.out + told.err

    assert_silent(texts)


async def command_in(given, *arguments):
    try:
        return await command(*arguments, **given)
    except (TwilioError, TwimlError) as error:
        return Told(2, "", str(error))  # as `main` prints them


MALFORMED = ("{}\nsecond line", "{} and\u00a0more", '"{}', "\u201c{}\u201d", "{}\x1b[2J", "\udc80{}\udc80x", "<{}>")

WRONG = {
    "PUBLIC_URL": "https://ann:canary-public@x.example",
    "DEEPGRAM_URL": "wss://ann:canary-deepgram",
    "WEBHOOK_URL": "https://ann:canary-hook@x.example:port",
    "BRIDGE_TWILIO_API": "ann:canary-twilio@api",
    "DEEPGRAM_OPTIONS": "callback=https://ann:canary-callback@x.example",
    "BRIDGE_DEEPGRAM_OVERRIDES": "canary=https://x",
    "BRIDGE_DIAL": "canary-dial",
    "BRIDGE_SAY": "canary \x1b[2J",
    "BRIDGE_STOP": "canary-stop",
    "PORT": "canary-port",
    "WEBHOOK_URl": "https://x.example/canary-name",
    "BRIDGE_DAIL": "canary-name",
}


@pytest.mark.parametrize("form", MALFORMED)
def test_settings_that_are_malformed(form):
    with pytest.raises(ConfigError) as caught:
        config.load({name: form.format(value) for name, value in SECRETS.items()} | WRONG)
    said = str(caught.value)

    assert all(f"{name}: " in said for name in ("DEEPGRAM_API_KEY", "BRIDGE_TELNYX_SECRET", "WEBHOOK_URL")), said
    assert_silent({"terminal": said})


def test_a_start_that_is_stopped_is_one_line_on_the_terminal():
    forms = itertools.cycle(MALFORMED)
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "serve"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **{name: next(forms).format(value) for name, value in SECRETS.items()}, **WRONG},
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()

    assert (done.returncode, said.count("\n")) == (2, 1), said
    assert_silent({"terminal": said})
