"""The texts of the streaming test suite's mock server."""

import json

from bridge.local.deepgram import notices
from bridge.local.deepgram.request import ListenRequest, parse_request


def texts(messages: list[str]) -> list[dict[str, object]]:
    return [json.loads(message) for message in messages]


def test_opened():
    request = parse_request({"encoding": "linear16", "sample_rate": "16000"}.items())
    assert isinstance(request, ListenRequest)
    assert texts(notices.opened(request)) == [
        {"msg": "New websocket connection opened"},
        {"msg": "Expecting audio data with encoding linear16, 16000 sample rate, and 1 channel(s)"},
    ]


def test_received_counts_all_and_warns():
    assert texts(notices.received(8000, too_fast=False)) == [{"msg": "Received 8000 bytes of data"}]
    assert texts(notices.received(9, too_fast=True))[0] == {"msg": "Warning: stream may be faster than real time!"}


def test_saved():
    assert texts(notices.saved("data/a.wav", 9)) == [{"filename": "data/a.wav"}, {"total_bytes": 9}]
    assert texts(notices.saved(None, 9)) == [{"total_bytes": 9}]
