"""A stream's hold on its call."""

from collections import Counter

from bridge.call.stream import Stream
from bridge.carriers.messages import Digit, Media


class Heard:
    """A call that notes what it is told."""

    def __init__(self):
        self.counters = Counter()
        self.said = []

    def receive_media(self, media):
        self.said.append(media)

    def receive_digit(self, digit):
        self.said.append(digit)

    def end_stream(self, reason):
        self.said.append(reason)


FRAME, KEY = Media("inbound", 0, 1, b"\xff"), Digit("inbound", "5")


def test_what_the_carrier_sends_reaches_the_call():
    call = Heard()
    stream = Stream(call)
    stream.receive(FRAME)
    stream.receive(KEY)
    stream.end("stopped", bad_messages=2)

    assert call.said == [FRAME, KEY, "stopped"]
    assert call.counters["bad_messages"] == 2


def test_it_ends_once_and_says_nothing_afterwards():
    call = Heard()
    stream = Stream(call)
    stream.end("stopped")
    stream.end("carrier_disconnected", bad_messages=1)
    stream.receive(FRAME)

    assert call.said == ["stopped"]
    assert call.counters["bad_messages"] == 0


def test_a_stream_that_was_replaced_has_nothing_to_say():
    call = Heard()
    stream = Stream(call)
    stream.release()
    stream.receive(FRAME)
    stream.end("carrier_disconnected")

    assert call.said == []
