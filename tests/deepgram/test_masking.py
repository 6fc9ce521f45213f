"""Frames as a client sends them, read by the library's own parser."""

import pytest
from websockets.frames import Opcode
from websockets.protocol import CLIENT, SERVER, Protocol, State

from bridge.deepgram.masking import masked
from tests.fakes.websocket import parsed


@pytest.mark.parametrize("size", [0, 1, 125, 126, 960, 65535, 65536])
def test_a_server_reads_what_was_sent(size):
    frame = parsed(masked(bytes(size)), mask=True)

    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.BINARY, bytes(size), True)


def test_a_string_is_text():
    frame = parsed(masked('{"type":"KeepAlive"} ü'), mask=True)

    assert (frame.opcode, bytes(frame.data).decode()) == (Opcode.TEXT, '{"type":"KeepAlive"} ü')


def test_every_frame_has_a_key_of_its_own():
    keys = {masked(b"")[2:6] for _ in range(3000)}

    assert len(keys) > 2990


def test_between_what_it_writes_itself_the_library_leaves_nothing_behind():
    """websockets 15 to 17: what `send_text` makes is gone with `data_to_send`, so a frame between two stands alone."""
    client, server = Protocol(CLIENT, state=State.OPEN), Protocol(SERVER, state=State.OPEN)
    client.send_text(b"before")
    octets = [*client.data_to_send(), masked(b"audio")]
    client.send_text(b"after")
    for each in [*octets, *client.data_to_send()]:
        server.receive_data(each)

    assert [bytes(frame.data) for frame in server.events_received()] == [b"before", b"audio", b"after"]
