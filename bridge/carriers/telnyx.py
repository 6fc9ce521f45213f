"""Telnyx media streaming: JSON text frames in snake_case, each with the payload of an RTP packet in base64.

Frames may come out of order: `timestamp` says where one belongs and `sequence_number` which are lacking, and the
aligner puts them in their places. From and to come with `start`, the direction does not.
Source: https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from bridge.audio import SAMPLE_RATE, alaw_to_mulaw
from bridge.carriers import parameters
from bridge.carriers.dialect import Carrier, Proof, TextDialect
from bridge.carriers.fields import body, decode_leniently, mapping
from bridge.carriers.fields import rate as sampling_rate
from bridge.carriers.identifiers import safe_identifier
from bridge.carriers.messages import (
    Connected,
    Digit,
    Failed,
    Ignored,
    Media,
    Message,
    Started,
    Stopped,
    UnsupportedMedia,
)
from bridge.errors import RemoteProtocolError

SECRET_HEADER = "x-telnyx-streaming-auth-token"
"""Carries the `stream_auth_token` that the owner gave, on the upgrade."""

_CONVERSIONS: Mapping[str, Callable[[bytes], bytes] | None] = {"PCMU": None, "PCMA": alaw_to_mulaw}
"""What makes mu-law of a codec's payload; None: it is. L16 is not among them: its byte order is undocumented."""

_MOST_EARLY = 512  # frames before `start`: five seconds of both tracks

_Counter = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class _Media(msgspec.Struct):
    timestamp: _Counter
    payload: bytes
    """Base64 on the wire."""
    track: str = "inbound"


class _Frame(msgspec.Struct):
    event: str
    sequence_number: _Counter | None = None
    stream_id: str | None = None
    media: _Media | None = None
    start: dict[str, Any] | None = None
    dtmf: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None
    """Of an `error`, and with some of a `dtmf`."""


_decode = msgspec.json.Decoder(_Frame, strict=False).decode


class TelnyxDialect(TextDialect):
    """Reads one stream; of `start` it remembers the codec, until which it keeps the audio that came before."""

    def __init__(self) -> None:
        self._convert: Callable[[bytes], bytes] | None = None
        self._has_started = False
        self._early: list[_Frame] = []

    def receive_text(self, text: bytes) -> Sequence[Message]:
        """Raises RemoteProtocolError for what is not JSON, lacks a field, or carries broken base64."""
        try:
            try:
                frame = _decode(text)
            except msgspec.ValidationError:
                frame = decode_leniently(text, _Frame)
            if frame.event == "media":
                if self._has_started:
                    return (self._media(frame),)
                if len(self._early) < _MOST_EARLY:
                    self._early.append(frame)
                    return ()
                raise RemoteProtocolError("too much audio before start")
            if frame.event == "start":
                started = self._started(frame)
                early, self._early = self._early, []
                return (started, *(self._media(frame) for frame in early if frame.media))
            return (self._other(frame),)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RemoteProtocolError(f"not a Telnyx message: {type(error).__name__}") from None

    def _media(self, frame: _Frame) -> Media:
        media = frame.media
        if media is None:
            raise RemoteProtocolError("a message without its body")
        payload = self._convert(media.payload) if self._convert else media.payload
        return Media(media.track, media.timestamp, frame.sequence_number, payload)

    def _other(self, frame: _Frame) -> Message:
        match frame.event:
            case "stop":
                return Stopped()
            case "dtmf":
                # Where the digit stands is told in two ways.
                digit = (frame.dtmf or {}).get("digit") or (frame.payload or {})["digit"]
                return Digit("inbound", str(digit))
            case "error":
                return Failed(_complaint(frame.payload or {}))
            case "connected":
                return Connected()
            case _:
                return Ignored()

    def _started(self, frame: _Frame) -> Started:
        start = body(frame.start)
        format_ = mapping(start.get("media_format"))
        encoding = str(format_.get("encoding") or "PCMU").upper()
        rate = sampling_rate(format_.get("sample_rate"), SAMPLE_RATE)
        if encoding not in _CONVERSIONS or rate != SAMPLE_RATE:
            raise UnsupportedMedia(f"{encoding[:20]} at {rate} Hz: set stream_codec (TeXML: codec) to PCMU or PCMA")
        # Telnyx names the sides itself.
        sides = {parameters.OURS + name: str(start[name]) for name in ("from", "to") if start.get(name)}
        said = parameters.read({**_custom(start.get("custom_parameters")), **sides})
        self._convert, self._has_started = _CONVERSIONS[encoding], True
        return Started(
            call_id=safe_identifier(start["call_control_id"]),
            stream_id=safe_identifier(frame.stream_id or start["call_control_id"]),
            tracks=(),  # `start` does not name them
            encoding=encoding,
            sample_rate=rate,
            carrier=TELNYX.name,
            **said,
        )


TELNYX = Carrier("telnyx", TelnyxDialect, Proof.SECRET)


def _custom(given: Any) -> dict[str, str]:
    """What the developer attached: an object, or as it was given to the API a list of names with values."""
    if isinstance(given, list):
        given = {pair["name"]: pair["value"] for pair in map(mapping, given) if {"name", "value"} <= pair.keys()}
    return {str(name): str(value) for name, value in mapping(given).items()}


def _complaint(payload: Mapping[str, Any]) -> str:
    said = [str(payload[key]) for key in ("code", "title", "detail") if payload.get(key)]
    return " ".join(said)[:200] or "no reason given"
