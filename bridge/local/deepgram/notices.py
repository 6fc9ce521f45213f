"""The texts of the mock server in Deepgram's streaming test suite, for clients made for that kit.

Off unless asked for: they have no `type`, and current SDKs stumble over them.
Source: https://github.com/deepgram/streaming-test-suite
"""

import json

from bridge.local.deepgram.request import ListenRequest


def opened(request: ListenRequest) -> list[str]:
    """A connection has been opened."""
    return [
        _msg("New websocket connection opened"),
        _msg(
            f"Expecting audio data with encoding {request.encoding}, {request.sample_rate} sample rate, "
            f"and {request.channels} channel(s)"
        ),
    ]


def received(octets: int, *, too_fast: bool) -> list[str]:
    """Audio has come; `octets` counts all of it so far."""
    warning = [_msg("Warning: stream may be faster than real time!")] if too_fast else []
    return [*warning, _msg(f"Received {octets} bytes of data")]


def saved(filename: str | None, octets: int) -> list[str]:
    """The stream has ended, and was saved under that name if there is one."""
    name = [json.dumps({"filename": filename})] if filename else []
    return [*name, json.dumps({"total_bytes": octets})]


def _msg(text: str) -> str:
    return json.dumps({"msg": text})
