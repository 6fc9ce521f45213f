"""What is kept of a stream whose call is not there yet."""

import pytest

from bridge.carriers.messages import Digit, Media
from bridge.web.early import MESSAGES, OCTETS, Early

FRAME = b"\x20" * 160


def test_the_frame_with_the_least_delay_tells_the_clock_of_the_stream():
    early = Early()
    assert early.leads is None
    early.add(Digit("inbound", "5"), 10.0)
    assert early.leads is None
    for at, now in ((155, 50.3), (175, 50.2), (195, 50.9)):
        early.add(Media("inbound", at, None, FRAME), now)

    assert early.leads == pytest.approx((50.3 - 0.155 - 0.02, 50.2 - 0.175 - 0.02))
    assert len(early) == 4
    assert [type(message) for message in early] == [Digit, Media, Media, Media]


def test_a_minute_of_both_tracks_is_kept():
    early = Early()
    for number in range(MESSAGES):
        assert not early.is_full
        early.add(Media("inbound", 20 * number, None, FRAME), 0.0)

    assert early.is_full
    assert MESSAGES * 0.02 / 2 >= 60
    assert MESSAGES * len(FRAME) < OCTETS


def test_large_frames_are_fewer():
    early = Early()
    early.add(Media("inbound", 0, None, bytes(OCTETS - 1)), 0.0)
    assert not early.is_full
    early.add(Media("inbound", 0, None, b"\0"), 0.0)
    assert early.is_full


def test_a_message_after_a_burst_is_behind_while_its_clock_says_so():
    early = Early()
    assert not early.is_burst
    for number in range(26):
        early.add(Media("inbound", 20 * number, None, FRAME), 10.0 + 0.02 * (number + 1))
    assert early.is_burst
    late = Media("inbound", 1000, None, FRAME)  # which was spoken up to 11.02
    assert early.is_behind(late, 11.4)
    assert not early.is_behind(late, 11.3)
    assert early.is_behind(Digit("inbound", "5"), 11.3), "it says nothing of the time"
    assert not early.is_behind(None, 99.0)
