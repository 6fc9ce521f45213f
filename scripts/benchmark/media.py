"""What a caller sends: Twilio's messages, whose audio holds the numbers of the call and of the frame.

The numbers stand in every eight octets of a track, so that the end of any chunk tells which frames completed it.
"""

import base64
import json
from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from bridge.deepgram.masking import apply_mask, frame
from scripts.benchmark.wire import TEXT

TRACKS = ("inbound", "outbound")
_OCTETS = 160  # in a frame
_GROUP = 8  # octets that hold the numbers once
_MARK = 0xA8  # the first of a group, track added; all others are less than 0x80
_TAIL = 2 * 2 * _GROUP  # of a chunk: enough of both tracks for one whole group


class Ending(NamedTuple):
    """What the end of a chunk says."""

    call: int
    frames: tuple[int, int]
    """The last frame of each track that is in it."""


def payload(call: int, track: int, number: int) -> bytes:
    """The audio of a frame."""
    seven = (call >> 7, call, number >> 14, number >> 7, number)
    return (bytes([_MARK + track, *(value & 127 for value in seven)]) + b"\0\0") * (_OCTETS // _GROUP)


def ending(chunk: bytes, key: bytes) -> Ending | None:
    """Read the numbers at the end of a chunk of two channels, as it came; None if there are none."""
    at = len(chunk) - _TAIL
    if at < 0:
        return None
    turn = at % 4
    tail = apply_mask(chunk[at:], key[turn:] + key[:turn]) if key else chunk[at:]
    numbers = [_numbers(tail[track::2], track) for track in range(len(TRACKS))]
    if numbers[0] is None or numbers[1] is None or numbers[0][0] != numbers[1][0]:
        return None
    return Ending(numbers[0][0], (numbers[0][1], numbers[1][1]))


def _numbers(octets: bytes, track: int) -> tuple[int, int] | None:
    at = octets.rfind(_MARK + track, 0, _GROUP + 3)
    if at < 0:
        return None
    _, call, low, number, middle, last = octets[at : at + 6]
    return call << 7 | low, number << 14 | middle << 7 | last


def call_id(call: int) -> str:
    """Twilio's identifier of a call."""
    return f"CA{call:032x}"


def opening(call: int) -> list[bytes]:
    """The messages before the audio."""
    start = {
        "accountSid": f"AC{1:032x}",
        "streamSid": _stream(call),
        "callSid": call_id(call),
        "tracks": TRACKS,
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"direction": "inbound", "from": "+15550101", "to": "+15550123"},
    }
    connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    first = {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": _stream(call)}
    return [_message(connected, b"key1"), _message(first, b"key2")]


def stop(call: int) -> bytes:
    """The message after the audio."""
    stopped = {"accountSid": f"AC{1:032x}", "callSid": call_id(call)}
    return _message({"event": "stop", "sequenceNumber": "9", "streamSid": _stream(call), "stop": stopped}, b"key3")


def frames(call: int, count: int, random: Random) -> tuple[list[bytes], list[bytes]]:
    """All frames of both tracks, made before they are needed: their making would delay those that are due."""
    return (
        [_media(call, 0, number, random) for number in range(count)],
        [_media(call, 1, number, random) for number in range(count)],
    )


def _media(call: int, track: int, number: int, random: Random) -> bytes:
    """In the order of Twilio's fields, without the cost of a JSON encoder."""
    audio = base64.b64encode(payload(call, track, number)).decode()
    text = (
        f'{{"event":"media","sequenceNumber":"{2 * number + track + 2}","media":{{"track":"{TRACKS[track]}",'
        f'"chunk":"{number + 1}","timestamp":"{100 + 20 * number}","payload":"{audio}"}},'
        f'"streamSid":"{_stream(call)}"}}'
    )
    return frame(TEXT, text.encode(), random.randbytes(4))


def _message(message: Mapping[str, object], key: bytes) -> bytes:
    return frame(TEXT, json.dumps(message, separators=(",", ":")).encode(), key)


def _stream(call: int) -> str:
    return f"MZ{call:032x}"
