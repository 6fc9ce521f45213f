"""What carriers send over their media sockets, as far as it is read here; they say more, which is passed over.

The dialects in `carriers/` read it, and say where the carriers describe it.
"""

from collections.abc import Mapping
from typing import Any

from bridge.contract.schemas import Schema

_COUNTER = {"type": ["string", "integer"], "description": "A number, as its digits or as it is."}
_TEXT = {"type": "string"}
_PAYLOAD = {"type": "string", "contentEncoding": "base64", "description": "Audio of one track."}


def _object(properties: Mapping[str, Any], *required: str, said: str = "") -> Schema:
    made: Schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    return {**made, "description": said} if said else made


def _message(event: str, said: str, properties: Mapping[str, Any], *required: str) -> Schema:
    named = {"event": {"const": event, "type": "string"}, **properties}
    return _object(named, "event", *required, said=said)


def _twilio() -> dict[str, Schema]:
    format_ = _object({"encoding": {"const": "audio/x-mulaw"}, "sampleRate": {"const": 8000}, "channels": {"const": 1}})
    parameters = {"type": "object", "additionalProperties": _TEXT, "description": "The `<Parameter>`s."}
    tracks = {"type": "array", "items": _TEXT}
    start = {"callSid": _TEXT, "streamSid": _TEXT, "tracks": tracks, "mediaFormat": format_}
    media = {"track": _TEXT, "timestamp": _COUNTER, "payload": _PAYLOAD}
    head = {"sequenceNumber": _COUNTER, "streamSid": _TEXT}
    started = _object({**start, "customParameters": parameters}, "callSid")
    return {
        "TwilioConnected": _message("connected", "The socket is open.", {}),
        "TwilioStart": _message("start", "Whose audio it is.", {**head, "start": started}, "start"),
        "TwilioMedia": _message(
            "media", "20 ms of mu-law at 8 kHz.", {**head, "media": _object(media, *media)}, "media"
        ),
        "TwilioDtmf": _message(
            "dtmf", "A key was pressed.", {**head, "dtmf": _object({"track": _TEXT, "digit": _TEXT}, "digit")}, "dtmf"
        ),
        "TwilioStop": _message("stop", "The stream has ended in order.", head),
    }


def _telnyx() -> dict[str, Schema]:
    format_ = _object({"encoding": {"enum": ["PCMU", "PCMA"]}, "sample_rate": {"const": 8000}})
    start = {"call_control_id": _TEXT, "from": _TEXT, "to": _TEXT, "media_format": format_}
    custom = {"type": ["object", "array"], "description": "An object, or a list of `name` and `value`."}
    media = {"track": _TEXT, "timestamp": _COUNTER, "payload": _PAYLOAD}
    head = {"sequence_number": _COUNTER, "stream_id": _TEXT}
    digit, payload = {"dtmf": _object({"digit": _TEXT}, "digit")}, {"payload": {"type": "object"}}
    started = _object({**start, "custom_parameters": custom}, "call_control_id")
    return {
        "TelnyxConnected": _message("connected", "The socket is open.", {}),
        "TelnyxStart": _message("start", "Whose audio it is.", {**head, "start": started}, "start"),
        "TelnyxMedia": _message(
            "media",
            "An RTP payload, mu-law or A-law at 8 kHz; it may come out of order.",
            {**head, "media": _object(media, "timestamp", "payload")},
            "media",
        ),
        "TelnyxDtmf": _message("dtmf", "A key was pressed.", {**head, **digit, **payload}),
        "TelnyxError": _message("error", "Something went wrong with the stream.", {**head, **payload}),
        "TelnyxStop": _message("stop", "The stream has ended in order.", head),
    }


def _jambonz() -> dict[str, Schema]:
    said = {
        "callSid": _TEXT,
        "from": _TEXT,
        "to": _TEXT,
        "direction": _TEXT,
        "sampleRate": {"const": 8000},
        "mixType": {"enum": ["mono", "stereo"]},
    }
    first = "The first frame: whose audio it is. What else stands in it is the developer's `metadata`."
    audio = "Binary: 16-bit PCM at 8 kHz, little-endian; of both tracks, interleaved, with `mixType` `stereo`."
    return {
        "JambonzStart": _object(said, "callSid", said=first),
        "JambonzAudio": {"type": "string", "description": audio},
        "JambonzDtmf": _message("dtmf", "A key was pressed; only with `passDtmf`.", {"dtmf": _TEXT}, "dtmf"),
    }


def carrier_schemas() -> Mapping[str, dict[str, Schema]]:
    """By carrier: the messages of its socket, by name."""
    return {"twilio": _twilio(), "telnyx": _telnyx(), "jambonz": _jambonz()}
