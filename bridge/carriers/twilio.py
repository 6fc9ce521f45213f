"""Twilio Media Streams: JSON text frames in, `messages` out. Never anything the other way on a `<Start>` stream.

Every counter is a JSON *string*; only `sampleRate` and `channels` are numbers. Numbers are taken too, because carriers
that speak this dialect send them. Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from bridge.audio import SAMPLE_RATE
from bridge.carriers import parameters
from bridge.carriers.dialect import Carrier, Proof, TextDialect
from bridge.carriers.fields import body, decode_leniently, items, mapping
from bridge.carriers.fields import rate as sampling_rate
from bridge.carriers.identifiers import first_identifier, identifier
from bridge.carriers.messages import (
    Connected,
    Digit,
    Ignored,
    Media,
    Message,
    Started,
    Stopped,
    UnsupportedMedia,
)
from bridge.errors import RemoteProtocolError
from bridge.events import Track

_ENCODING = "audio/x-mulaw"
"""Twilio sends nothing else."""

_Counter = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
"""Beyond this no clock of milliseconds goes."""


_MOST_TRACKS, _LONGEST_TRACK = 8, 32
"""There are two, with names of eight letters; they enter an event."""


class _Media(msgspec.Struct, gc=False):
    track: str
    timestamp: _Counter
    payload: bytes
    """Base64 on the wire."""


class _Frame(msgspec.Struct, gc=False):
    event: str
    sequenceNumber: _Counter | None = None
    streamSid: str | None = None
    media: _Media | None = None
    start: dict[str, Any] | None = None
    dtmf: dict[str, Any] | None = None


class _MediaFrame(msgspec.Struct, gc=False, tag_field="event", tag="media"):
    """Nothing but what is needed of it."""

    media: _Media
    sequenceNumber: _Counter | None = None


# Not strict: numbers come as strings. A typed decoder because a hundred frames a second and call go through it: it
# reads a media frame, base64 included, in a fifth of the time that `json` and `base64` take together.
_decode = msgspec.json.Decoder(_Frame, strict=False).decode
_decode_media = msgspec.json.Decoder(_MediaFrame, strict=False).decode

_make = tuple.__new__  # of a named tuple in a third of the time


class TwilioDialect(TextDialect):
    """Reads a `<Start><Stream>`. It remembers nothing: every frame stands for itself."""

    __slots__ = ()

    def receive_media(self, texts: Sequence[bytes]) -> list[Media]:
        """As the protocol says."""
        found: list[Media] = []
        try:
            for text in texts:
                frame = _decode_media(text)
                media = frame.media
                said = (media.track, media.timestamp, frame.sequenceNumber, media.payload)
                found.append(_make(Media, said))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # it will be told of the frame by itself
        return found

    def receive_text(self, text: bytes) -> Sequence[Message]:
        """Raises RemoteProtocolError for what is not JSON, lacks a field, or carries broken base64."""
        try:
            try:
                frame = _decode(text)
            except msgspec.ValidationError:
                frame = decode_leniently(text, _Frame)
            if frame.event == "media":
                media = frame.media
                said = (media.track, media.timestamp, frame.sequenceNumber, media.payload)  # type: ignore[union-attr]
                return (_make(Media, said),)
            return (_other(frame),)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            # The text itself stays out of the message: it may hold audio.
            raise RemoteProtocolError(f"not a Twilio message: {type(error).__name__}") from None


TWILIO = Carrier("twilio", TwilioDialect, Proof.SIGNATURE)


def _other(frame: _Frame) -> Message:
    match frame.event:
        case "start":
            return _started(frame)
        case "stop":
            return Stopped()
        case "dtmf":
            digit = body(frame.dtmf)
            # Here the track is called `inbound_track`, in media `inbound`. Twilio knows no other, and no key is lost
            # over a name.
            track: Track = "outbound" if digit.get("track") in ("outbound_track", "outbound") else "inbound"
            return Digit(track, str(digit["digit"]))
        case "connected":
            return Connected()
        case _:
            return Ignored()


def _started(frame: _Frame) -> Started:
    start = body(frame.start)
    format_ = mapping(start.get("mediaFormat"))
    encoding, rate = format_.get("encoding") or _ENCODING, sampling_rate(format_.get("sampleRate"), SAMPLE_RATE)
    if encoding != _ENCODING or rate != SAMPLE_RATE:
        raise UnsupportedMedia(f"media format {str(encoding)[:40]} at {rate} Hz is not mu-law at 8000 Hz")
    given = mapping(start.get("customParameters"))
    return Started(
        call_id=identifier(start["callSid"]),
        stream_id=first_identifier(start.get("streamSid"), frame.streamSid, start["callSid"]),
        tracks=tuple(str(track)[:_LONGEST_TRACK] for track in items(start.get("tracks"))[:_MOST_TRACKS]),
        encoding=encoding,
        sample_rate=rate,
        carrier=TWILIO.name,
        **parameters.read({str(name): str(value) for name, value in given.items()}),
    )
