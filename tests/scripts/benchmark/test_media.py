"""A chunk tells which frames ended it, wherever it was cut."""

import json
from random import Random

import pytest

from bridge.carriers.messages import Media, Started
from bridge.carriers.twilio import TwilioDialect
from bridge.deepgram.masking import apply_mask
from scripts.benchmark import media
from scripts.benchmark.media import Ending, ending, payload
from scripts.benchmark.wire import Unpacker

KEY = b"\x01\x80\xff\x10"


def chunk(call, frames):
    """Of as many frames of either track, up to those."""
    stereo = bytearray(2 * 160 * 3)
    for track, last in enumerate(frames):
        stereo[track::2] = b"".join(payload(call, track, number) for number in range(last - 2, last + 1))
    return bytes(stereo)


@pytest.mark.parametrize(("call", "number"), [(0, 2), (127, 127), (128, 128), (16_383, 16_384), (5, 2_000_000)])
@pytest.mark.parametrize("key", [KEY, b""])
def test_the_end_of_a_chunk(call, number, key):
    data = chunk(call, (number, number + 1))

    assert ending(apply_mask(data, key) if key else data, key) == Ending(call, (number, number + 1))


@pytest.mark.parametrize("less", [2, 6, 8, 14, 18])
def test_a_chunk_that_ends_within_a_frame(less):
    assert ending(chunk(7, (9, 9))[:-less], b"") == Ending(7, (9, 9))


@pytest.mark.parametrize("data", [b"", bytes(20), b"\xff" * 960, chunk(1, (3, 3))[:-32] + b"\xff" * 32])
def test_a_chunk_without_numbers(data):
    assert ending(data, b"") is None


def test_the_tracks_of_different_calls_are_no_chunk():
    mixed = bytearray(chunk(1, (3, 3)))
    mixed[1::2] = chunk(2, (3, 3))[1::2]

    assert ending(bytes(mixed), b"") is None


def test_the_bridge_reads_what_is_sent():
    inbound, outbound = media.frames(7, 2, Random(1))
    dialect = TwilioDialect()
    sent = [*media.opening(7), inbound[0], outbound[0], inbound[1], media.stop(7)]

    texts = [apply_mask(octets, key) for _, octets, key in Unpacker().receive(b"".join(sent))]
    messages = [message for text in texts for message in dialect.receive_text(text)]

    heard = [message for message in messages if isinstance(message, Media)]
    assert [message.payload for message in heard] == [payload(7, 0, 0), payload(7, 1, 0), payload(7, 0, 1)]
    assert [message.call_id for message in messages if isinstance(message, Started)] == [media.call_id(7)]
    assert json.loads(texts[-1])["event"] == "stop"
