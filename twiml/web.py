"""Two handlers for Twilio: the voice webhook, answered with TwiML, and the callback that reports a stream's status.

Twilio asks by POST or by GET, as it was told to, and with or without a slash at the end of the path. Every request must
have its signature over our public URL. The handlers keep nothing: a stream's status goes to the function that `routes`
was given. An odd value in a genuine request must not cost the caller the call: a field that
cannot be passed on is left out and logged.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from twiml import token
from twiml.document import (
    DIRECTION,
    FROM,
    SPEAKER,
    TO,
    TOKEN,
    Answer,
    check_parameter,
    parse_target,
    stream_url,
    webhook_url,
)
from twiml.errors import TwimlError
from twiml.signature import SIGNATURE_HEADER, verify_form

log = logging.getLogger(__name__)

VOICE_PATH = "/twiml/voice"
STREAM_STATUS_PATH = "/twiml/stream-status"

STREAM_STOPPED = "stream-stopped"
"""The event of a stream that has ended in order."""

FORM_LIMIT = 64 * 1024
"""Octets; a voice webhook has about one thousand."""

FORM_FIELDS = 1000

_NO_FORM = "The body of this request is not a form."


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSettings:
    """How calls are answered. `routes` raises `TwimlError` for what cannot work."""

    public_url: str
    """As Twilio sees us, https."""
    auth_tokens: tuple[str, ...] = field(default=(), repr=False)
    """All that may be in use: two during a rotation, those of subaccounts."""
    signature: Literal["strict", "warn", "off"] = "strict"
    """`warn` lets a request without a valid signature in and logs it."""
    token_secret: bytes | None = field(default=None, repr=False)
    """With one, every stream gets a token for its call (`twiml.token`)."""
    token_lifetime: float = 300.0
    """Seconds; a stream starts within one or two of its TwiML."""
    dial: str | None = None
    """A number, a `sip:` address or `client:name`; without one the line is held."""
    caller_id: str | None = None
    say: str | None = None
    """A notice spoken before anything else."""
    pause: int = 3600
    """Seconds for which the line is held."""
    speakers: Mapping[str, str] = field(default_factory=dict)
    """Track (`inbound`, `outbound`) to label, where the default is not right."""
    stream_path: str = "/media/twilio"
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""
    on_token: Callable[[str], object] = lambda call_id: None
    """Called with the id of each call that is given a token."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What Twilio reports about a stream."""

    call_id: str
    event: str
    """`stream-started`, `stream-stopped`, `stream-error`, or something newer."""
    stream_id: str
    error: str | None
    """In Twilio's words; a failed handshake is reported nowhere else."""


OnStreamStatus = Callable[[StreamStatus], Awaitable[None]]


def routes(settings: VoiceSettings, on_stream_status: OnStreamStatus) -> list[web.RouteDef]:
    """The routes, for `Application.add_routes`. Raises `TwimlError` when the settings cannot work."""
    webhooks = _Webhooks(settings, on_stream_status)
    return [
        route
        for path, handler in ((VOICE_PATH, webhooks.voice), (STREAM_STATUS_PATH, webhooks.stream_status))
        for spelled in (path, path + "/")
        for route in (web.post(spelled, handler), web.get(spelled, handler, allow_head=False))
    ]


def base_answer(settings: VoiceSettings) -> Answer:
    """The answer to any call, without what is known of one; `twiml.document.twiml_bin` makes a TwiML Bin of it."""
    if settings.signature != "off" and not any(settings.auth_tokens):
        raise TwimlError("Twilio's signature cannot be checked without an auth token.")
    if settings.speakers.keys() - {"inbound", "outbound"}:
        raise TwimlError("Speakers are named for the tracks inbound and outbound only.")
    return Answer(
        stream_url=stream_url(settings.public_url, settings.stream_path),
        status_callback=webhook_url(settings.public_url, STREAM_STATUS_PATH),
        parameters={SPEAKER + track: label for track, label in settings.speakers.items()},
        say=settings.say,
        dial=parse_target(settings.dial) if settings.dial else None,
        caller_id=settings.caller_id,
        pause=settings.pause,
    )


class _Webhooks:
    """The two handlers and what they share."""

    def __init__(self, settings: VoiceSettings, on_stream_status: OnStreamStatus) -> None:
        self._settings = settings
        self._on_stream_status = on_stream_status
        self._base = base_answer(settings)

    async def voice(self, request: web.Request) -> web.Response:
        """Answer a call with TwiML."""
        form = await self._receive(request)
        call_id = _call_id(form)
        parameters = {**_parties(form, call_id), **self._base.parameters}
        if self._settings.token_secret:
            expires = self._settings.clock() + self._settings.token_lifetime
            parameters[TOKEN] = token.make(self._settings.token_secret, call_id, expires)
            self._settings.on_token(call_id)
        answer = replace(self._base, parameters=parameters)
        log.info("answered a call", extra={"call_id": call_id, "direction": form.get("Direction")})
        # Twilio keeps what it may for the next call; the token is for this one.
        return web.Response(text=answer.to_xml(), content_type="text/xml", headers={"Cache-Control": "no-store"})

    async def stream_status(self, request: web.Request) -> web.Response:
        """Log how a stream is doing and pass it on."""
        form = await self._receive(request)
        status = _stream_status(_call_id(form), form)
        level = logging.INFO if status.error is None else logging.WARNING
        log.log(
            level,
            "stream status",
            extra={
                "call_id": status.call_id,
                "stream_id": status.stream_id,
                "event": status.event,
                "error": status.error,
            },
        )
        await self._on_stream_status(status)
        return web.Response(status=204)

    async def _receive(self, request: web.Request) -> MultiDict[str]:
        """The form, after its signature was checked. Raises HTTPForbidden."""
        is_get = request.method == "GET"
        form = _fields(request.rel_url.raw_query_string) if is_get else _fields(await _read(request))
        if self._settings.signature == "off":
            return form
        signature = request.headers.get(SIGNATURE_HEADER)
        signed = MultiDict[str]() if is_get else form  # a query is part of the URL
        if verify_form(self._settings.auth_tokens, self._signed_url(request), signed, signature) is None:
            self._refuse(request, "not valid" if signature else "missing")
        return form

    def _refuse(self, request: web.Request, wrong: str) -> None:
        """Log it, and raise HTTPForbidden unless such requests are let in. `wrong`: what is, with the signature."""
        remedy = (
            "PUBLIC_URL must be the address that Twilio asks for, and TWILIO_AUTH_TOKEN that of the account"
            if wrong == "not valid"
            else "only Twilio may ask here; a proxy must pass X-Twilio-Signature on"
        )
        extra = {"path": request.path, "signature": wrong, "mode": self._settings.signature, "remedy": remedy}
        log.warning("a webhook without Twilio's signature", extra=extra)
        if self._settings.signature == "strict":
            raise web.HTTPForbidden(text=f"Twilio's signature of this request is {wrong}.")

    def _signed_url(self, request: web.Request) -> str:
        """The URL that Twilio asked for: our public address, and the path and the query as they were spelled."""
        asked = request.rel_url
        query = request.raw_path.partition("?")[1:]
        return webhook_url(self._settings.public_url, asked.raw_path) + "".join(query)


async def _read(request: web.Request) -> str:
    """The body, as text. Raises HTTPBadRequest, or HTTPRequestEntityTooLarge."""
    try:
        body = await request.read()
        if len(body) <= FORM_LIMIT:
            return body.decode()
    except web.HTTPRequestEntityTooLarge:
        pass  # for the server, whose limit may be another
    except ValueError:
        raise web.HTTPBadRequest(text=_NO_FORM) from None
    text = f"A form has at most {FORM_LIMIT} octets."
    raise web.HTTPRequestEntityTooLarge(max_size=FORM_LIMIT, actual_size=FORM_LIMIT + 1, text=text)


def _fields(encoded: str) -> MultiDict[str]:
    """The fields as they were sent: in order, repeated, empty and untrimmed, because all of them are signed."""
    try:
        return MultiDict(parse_qsl(encoded, keep_blank_values=True, max_num_fields=FORM_FIELDS))
    except ValueError:
        raise web.HTTPBadRequest(text=_NO_FORM) from None


def _call_id(form: Mapping[str, str]) -> str:
    call_id = form.get("CallSid", "")
    if not token.CALL_ID.fullmatch(call_id):
        raise web.HTTPBadRequest(text="The form needs a CallSid of letters, digits, - and _.")
    return call_id


def _parties(form: Mapping[str, str], call_id: str) -> dict[str, str]:
    """Both parties as stream parameters: Twilio's `start` message names neither."""
    known: dict[str, str] = {}
    for name, key in ((FROM, "From"), (TO, "To"), (DIRECTION, "Direction")):
        value = form.get(key, "")
        try:
            check_parameter(name, value)
        except TwimlError as error:
            log.warning("left out a stream parameter", extra={"call_id": call_id, "reason": str(error)})
            continue
        if value:
            known[name] = value
    return known


def _stream_status(call_id: str, form: Mapping[str, str]) -> StreamStatus:
    event = form.get("StreamEvent", "")
    failed = event in ("stream-error", "stream-failed")  # the latter is what Telnyx calls it
    error = form.get("StreamError") or ("no reason given" if failed else None)
    return StreamStatus(
        call_id=call_id,
        event=event,
        stream_id=form.get("StreamSid", ""),
        error=error,
    )
