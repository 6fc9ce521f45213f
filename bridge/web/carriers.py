"""Sets the carriers up from the settings: how each authenticates, and how to ask it for a lost stream."""

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from aiohttp import web

from bridge.call import CallRegistry
from bridge.call.requests import StreamNote
from bridge.call.services import Refork, Stop
from bridge.carriers import parameters
from bridge.carriers.dialect import Carrier
from bridge.carriers.jambonz import JAMBONZ
from bridge.carriers.messages import Started
from bridge.carriers.telnyx import SECRET_HEADER, TELNYX
from bridge.carriers.twilio import TWILIO
from bridge.config import Settings
from bridge.contract.operation import Answer, Guard, Operation, Parameter, operation
from bridge.deepgram.delay import DelayMeter
from bridge.egress import Egress
from bridge.events import Track
from bridge.store.relaying import Keepers
from bridge.web.arriving import MediaPolicy, Mount
from bridge.web.media import MediaHandlers
from bridge.web.refusals import Refusals
from bridge.web.secrets import by_password, by_secret
from bridge.web.twilio import TwilioAccess
from twiml.fork import Fork
from twiml.rest import TwilioAccount
from twiml.web import (
    STREAM_STATUS_PATH,
    STREAM_STOPPED,
    VOICE_PATH,
    OnStreamStatus,
    StreamStatus,
    VoiceSettings,
    routes,
)

_CARRIERS: Sequence[tuple[Carrier, Guard]] = ((TWILIO, "twilio"), (TELNYX, "telnyx"), (JAMBONZ, "jambonz"))


def media_handlers(
    registry: CallRegistry,
    settings: Settings,
    token_secret: bytes,
    delay: DelayMeter | None = None,
    *,
    keepers: Keepers | None = None,
    egress: Egress | None = None,
) -> MediaHandlers:
    """The handlers, with every carrier's path. `keepers`: where others have the record, too."""
    policy = MediaPolicy(settings.bridge_start_timeout, settings.bridge_idle_timeout)
    key = keepers.key if keepers else None
    return MediaHandlers(registry, mounts(settings, token_secret), policy, delay, key=key, egress=egress)


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


class Asked(NamedTuple):
    """How to ask carriers, by their names; as `Services` has it."""

    reforks: dict[str, Refork]
    stops: dict[str, Stop]


def asked(settings: Settings, token_secret: bytes, egress: Egress) -> Asked:
    """How to ask for a stream, and to have one stopped, by carrier: Twilio, where we have an address and an account to
    ask with."""
    if not (settings.public_url and settings.twilio_account_sid and settings.twilio_auth_tokens):
        return Asked({}, {})
    account = twilio_account(settings, egress)
    url = settings.public_url.replace("http", "ws", 1) + TWILIO.path
    fork = Fork(account, url, settings.public_url + STREAM_STATUS_PATH, token_secret, time.time)

    async def ask(started: Started, tracks: Sequence[Track]) -> str | None:
        return await fork.ask(started.call_id, parameters.write(started), tracks)

    async def stop(started: Started, stream_id: str) -> str | None:
        return await fork.stop(started.call_id, stream_id)

    return Asked({TWILIO.name: ask}, {TWILIO.name: stop})


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
    settings: Settings,
    token_secret: bytes,
    note: Callable[[StreamNote], Awaitable[None]],
    on_token: Callable[[str], object],
) -> list[web.RouteDef]:
    """Twilio's voice webhook and its stream callback, where its requests can be checked. `note` is told what it says of
    streams. `on_token`: as there."""
    if not (settings.public_url and settings.answers_twilio):
        return []
    voice = replace(voice_settings(settings, token_secret), on_token=on_token)
    return routes(voice, stream_status(note))


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


def stream_status(note: Callable[[StreamNote], Awaitable[None]]) -> OnStreamStatus:
    """A callback that passes on what Twilio reports of a stream: that it went wrong, or that it has stopped."""

    async def receive(status: StreamStatus) -> None:
        if status.error is not None or status.event == STREAM_STOPPED:
            await note(StreamNote(TWILIO.name, status.call_id, status.stream_id, status.error))

    return receive


def documents() -> list[Operation]:
    """What carriers ask, for the contract: their media sockets, and Twilio's two webhooks."""
    sockets = [_socket(carrier, guard, ending) for carrier, guard in _CARRIERS for ending in ("", "/{secret}")]
    voice = Answer("What to do with the call: TwiML.", {"text/xml": {"type": "string"}})
    webhooks = [
        *_webhook(VOICE_PATH, "answerCall", "Answer a call with TwiML.", {200: voice}),
        *_webhook(STREAM_STATUS_PATH, "noteStream", "Note how a stream is doing.", {204: Answer("It is noted.")}),
    ]
    return [*sockets, *webhooks]


def _socket(carrier: Carrier, guard: Guard, ending: str) -> Operation:
    secret = Parameter("secret", "For carriers that can send no header.", {"type": "string"}, "path")
    return operation(
        f"GET {carrier.path}{ending}",
        f"sendMediaOf{carrier.name.capitalize()}{'WithSecret' if ending else ''}",
        "Open a media socket: a WebSocket with the audio of a call.",
        tag="carriers",
        guard=guard,
        takes=[secret] if ending else [],
        answers={101: Answer("The socket is open; `/asyncapi.json` has its messages.")},
        refuses={
            400: "It is no upgrade to a WebSocket.",
            401 if guard == "jambonz" else 403: "It does not show that it is the carrier.",
            **({403: "Its secret is not set here."} if guard == "jambonz" else {}),
            503: "No other call can be taken now.",
        },
    )


def _webhook(path: str, name: str, said: str, answers: dict[int, Answer]) -> list[Operation]:
    """By POST with a form, and by GET with the same fields as a query."""
    fields = {"CallSid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}}
    form = {"type": "object", "properties": fields, "required": ["CallSid"]}
    where = "Also with a slash at the end. Other fields are Twilio's, see its documentation of voice webhooks."
    refuses = {400: "It is no form, or has no CallSid.", 403: "Twilio's signature is missing, or is not valid."}
    body = {"body": form, "body_type": "application/x-www-form-urlencoded", "body_required": True}
    query = {"takes": [Parameter("CallSid", "The call.", fields["CallSid"])]}
    return [
        operation(
            f"{method} {path}",
            f"{name}By{method.capitalize()}",
            said,
            tag="carriers",
            guard="twilio",
            answers=answers,
            refuses=refuses,
            what=where,
            **more,
        )
        for method, more in (("POST", body), ("GET", query))
    ]
