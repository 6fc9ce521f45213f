"""A stream as its call sees it."""

from bridge.call.stream import Stream
from bridge.carriers.messages import Digit, Media


class Heard:
    """A call that notes what it is told."""

    def __init__(self):
        self.said = []

    def receive_media(self, frames, stream):
        self.said.append((stream.number, *frames))

    def receive_digit(self, digit):
        self.said.append(digit)

    def end_stream(self, stream, reason, bad_messages):
        self.said.append((stream.number, reason, bad_messages))


FRAME, KEY = Media("inbound", 0, 1, b"\xff"), Digit("inbound", "5")


def test_what_the_carrier_sends_reaches_the_call():
    call = Heard()
    stream = Stream(call, 1, "MZ1", ("inbound",))
    stream.receive(FRAME)
    stream.receive(KEY)
    stream.receive_media([FRAME, FRAME])
    stream.end("stopped", bad_messages=2)

    assert call.said == [(1, FRAME), KEY, (1, FRAME, FRAME), (1, "stopped", 2)]


def test_unless_it_had_to_wait_its_first_frame_is_not_late():
    assert Stream(Heard(), 1, "MZ1", ("inbound",)).late == 0.0


def test_it_ends_once_and_says_nothing_afterwards():
    call = Heard()
    stream = Stream(call, 1, "MZ1", ("inbound",))
    stream.end("stopped")
    stream.end("carrier_disconnected", bad_messages=1)
    stream.receive(FRAME)

    assert call.said == [(1, "stopped", 0)]


def test_a_stream_that_was_released_has_nothing_to_say():
    call = Heard()
    stream = Stream(call, 1, "MZ1", ("inbound",))
    assert not stream.is_over
    stream.release()
    assert stream.is_over
    stream.receive(FRAME)
    stream.end("carrier_disconnected")

    assert call.said == []


def test_repr_names_its_tracks():
    assert repr(Stream(Heard(), 2, "MZ2", ("inbound", "outbound"))) == "<Stream MZ2 inbound/outbound>"


def test_a_stream_whose_call_another_process_has_is_lost_and_one_whose_call_is_over_is_not():
    over, lost = (Stream(Heard(), number, "MZ1", ()) for number in (1, 2))
    over.release()
    lost.release(lost=True)

    assert [(stream.is_over, stream.is_lost) for stream in (over, lost)] == [(True, False), (True, True)]
