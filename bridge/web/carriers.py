"""Sets the carriers up from the settings: how each authenticates, and how to ask it for a lost stream."""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from aiohttp import web

from bridge.call import CallRegistry
from bridge.call.services import Refork
from bridge.carriers import parameters
from bridge.carriers.jambonz import JAMBONZ
from bridge.carriers.messages import Started
from bridge.carriers.telnyx import SECRET_HEADER, TELNYX
from bridge.carriers.twilio import TWILIO
from bridge.config import Settings
from bridge.egress import Egress
from bridge.events import Track
from bridge.web.media import MediaHandlers
from bridge.web.refusals import Refusals
from bridge.web.secrets import by_password, by_secret
from bridge.web.stream import MediaPolicy, Mount
from bridge.web.twilio import TwilioAccess
from twiml.fork import Fork
from twiml.rest import TwilioAccount
from twiml.web import STREAM_STATUS_PATH, STREAM_STOPPED, OnStreamStatus, StreamStatus, VoiceSettings, routes


def media_handlers(registry: CallRegistry, settings: Settings, token_secret: bytes) -> MediaHandlers:
    """The handlers, with every carrier's path."""
    policy = MediaPolicy(settings.bridge_start_timeout, settings.bridge_idle_timeout)
    return MediaHandlers(registry, mounts(settings, token_secret), policy)


def mounts(settings: Settings, token_secret: bytes) -> list[Mount]:
    """All carriers: one whose secret is not set refuses its streams with a message that says what to set."""
    twilio = TwilioAccess(
        public_url=settings.public_url,
        clock=time.time,
        auth_tokens=settings.twilio_auth_tokens,
        signature_mode=settings.twilio_signature,
        token_secret=token_secret,
        require_token=settings.bridge_require_token,
    )
    return [
        Mount(TWILIO, twilio.authenticate, twilio.check_start),
        Mount(TELNYX, by_secret(settings.telnyx_secrets, "BRIDGE_TELNYX_SECRET", SECRET_HEADER)),
        Mount(JAMBONZ, by_password(settings.jambonz_pairs, "BRIDGE_JAMBONZ_AUTH")),
    ]


def reforks(settings: Settings, token_secret: bytes, egress: Egress) -> dict[str, Refork]:
    """How to ask for a lost stream, by carrier: Twilio, where we have an address and an account to ask with."""
    if not (settings.public_url and settings.twilio_account_sid and settings.twilio_auth_tokens):
        return {}
    account = twilio_account(settings, egress)
    url = settings.public_url.replace("http", "ws", 1) + TWILIO.path
    fork = Fork(account, url, settings.public_url + STREAM_STATUS_PATH, token_secret, time.time)

    async def ask(started: Started, tracks: Sequence[Track]) -> str | None:
        return await fork.ask(started.call_id, parameters.write(started), tracks)

    return {TWILIO.name: ask}


def twilio_account(settings: Settings, egress: Egress) -> TwilioAccount:
    """The account that Twilio is asked with. Raises TwilioError if it is not set."""
    route = egress.route(settings.bridge_twilio_api)
    return TwilioAccount(
        settings.twilio_account_sid or "",
        next(iter(settings.twilio_auth_tokens), ""),
        settings.bridge_twilio_api,
        proxy=route.proxy_url,
        tls=route.tls,
    )


def webhook_routes(
    settings: Settings, token_secret: bytes, registry: CallRegistry, on_token: Callable[[str], object]
) -> list[web.RouteDef]:
    """Twilio's voice webhook and its stream callback, where its requests can be checked. `on_token`: as there."""
    if not (settings.public_url and settings.answers_twilio):
        return []
    voice = replace(voice_settings(settings, token_secret), on_token=on_token)
    return routes(voice, stream_status(registry))


def refusals(settings: Settings) -> Refusals:
    """What is told of carriers' requests that no handler sees."""
    answers = bool(settings.public_url and settings.answers_twilio)
    return Refusals(settings.public_url, answers, [carrier.path for carrier in (TWILIO, TELNYX, JAMBONZ)])


def voice_settings(settings: Settings, token_secret: bytes | None) -> VoiceSettings:
    """How calls are answered; without a secret the streams get no token, as in a TwiML Bin."""
    labels = {"inbound": settings.bridge_label_inbound, "outbound": settings.bridge_label_outbound}
    return VoiceSettings(
        public_url=settings.public_url or "",
        auth_tokens=settings.twilio_auth_tokens,
        signature=settings.twilio_signature,
        token_secret=token_secret,
        dial=settings.bridge_dial,
        caller_id=settings.bridge_caller_id,
        say=settings.bridge_say,
        pause=settings.bridge_pause,
        speakers={track: label for track, label in labels.items() if label},
        stream_path=TWILIO.path,
    )


def token_secret(settings: Settings) -> bytes:
    """Derived from the auth token, so that all processes agree and a restart refuses no stream; else random."""
    if settings.twilio_auth_tokens:
        return hashlib.sha256(b"stream tokens\n" + settings.twilio_auth_tokens[0].encode()).digest()
    return secrets.token_bytes(32)


def stream_status(registry: CallRegistry) -> OnStreamStatus:
    """A callback that tells the call what Twilio reports of a stream: that it went wrong, or that it has stopped."""

    async def receive(status: StreamStatus) -> None:
        if status.error is not None:
            await registry.fail_stream(TWILIO.name, status.call_id, status.stream_id, status.error)
        elif status.event == STREAM_STOPPED:
            registry.stop_stream(status.call_id, status.stream_id)

    return receive
