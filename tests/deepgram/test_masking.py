"""Frames as a client sends them, read by the library's own parser."""

import pytest
from websockets.frames import Opcode
from websockets.protocol import CLIENT, SERVER, Protocol, State

from bridge.deepgram.masking import MaskedFrame
from tests.fakes.websocket import parsed


@pytest.mark.parametrize("size", [0, 1, 125, 126, 960, 65535, 65536])
def test_a_server_reads_what_was_sent(size):
    frame = parsed(MaskedFrame(bytes(size)).serialize(mask=True), mask=True)

    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.BINARY, bytes(size), True)


def test_a_string_is_text():
    frame = parsed(MaskedFrame('{"type":"KeepAlive"} ü').serialize(mask=True), mask=True)

    assert (frame.opcode, bytes(frame.data).decode()) == (Opcode.TEXT, '{"type":"KeepAlive"} ü')


def test_every_frame_has_a_key_of_its_own():
    keys = {MaskedFrame(b"").serialize(mask=True)[2:6] for _ in range(3000)}

    assert len(keys) > 2990


def test_the_library_takes_such_a_frame():
    """websockets 15 to 17: `Protocol.send_frame` serializes what it is given, and `data_to_send` has the octets."""
    client, server = Protocol(CLIENT, state=State.OPEN), Protocol(SERVER, state=State.OPEN)
    client.send_frame(MaskedFrame(b"audio"))
    for octets in client.data_to_send():
        server.receive_data(octets)
    (frame,) = server.events_received()

    assert bytes(frame.data) == b"audio"
