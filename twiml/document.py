"""The answer of the voice webhook: parameters in, TwiML text out.

It always forks both tracks with `<Start><Stream>`, never `<Connect>`: only a fork hears both speakers, and it goes on
whatever the call does next. Twilio runs straight on to the next verb and hangs up when there is none, so an answer
always ends in a `<Dial>` or a `<Pause>`. This module sends nothing, signs nothing and reads no settings.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

from twilio.twiml.voice_response import VoiceResponse

from twiml.errors import TwimlError

PARAMETER_LIMIT = 500
"""The name and the value of a `<Parameter>` together stay below this many characters (Twilio, `<Stream>`)."""

FROM, TO, DIRECTION, TOKEN = "bridge.from", "bridge.to", "bridge.direction", "bridge.token"
"""The parameters that are ours; they reach the media socket in `start.customParameters`. A developer may have others of
any name.
"""

SPEAKER = "speaker."
"""`speaker.inbound` and `speaker.outbound` name the speaker of a track."""

BIN_TEMPLATES: Mapping[str, str] = {FROM: "{{From}}", TO: "{{To}}", DIRECTION: "{{Direction}}"}
"""What a TwiML Bin fills in from Twilio's request. The call's id needs no template: the stream says it itself."""

NUMBER = re.compile(r"\+[1-9][0-9]{1,14}")
"""A telephone number, E.164."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What an XML 1.0 document cannot carry, not even escaped."""


def webhook_url(public_url: str, path: str) -> str:
    """The URL of one of our paths as Twilio sees it.

    `public_url` is the https address Twilio reaches us at, with or without a path of its own; plain http passes only
    for this machine, where the local caller stands in for Twilio.
    """
    if not re.fullmatch(r"/[^?#\s]+", path):
        raise TwimlError("A path begins with a slash, has something after it, and carries no query.")
    try:
        parts = urlsplit(public_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise TwimlError("The public URL has a host or a port that cannot be read.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise TwimlError("The public URL must begin with https://, because Twilio streams to nothing else.")
    if not host or "_" in host:
        raise TwimlError("The public URL needs a host name, and Twilio accepts none with an underscore.")
    if re.search(r"[?#@\s]", public_url):
        raise TwimlError("The public URL must carry no query, fragment, user, password or space.")
    return parts.geturl().rstrip("/") + path


def stream_url(public_url: str, path: str) -> str:
    """The WebSocket twin of `webhook_url`."""
    return "ws" + webhook_url(public_url, path).removeprefix("http")


@dataclass(frozen=True, slots=True)
class DialTarget:
    """What `<Dial>` connects a call to."""

    noun: Literal["number", "sip", "client"]
    address: str


def parse_target(text: str) -> DialTarget:
    """Parse `+15551234567`, `sip:user@host` or `client:name`. Raises `TwimlError`."""
    if NUMBER.fullmatch(text):
        return DialTarget("number", text)
    if re.fullmatch(r"sips?:[^\s@]+@\S+", text):
        return DialTarget("sip", text)
    if re.fullmatch(r"client:\S+", text):
        return DialTarget("client", text.removeprefix("client:"))
    raise TwimlError("A dial target is a number such as +15551234567, a sip:user@host address, or client:name.")


def check_parameter(name: str, value: str) -> None:
    """Raise `TwimlError` for a `<Parameter>` that Twilio would not carry."""
    _check_text(f"The stream parameter {name[:40]!r}", name + value)
    if not name:
        raise TwimlError("A stream parameter needs a name.")
    if len(name) + len(value) >= PARAMETER_LIMIT:
        raise TwimlError(
            f"The stream parameter {name[:40]!r} is too long: {len(name) + len(value)} characters of name and value, "
            f"and Twilio carries fewer than {PARAMETER_LIMIT}."
        )


def check_stream_url(url: str) -> None:
    """Raise `TwimlError` for a stream URL that Twilio would not dial, or would dial differently from what it says."""
    parts = urlsplit(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and parts.hostname in LOOPBACK):
        raise TwimlError("A stream URL must begin with wss://.")
    if parts.path in ("", "/"):
        # It is not documented whether Twilio signs a bare host with or without the slash.
        raise TwimlError("A stream URL needs a path.")
    if "?" in url or "#" in url:
        raise TwimlError("A stream URL must carry no query: Twilio drops it when it dials.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one call. Raises `TwimlError` when it is made with something Twilio would not accept."""

    stream_url: str
    status_callback: str | None = None
    """Where Twilio reports how the stream is doing; the only place a failed handshake shows."""
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """One of them may be the call's token."""
    say: str | None = None
    """A notice spoken before anything else."""
    dial: DialTarget | None = None
    """Without one the line is held for `pause` seconds."""
    caller_id: str | None = None
    pause: int = 3600
    """Seconds."""

    def __post_init__(self) -> None:
        check_stream_url(self.stream_url)
        for name, value in self.parameters.items():
            check_parameter(name, value)
        if self.pause < 1:
            raise TwimlError("The line is held for a whole number of seconds, at least one.")
        _check_text("The notice", self.say or "")
        address = self.dial.address if self.dial else None
        for text in (self.stream_url, self.status_callback, self.caller_id, address):
            _check_text("The answer to a call", text or "")

    def to_xml(self) -> str:
        """The document, with its XML declaration, on one line."""
        response = VoiceResponse()
        stream = response.start().stream(
            url=self.stream_url,
            track="both_tracks",
            status_callback=self.status_callback,
        )
        for name, value in self.parameters.items():
            stream.parameter(name=name, value=value)
        if self.say:
            response.say(self.say)
        if self.dial is None:
            response.pause(length=self.pause)
        else:
            dial = response.dial(caller_id=self.caller_id)
            getattr(dial, self.dial.noun)(self.dial.address)
        return str(response)


def twiml_bin(answer: Answer) -> str:
    """The answer as a document to paste into a TwiML Bin, where Twilio fills in both parties.

    There is no token in it: a token belongs to one call, and a Bin is the same text for all of them.
    """
    fixed = {name: value for name, value in answer.parameters.items() if name != TOKEN}
    return replace(answer, parameters={**BIN_TEMPLATES, **fixed}).to_xml()


def _check_text(what: str, text: str) -> None:
    if NOT_XML.search(text):
        raise TwimlError(f"{what} holds a character that XML cannot carry.")
