"""What carriers send, as their frames have it."""

import json

import jsonschema_rs
import pytest

from bridge.contract.media import carrier_schemas
from tests.fakes import frames, telnyx

SCHEMAS = carrier_schemas()


def fitting(carrier, text):
    """The messages of a carrier that a frame is one of."""
    said = json.loads(text)
    return [name for name, schema in SCHEMAS[carrier].items() if jsonschema_rs.is_valid(schema, said)]


@pytest.mark.parametrize(
    ("carrier", "text", "name"),
    [
        ("twilio", frames.connected(), "TwilioConnected"),
        ("twilio", frames.start(parameters={"a": "b"}), "TwilioStart"),
        ("twilio", frames.media("inbound", 20, 2, b"\xff" * 160), "TwilioMedia"),
        ("twilio", frames.stop(), "TwilioStop"),
        ("telnyx", telnyx.start(), "TelnyxStart"),
        ("telnyx", telnyx.media(20, 2, b"\xff" * 160), "TelnyxMedia"),
    ],
)
def test_a_frame_is_one_of_its_carriers_messages(carrier, text, name):
    assert fitting(carrier, text) == [name]


def test_a_format_that_is_not_taken_is_none():
    assert fitting("telnyx", telnyx.start(sample_rate=16000)) == []
    assert fitting("twilio", frames.start(mediaFormat={"encoding": "audio/x-L16"})) == []


def test_the_first_frame_of_jambonz():
    said = json.dumps({"callSid": "7d2c", "from": "+1", "sampleRate": 8000, "mixType": "stereo", "team": "blue"})

    assert fitting("jambonz", said) == ["JambonzStart"]
