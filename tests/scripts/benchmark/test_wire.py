"""Frames are as another implementation has them, in whatever pieces they come."""

import pytest
from websockets.frames import Opcode
from websockets.utils import accept_key

from bridge.deepgram.masking import apply_mask, frame
from scripts.benchmark.wire import BINARY, CLOSE, TEXT, Unpacker, accept
from tests.fakes.websocket import parsed

KEY = b"\x01\x80\xff\x10"
SIZES = [0, 1, 125, 126, 960, 65535, 65536]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", [KEY, b""])
def test_a_frame_is_read_by_websockets(size, key):
    payload = bytes(index % 251 for index in range(size))

    read = parsed(frame(BINARY, payload, key), mask=bool(key))

    assert (read.opcode, read.fin, bytes(read.data)) == (Opcode.BINARY, True, payload)


def test_masking_twice_is_nothing():
    assert apply_mask(apply_mask(b"octets", KEY), KEY) == b"octets"


@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
def test_frames_in_pieces(step):
    sent = [(TEXT, b"{}", KEY), (BINARY, bytes(300), b""), (BINARY, bytes(66_000), KEY), (CLOSE, b"", KEY)]
    data = b"".join(frame(*each) for each in sent)
    unpacker = Unpacker()

    got = [each for at in range(0, len(data), step) for each in unpacker.receive(data[at : at + step])]

    assert [(opcode, apply_mask(payload, key) if key else payload, key) for opcode, payload, key in got] == sent


def test_the_answer_to_a_key():
    assert accept(b"dGhlIHNhbXBsZSBub25jZQ==") == accept_key("dGhlIHNhbXBsZSBub25jZQ==").encode()
