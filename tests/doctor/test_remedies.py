"""Set-ups that are really broken, on loopback: each is named, its remedy is followed to the letter, and then it works.

A case breaks one thing of a set-up that works, and says which line is expected. What is done then is what the remedy
says and nothing else (`tests.fakes.person`): where a remedy asks for something elsewhere, a proxy, a certificate, a
console, the case has a hand for these words.
"""

import asyncio
import re
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from inspect import isawaitable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.delivery.poster import Timeouts
from bridge.doctor.finding import Mark
from bridge.doctor.settings import set_up
from bridge.doctor.webhooks import examine_webhooks
from bridge.local.deepgram import Faults
from bridge.local.receiver import Fault, Receiver
from tests.fakes import certificates, twilio_rest
from tests.fakes.person import Person
from tests.fakes.running import WEBHOOK_SECRET
from tests.fakes.setups import KEY, NUMBER, Front, fronted, working

PUBLIC = "https://calls.example.com"
VOICE = f"{PUBLIC}/twiml/voice"


@dataclass
class Case:
    """`check`: of the line that has `said`. `way`: the words of the remedy from which on it is followed, where it has
    several. `only`: the checks that are made, by default the one of the line."""

    breaks: object
    check: str
    said: str
    way: str = ""
    mark: Mark = Mark.BROKEN
    only: tuple[str, ...] = ()

    @property
    def checks(self):
        return self.only or (self.check.partition(".")[0].replace("_", "-"),)


def given(**changes):
    """Settings that are wrong; an empty value unsets one."""

    async def breaks(setup, person, stack):
        person.knows.setdefault("PUBLIC_URL", PUBLIC)
        setup.environment |= {"PUBLIC_URL": PUBLIC, **changes}
        setup.environment = {name: value for name, value in setup.environment.items() if value}

    return breaks


def file(setting, right, wrong, **changes):
    """A file with something wrong in it."""

    async def breaks(setup, person, stack):
        path = setup.data.parent / "file"
        path.write_text(wrong)
        person.knows[str(path)] = right
        await given(**{setting: str(path)}, **changes)(setup, person, stack)

    return breaks


async def elsewhere(stack, answer, tls=None):
    """A server that says what the function says; its origin."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    server = TestServer(app, host="127.0.0.1", scheme="https" if tls else "http")
    await stack.enter_async_context(server) if tls is None else await server.start_server(ssl=tls)
    if tls:
        stack.push_async_callback(server.close)
    return f"{server.scheme}://127.0.0.1:{server.port}"


def of_front(wrong, words, right=None, **settings):
    """A proxy in front of the bridge that does something wrong, until these words of a remedy ask for what is right: by
    default that it passes on what it is asked."""

    async def breaks(setup, person, stack):
        front = await stack.enter_async_context(fronted(setup, **settings))
        target = front.target
        if isawaitable(begun := wrong(front)):
            await begun
        person.hands[words] = lambda: right(front) if right else put("target", target)(front)
        person.knows["PUBLIC_URL"] = front.url

    return breaks


def put(name, value):
    return lambda thing: setattr(thing, name, value)


# Settings.

ENDPOINT = f'[[endpoint]]\nname = "crm"\nurl = "https://crm.example.com/"\nsecret = "{WEBHOOK_SECRET}"\n'
READER = '[[token]]\nname = "crm"\ntoken = "a-token-of-the-crm"\nrights = ["read"]\n'

SETTINGS = {
    "misspelt": Case(given(BRIDGE_CHUNKS="60"), "settings", "unknown setting BRIDGE_CHUNKS"),
    "in-wrong-case": Case(
        given(WEBHOOK_URl="https://x.example", WEBHOOK_URL=""), "settings", "WEBHOOK_URl is no setting"
    ),
    "that-there-is-not": Case(given(BRIDGE_X="1"), "settings", "unknown setting BRIDGE_X"),
    "no-number": Case(given(BRIDGE_MAX_CALLS="many"), "settings", "BRIDGE_MAX_CALLS: must be a whole number"),
    "out-of-range": Case(given(BRIDGE_GRACE="3600"), "settings", "BRIDGE_GRACE"),
    "no-key": Case(given(DEEPGRAM_API_KEY=""), "settings", "set DEEPGRAM_API_KEY"),
    "a-placeholder": Case(given(DEEPGRAM_API_KEY="<your key>"), "settings", "is a placeholder"),
    "a-key-with-a-blank": Case(given(DEEPGRAM_API_KEY=f"Token {KEY}"), "settings", "must be the key alone"),
    "no-auth-token": Case(given(TWILIO_AUTH_TOKEN=""), "settings", "set TWILIO_AUTH_TOKEN"),
    "no-secret": Case(given(WEBHOOK_SECRET=""), "settings", "set WEBHOOK_SECRET"),
    "a-short-secret": Case(given(WEBHOOK_SECRET="whsec_short"), "settings", "WEBHOOK_SECRET: webhook secret 1 of 1"),
    "no-public-url": Case(given(PUBLIC_URL=""), "settings", "set PUBLIC_URL"),
    "a-public-url-without-tls": Case(given(PUBLIC_URL="http://calls.example.com"), "settings", "must be an https"),
    "a-sentence-for-no-one": Case(
        given(BRIDGE_SAY="Hello", PUBLIC_URL="", TWILIO_AUTH_TOKEN="", TWILIO_SIGNATURE="off", TWILIO_ACCOUNT_SID=""),
        "settings",
        "BRIDGE_SAY needs PUBLIC_URL",
    ),
    "a-language-misspelt": Case(given(DEEPGRAM_OPTIONS="language=jp"), "settings", "language is not a code"),
    "an-option-misspelt": Case(given(DEEPGRAM_OPTIONS="modle=nova-3"), "settings", "modle"),
    "a-model-misspelt": Case(given(DEEPGRAM_OPTIONS="model=nova3"), "settings", "there is no model nova3"),
    "options-that-conflict": Case(
        given(DEEPGRAM_OPTIONS="model=nova-2&keyterm=Acme"), "settings", "keyterm needs a nova-3 model"
    ),
    "recordings-without-room": Case(
        given(BRIDGE_RECORDINGS="true", BRIDGE_AUDIO_LIMIT="0"), "settings", "BRIDGE_RECORDINGS needs room"
    ),
    "a-disk-that-is-wiped": Case(given(DYNO="web.1"), "settings", "wipes its disk"),
    "no-folder": Case(given(DATA_DIR=__file__), "settings", "is a file"),
    "no-file-of-certificates": Case(given(SSL_CERT_FILE="/nowhere.pem"), "settings", "SSL_CERT_FILE", "unset"),
    "endpoints-that-are-no-toml": Case(
        file("BRIDGE_ENDPOINTS", ENDPOINT, ENDPOINT.replace('name = "crm"', "name = crm")), "settings", "(line 2)"
    ),
    "an-endpoint-without-a-secret": Case(
        file("BRIDGE_ENDPOINTS", ENDPOINT, ENDPOINT.replace("secret =", "# secret =")), "settings", "must have a secret"
    ),
    "an-endpoint-whose-variable-is-not-set": Case(
        file("BRIDGE_ENDPOINTS", ENDPOINT, ENDPOINT.partition("secret")[0] + 'secret_env = "BRIDGE_CRM_SECRET"'),
        "settings",
        "a variable that is not set",
    ),
    "endpoints-that-are-nowhere": Case(
        given(BRIDGE_ENDPOINTS="/nowhere.toml"), "settings", "BRIDGE_ENDPOINTS: the file cannot be read"
    ),
    "a-token-that-is-short": Case(
        file("BRIDGE_TOKENS_FILE", READER, READER.replace("-of-the-crm", "")), "settings", "at least 16 characters"
    ),
    "tokens-that-are-no-toml": Case(file("BRIDGE_TOKENS_FILE", READER, "crm: token"), "settings", "is no TOML"),
    "a-pattern-that-is-none": Case(
        file("BRIDGE_REDACT_PATTERNS", "# own\norder [0-9]{8}", "# own\norder [0-9"), "settings", "line 2 has"
    ),
    "a-webhook-at-a-metadata-service": Case(
        given(WEBHOOK_URL="http://169.254.169.254/x"), "settings", "leads to where no webhook may be (link-local)"
    ),
    "interims-for-no-one": Case(
        given(WEBHOOK_URL="", WEBHOOK_SECRET="", WEBHOOK_INTERIM="true"),
        "settings",
        "WEBHOOK_INTERIM does nothing",
        mark=Mark.DOUBT,
    ),
    "a-token-that-checks-nothing": Case(
        given(TWILIO_SIGNATURE="off"), "settings", "TWILIO_AUTH_TOKEN checks no stream", mark=Mark.DOUBT
    ),
    "an-option-that-may-not-work": Case(
        given(DEEPGRAM_OPTIONS="language=multi&redact=pci"), "settings", "redact=pci", mark=Mark.DOUBT
    ),
}

# The public address.


def of_certificate(wrong, words, trusts=None, host="127.0.0.1"):
    """A proxy whose certificate no one takes, until it has a good one."""

    async def breaks(setup, person, stack):
        front = await stack.enter_async_context(fronted(setup, tls=certificates.serving(wrong), host=host))
        setup.environment["SSL_CERT_FILE"] = str(trusts or certificates.AUTHORITY)

        async def renew():
            setup.environment["SSL_CERT_FILE"] = str(certificates.AUTHORITY)
            await front.serve_with(certificates.serving())

        person.hands[words] = renew

    return breaks


async def without_its_chain(setup, person, stack):
    front = await stack.enter_async_context(fronted(setup, tls=certificates.serving()))
    # An authority that this machine does not know is to it what a chain is that the proxy does not send.
    person.hands["have the proxy send the whole chain"] = lambda: setup.environment.update(
        SSL_CERT_FILE=str(certificates.AUTHORITY)
    )
    assert front.tls


async def at_a_port_of_its_own(setup, person, stack):
    """The proxy speaks TLS, and PUBLIC_URL leaves it out."""
    front = await stack.enter_async_context(fronted(setup, tls=certificates.serving()))
    setup.environment |= {
        "PUBLIC_URL": front.url.replace("https", "http"),
        "SSL_CERT_FILE": str(certificates.AUTHORITY),
    }


async def without_tls(setup, person, stack):
    front = await stack.enter_async_context(fronted(setup, tls=certificates.serving()))
    await front.serve_with(None)
    setup.environment["SSL_CERT_FILE"] = str(certificates.AUTHORITY)
    person.hands["let the proxy in front do TLS"] = lambda: front.serve_with(certificates.serving())


async def at_another_name(setup, person, stack):
    front = await stack.enter_async_context(fronted(setup))
    person.knows["PUBLIC_URL"] = front.url
    setup.environment["PUBLIC_URL"] = "https://nowhere.invalid"


async def moved(setup, person, stack):
    front = await stack.enter_async_context(fronted(setup))

    async def answer(request):
        return web.Response(status=301, headers={"Location": f"{front.url}{request.path}"})

    setup.environment["PUBLIC_URL"] = await elsewhere(stack, answer)


async def of_another_program(setup, person, stack):
    front = await stack.enter_async_context(fronted(setup))

    async def answer(request):
        return web.Response(text="<h1>It works!", content_type="text/html")

    right, front.target = front.target, await elsewhere(stack, answer)
    person.hands["have the proxy pass / and all below it to the bridge"] = lambda: put("target", right)(front)


async def a_bridge_with_other_settings(setup, person, stack):
    """It was started before its auth token, or its address, was changed."""
    inner = await stack.enter_async_context(AsyncExitStack())
    front = await inner.enter_async_context(fronted(setup))
    setup.environment["TWILIO_AUTH_TOKEN"] = f"{'0' * 31}1"

    async def restart():
        await inner.aclose()
        again = fronted(setup, twilio_auth_token=setup.environment["TWILIO_AUTH_TOKEN"])
        await stack.enter_async_context(again)

    assert front.target
    person.hands["restart the bridge behind it with these settings"] = restart


def elsewhere_in(path):
    """A proxy that passes a path on as another one."""
    return lambda head: head.replace(b" /media/", path)


ADDRESS = {
    "a-name-that-there-is-not": Case(at_another_name, "public_url.dns", "nowhere.invalid"),
    "nothing-listens": Case(
        of_front(lambda front: front.close(), "start the proxy or the tunnel", lambda front: front.open()),
        "public_url.health",
        "nothing listens",
    ),
    "expired": Case(
        of_certificate(certificates.EXPIRED, "certbot renew", certificates.EXPIRED),
        "public_url.tls",
        "certificate expired",
    ),
    "self-signed": Case(
        of_certificate(certificates.OTHER, "get one that everyone trusts"), "public_url.tls", "self-signed certificate"
    ),
    "of-another-name": Case(
        of_certificate(certificates.OTHER, "get a certificate for that very name", certificates.OTHER, "localhost"),
        "public_url.tls",
        "hostname mismatch",
    ),
    "half-a-chain": Case(without_its_chain, "public_url.tls", "unknown issuer"),
    "http-at-a-tls-port": Case(at_a_port_of_its_own, "public_url.health", "speaks TLS at that port"),
    "https-at-a-plain-port": Case(without_tls, "public_url.tls", "speaks no TLS at that port"),
    "the-bridge-is-down": Case(
        of_front(put("target", ""), "start it (bridge serve)"), "public_url.health", "does not reach the bridge"
    ),
    "a-login-in-front": Case(
        of_front(
            put("answers", b"401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"),
            "let /twiml/ and /media/ through without a login",
            put("answers", b""),
        ),
        "public_url.health",
        "asks who we are (401)",
    ),
    "a-limit-in-front": Case(
        of_front(put("answers", b"429 Slow Down\r\n"), "raise its limit for /twiml/", put("answers", b"")),
        "public_url.health",
        "takes no more requests",
    ),
    "a-tunnel-that-has-gone": Case(
        of_front(
            put("answers", b"404 Not Found\r\nngrok-error-code: ERR_NGROK_3200\r\n"), "start it", put("answers", b"")
        ),
        "public_url.health",
        "ERR_NGROK_3200",
    ),
    "moved": Case(moved, "public_url.health", "redirects to"),
    "another-program": Case(of_another_program, "public_url.health", "another server answers"),
    "no-upgrade": Case(
        of_front(
            put("passes_upgrade", False), "have the proxy pass Upgrade and Connection on", put("passes_upgrade", True)
        ),
        "public_url.media",
        "lets no WebSocket through",
    ),
    "a-path-that-is-taken-away": Case(
        of_front(
            put("rewrite", elsewhere_in(b" /")),
            "have the proxy pass /media/ to the bridge, without changing the path",
            put("rewrite", lambda head: head),
        ),
        "public_url.media",
        "there is no /media/twilio",
    ),
    "a-signature-that-is-taken-away": Case(
        of_front(
            put("rewrite", lambda head: re.sub(rb"X-Twilio-Signature: [^\r]+\r\n", b"", head)),
            "have the proxy pass X-Twilio-Signature and the path on as they come",
            put("rewrite", lambda head: head),
        ),
        "public_url.media",
        "refuses the signature (403)",
        "have the proxy",
    ),
    "another-auth-token": Case(
        a_bridge_with_other_settings,
        "public_url.media",
        "refuses the signature (403)",
    ),
}

# Twilio.


def numbers(config, applications=None, **changes):
    """How the account's number answers."""

    async def breaks(setup, person, stack):
        setup.twilio.numbers = [twilio_rest.number("PN1", NUMBER, **config)]
        setup.twilio.applications = applications or {}
        await given(**changes)(setup, person, stack)

    return breaks


TWILIO = {
    "wrong-token": Case(given(TWILIO_AUTH_TOKEN="another"), "twilio", "refused the account SID and the auth token"),
    "another-api": Case(given(BRIDGE_TWILIO_API="http://127.0.0.1:1"), "twilio", "cannot be reached", "correct"),
    "no-number-here": Case(
        numbers({"voice_url": "https://demo.twilio.com"}),
        "twilio.number",
        "none of the account's 1 number",
        mark=Mark.DOUBT,
    ),
    "another-path": Case(numbers({"voice_url": f"{PUBLIC}/voice"}), "twilio.number", "answers with"),
    "an-application": Case(
        numbers({"voice_url": VOICE, "voice_application_sid": "AP1"}, {"AP1": "https://else.example/"}),
        "twilio.number",
        "the TwiML App AP1",
        "POST an empty",
    ),
    "a-trunk": Case(numbers({"voice_url": VOICE, "trunk_sid": "TK1"}), "twilio.number", "the SIP trunk TK1", "POST"),
}

# Deepgram.


def deepgram(faults, words, **settings):
    """A Deepgram that refuses, until these words of the remedy are followed."""

    async def breaks(setup, person, stack):
        setup.deepgram.faults = faults
        person.hands[words] = lambda: put("faults", Faults())(setup.deepgram)
        setup.environment |= settings

    return breaks


async def a_key_that_may_not_hear(setup, person, stack):
    setup.deepgram.faults = Faults(refuse=401)
    person.hands["make a key of the role Member"] = lambda: put("faults", Faults())(setup.deepgram)


async def too_little_left(setup, person, stack):
    setup.deepgram.balance = 0.5
    person.hands["pay in"] = lambda: put("balance", 100.0)(setup.deepgram)


async def no_deepgram(setup, person, stack):
    async def answer(request):
        return web.Response(status=404)

    setup.environment["DEEPGRAM_URL"] = (await elsewhere(stack, answer)).replace("http", "ws")


def behind_tls(setting, path, scheme):
    """What is behind a TLS proxy, and is asked without."""

    async def breaks(setup, person, stack):
        front = await stack.enter_async_context(Front(tls=certificates.serving()))
        front.target = setup.environment[setting].removesuffix(path)
        setup.environment[setting] = f"{scheme}://{front.url.partition('://')[2]}{path}"
        setup.environment["SSL_CERT_FILE"] = str(certificates.AUTHORITY)

    return breaks


def in_front_of(setting, path, scheme):
    """What has no TLS, and is asked with it."""

    async def breaks(setup, person, stack):
        setup.environment[setting] = setup.environment[setting].replace(*scheme)

    return breaks


DEEPGRAM = {
    "a-refused-key": Case(given(DEEPGRAM_API_KEY="another-key-altogether"), "deepgram", "refuses the key (401)"),
    "a-key-of-another-role": Case(a_key_that_may_not_hear, "deepgram", "may not transcribe"),
    "no-credit": Case(deepgram(Faults(refuse=402), "pay in"), "deepgram", "has no credit"),
    "a-model-not-for-it": Case(
        deepgram(Faults(refuse=403), "have Deepgram open it for the project"),
        "deepgram",
        "may not use model=nova-3",
        "have Deepgram",
    ),
    "too-many-calls": Case(
        deepgram(Faults(refuse=429), "have Deepgram raise the limit"),
        "deepgram",
        "no more requests",
        "have Deepgram",
        mark=Mark.DOUBT,
    ),
    "a-low-balance": Case(too_little_left, "deepgram.balance", "0.50 US dollars", mark=Mark.DOUBT),
    "another-server": Case(no_deepgram, "deepgram", "no Deepgram answers"),
    "nothing-listens": Case(
        given(DEEPGRAM_URL="ws://127.0.0.1:1"), "deepgram", "nothing listens at 127.0.0.1:1", "correct"
    ),
    "ws-at-a-tls-port": Case(behind_tls("DEEPGRAM_URL", "", "ws"), "deepgram", "speaks TLS at that port"),
    "wss-at-a-plain-port": Case(
        in_front_of("DEEPGRAM_URL", "", ("ws:", "wss:")), "deepgram", "speaks no TLS at that port"
    ),
}

# The webhook.


def receiver(fault, words):
    """A receiver that fails, until it is mended."""

    async def breaks(setup, person, stack):
        setup.receiver.faults = [fault]
        person.hands[words] = setup.receiver.faults.clear

    return breaks


async def another_path(setup, person, stack):
    setup.environment["WEBHOOK_URL"] += "s"


async def with_another_secret(setup, person, stack):
    setup.environment["WEBHOOK_SECRET"] = "whsec_" + "A" * 43
    other = await stack.enter_async_context(Receiver(setup.environment["WEBHOOK_SECRET"]))
    person.hands["verify with the same WEBHOOK_SECRET"] = lambda: setup.environment.update(WEBHOOK_URL=other.url)


async def redirected(setup, person, stack):
    async def answer(request):
        return web.Response(status=308, headers={"Location": setup.receiver.url})

    setup.environment["WEBHOOK_URL"] = await elsewhere(stack, answer)


async def gone(setup, person, stack):
    async def answer(request):
        return web.Response(status=410)

    setup.environment["WEBHOOK_URL"] = await elsewhere(stack, answer)


async def closed(setup, person, stack):
    await setup.receiver.go_down()
    person.hands["start it"] = setup.receiver.come_up


async def a_page(setup, person, stack):
    async def answer(request):
        return web.Response(text="<h1>", content_type="text/html")

    setup.environment["WEBHOOK_URL"] = await elsewhere(stack, answer)
    person.hands["see that WEBHOOK_URL is the endpoint"] = lambda: setup.environment.update(
        WEBHOOK_URL=person.knows["WEBHOOK_URL"]
    )


def with_certificate(shown):
    """A receiver behind a proxy whose certificate no one takes, until it has a good one."""

    async def breaks(setup, person, stack):
        front = await stack.enter_async_context(Front(tls=certificates.serving(shown)))
        front.target, _, path = setup.receiver.url.rpartition("/")
        setup.environment |= {"WEBHOOK_URL": f"{front.url}/{path}", "SSL_CERT_FILE": str(certificates.AUTHORITY)}
        person.hands["give it a certificate that is trusted"] = lambda: front.serve_with(certificates.serving())

    return breaks


WEBHOOK = {
    "another-path": Case(another_path, "webhook", "there is no such path"),
    "failing": Case(receiver(Fault(status=500), "look into its log"), "webhook", "fails (500)"),
    "rejecting": Case(
        receiver(Fault(status=422), "answer 2xx to types that it does not know"), "webhook", "rejects a test event"
    ),
    "too-busy": Case(receiver(Fault(status=429), "raise its limit"), "webhook", "takes no more posts"),
    "behind-a-proxy-alone": Case(
        receiver(Fault(status=502), "start the endpoint behind it"), "webhook", "does not reach the endpoint"
    ),
    "redirecting": Case(redirected, "webhook", "redirects"),
    "gone": Case(gone, "webhook", "says that the endpoint is gone"),
    "closed": Case(closed, "webhook", "nothing listens"),
    "with-another-secret": Case(with_another_secret, "webhook", "refuses the signature, or us (401)"),
    "a-secret-that-is-none": Case(given(WEBHOOK_SECRET="secret"), "webhook", "does not begin with whsec_"),
    "a-page": Case(a_page, "webhook", "answered with a web page", mark=Mark.DOUBT),
    "self-signed": Case(with_certificate(certificates.OTHER), "webhook", "self-signed certificate"),
    "http-at-a-tls-port": Case(behind_tls("WEBHOOK_URL", "/webhook", "http"), "webhook", "speaks TLS at that port"),
    "https-at-a-plain-port": Case(
        in_front_of("WEBHOOK_URL", "", ("http:", "https:")), "webhook", "speaks no TLS at that port"
    ),
    "not-to-be-dialled": Case(given(BRIDGE_EGRESS_STRICT="true"), "webhook", "(loopback)"),
}

# The machine.


async def another_time(setup, person, stack):
    """This machine's clock and a peer's are years apart, until they are not."""
    date = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}

    async def answer(request):
        return web.Response(status=401, headers=date)

    setup.environment |= {"DEEPGRAM_URL": (await elsewhere(stack, answer)).replace("http", "ws")}
    del setup.environment["TWILIO_ACCOUNT_SID"]
    person.hands["timedatectl set-ntp true"] = date.clear


async def a_file(setup, person, stack):
    (setup.data.parent / "file").write_text("")
    setup.environment["DATA_DIR"] = str(setup.data.parent / "file")


async def in_use(setup, person, stack):
    """A process that is no bridge has the record."""
    setup.data.mkdir()
    lock = setup.data / "bridge.lock"
    holding = f"import fcntl; f = open({str(lock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    await process.stdout.readline()
    person.knows["process"] = process
    stack.push_async_callback(process.wait)
    stack.callback(lambda: process.returncode is None and process.kill())
    setup.environment["PORT"] = "0"


async def a_port_that_is_taken(setup, person, stack):
    async def answer(request):
        return web.Response()

    url = await elsewhere(stack, answer)
    setup.environment |= {"PORT": url.rpartition(":")[2], "HOST": "127.0.0.1"}


async def old_libraries(setup, person, stack):
    """The bridge, installed where a library is older than it needs."""
    folder = setup.data.parent / "site"
    for name, lines in (("media_stream_bridge", "Requires-Dist: a-library>=2"), ("a_library", "")):
        about = folder / f"{name}-1.0.dist-info" / "METADATA"
        about.parent.mkdir(parents=True)
        about.write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n{lines}\n")
    sys.path.insert(0, str(folder))
    stack.callback(sys.path.remove, str(folder))
    old = folder / "a_library-1.0.dist-info" / "METADATA"

    def upgrade():
        old.write_text(old.read_text().replace("1.0", "2.1"))

    person.hands["pip install -U 'a-library>=2'"] = upgrade


MACHINE = {
    "a-clock-that-is-wrong": Case(another_time, "clock", "ahead of"),
    "a-file-for-a-folder": Case(a_file, "disk", "is a file"),
    "too-little-room": Case(given(BRIDGE_AUDIO_LIMIT="999999999"), "disk", "kept audio may take", mark=Mark.DOUBT),
    "too-few-files": Case(
        given(BRIDGE_MAX_CALLS="1000000"), "files", "files may be open", "BRIDGE_MAX_CALLS", mark=Mark.DOUBT
    ),
    "old-libraries": Case(old_libraries, "versions", ">=2 is needed"),
    "a-record-in-use": Case(in_use, "serving", "has the record in"),
    "a-port-in-use": Case(a_port_that_is_taken, "serving", "another program listens", "set PORT"),
    "no-address-of-ours": Case(given(HOST="192.0.2.1", PORT="0"), "serving", "is no address of this machine"),
}

CASES = {
    f"{part}-{name}": case
    for part, cases in (
        ("settings", SETTINGS),
        ("address", ADDRESS),
        ("twilio", TWILIO),
        ("deepgram", DEEPGRAM),
        ("webhook", WEBHOOK),
        ("machine", MACHINE),
    )
    for name, case in cases.items()
}


_WELL = {"serving": Mark.SKIPPED, "public_url.dns": Mark.DOUBT}
"""Of a machine on which nothing serves yet; of this machine's own address, which no carrier reaches."""


@pytest.mark.parametrize("name", CASES)
async def test_what_is_broken_is_named_and_works_once_its_remedy_is_followed(name, tmp_path):
    case = CASES[name]
    async with working(tmp_path) as setup, AsyncExitStack() as stack:
        person = Person(setup)
        person.knows |= setup.environment
        await case.breaks(setup, person, stack)
        before = await setup.findings(*case.checks)
        (finding,) = [each for each in before if case.said in each.said]
        assert (finding.check, finding.mark) == (case.check, case.mark), before

        await person.follow(finding, case.way)
        after = await setup.findings(*case.checks)
        told = {each.check: each.mark for each in after}
        assert told[case.check] in (Mark.FINE, _WELL.get(case.check)), after
        assert not [each for each in after if each.mark is Mark.BROKEN or each.said == finding.said], after


async def test_a_proxy_that_says_another_host_breaks_nothing(tmp_path):
    async with working(tmp_path) as setup, fronted(setup) as front:
        front.rewrite = lambda head: re.sub(rb"\r\nHost: [^\r]+", b"\r\nHost: bridge.internal", head)
        *_, health, media = await setup.findings("public-url")

    assert (health.mark, media.mark) == (Mark.FINE, Mark.FINE)


async def test_a_webhook_that_hangs_is_named_and_works_once_it_answers_first(tmp_path):
    async with working(tmp_path) as setup:
        person, has = Person(setup), set_up(setup.environment)
        setup.receiver.faults = [Fault(held=asyncio.Event())]
        person.hands["answer 2xx first"] = setup.receiver.faults.clear

        async def examined():
            wait = Timeouts(total=0.2)
            return await examine_webhooks(has.settings, has.egress, has.endpoints, "doctor", wait)

        (finding,) = await examined()
        assert (finding.mark, "has not answered a test event" in finding.said) == (Mark.BROKEN, True)
        await person.follow(finding)
        assert [each.mark for each in await examined()] == [Mark.FINE]


async def test_a_number_whose_application_leads_here_is_no_fault(tmp_path):
    async with working(tmp_path) as setup:
        setup.twilio.numbers = [twilio_rest.number("PN1", NUMBER, voice_application_sid="AP1")]
        setup.twilio.applications = {"AP1": f"{VOICE}?from=app"}
        for number in (None, NUMBER):
            *_, finding = await setup.findings("twilio", number=number, PUBLIC_URL=PUBLIC)
            assert (finding.mark, finding.said) == (Mark.FINE, f"{NUMBER} calls here, by the TwiML App AP1")
