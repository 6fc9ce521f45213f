"""Valid frames of Telnyx's, after the examples of its own documentation."""

import base64
import json

CALL_CONTROL = "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg"
CALL = CALL_CONTROL.replace(":", "-")


def start(encoding="PCMU", sample_rate=8000, **changes):
    body = {
        "user_id": "3E6F995F-85F7-4705-9741-53B116D28237",
        "call_control_id": CALL_CONTROL,
        "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
        "from": "+13122010094",
        "to": "+13122123456",
        "tags": [],
        "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
        "media_format": {"encoding": encoding, "sample_rate": sample_rate, "channels": 1},
    }
    stream = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
    return json.dumps({"event": "start", "sequence_number": "1", "stream_id": stream, "start": {**body, **changes}})


def media(at, sequence, payload, track="inbound"):
    said = {"track": track, "chunk": str(sequence), "timestamp": str(at), "payload": base64.b64encode(payload).decode()}
    return json.dumps({"event": "media", "sequence_number": str(sequence), "stream_id": "32DE0DEA", "media": said})
