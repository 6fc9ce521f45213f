"""Valid frames of Twilio's, so that a test states only what is unusual about its own."""

import base64
import json

CALL = "CA00000000000000000000000000000001"
STREAM = "MZ00000000000000000000000000000001"
FRAME = 160
"""Octets of 20 ms."""


def connected():
    return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})


def start(call=CALL, stream=STREAM, parameters=None, **changes):
    body = {
        "accountSid": "AC1",
        "streamSid": stream,
        "callSid": call,
        "tracks": ["inbound", "outbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": parameters or {},
    }
    return json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": stream, "start": {**body, **changes}})


def media(track, at, sequence, payload, stream=STREAM):
    return json.dumps(
        {
            "event": "media",
            "sequenceNumber": str(sequence),
            "streamSid": stream,
            "media": {
                "track": track,
                "chunk": str(sequence - 1),
                "timestamp": str(at),
                "payload": base64.b64encode(payload).decode(),
            },
        }
    )


def stop(sequence=2, stream=STREAM):
    body = {"accountSid": "AC1", "callSid": CALL}
    return json.dumps({"event": "stop", "sequenceNumber": str(sequence), "streamSid": stream, "stop": body})


def talk(inbound, outbound, first=100):
    """Both tracks in 20 ms frames, as media messages in order; `first` is the clock of the first frame in ms."""
    sequence = 1
    for offset in range(0, max(len(inbound), len(outbound)), FRAME):
        for track, audio in (("inbound", inbound), ("outbound", outbound)):
            if payload := audio[offset : offset + FRAME]:
                sequence += 1
                yield media(track, first + offset // 8, sequence, payload)
