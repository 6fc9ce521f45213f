"""Two sessions as one."""

from dataclasses import replace
from random import Random

from bridge.audio import AudioFormat
from bridge.deepgram.channels import Channels
from bridge.deepgram.exchange import AudioLost, Finished, Interrupted, Resumed, SessionPolicy
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.session import Session
from bridge.recognition import Result, SpeechStart, TurnEnd
from bridge.spans import Span
from tests.deepgram.test_messages import RESULTS, json

MONO = SessionPolicy(format=AudioFormat("mulaw", 8000, 1), burst=60.0, speed=1000.0)
AWAY = Interrupted("gone", 1006, "r", 1, 1.0, True)
BACK = Resumed(1, 1.0, "r2")


def channels():
    meter = LatencyMeter()
    return Channels([Session(MONO, Random(1), latency=meter) for _ in range(2)])


def final(start, duration):
    return json.dumps({**RESULTS, "channel_index": [0, 1], "start": start, "duration": duration})


def test_what_is_said_of_a_sessions_only_channel_is_said_of_the_calls():
    result = Result(0, Span(0, 1), "", 0.0, (), is_final=True)
    pair = channels()

    assert pair.receive(1, result).channel == 1
    assert pair.receive(0, result) == result
    assert pair.receive(1, TurnEnd(0, 5)) == TurnEnd(1, 5)
    assert pair.receive(1, SpeechStart(0, 5)) == SpeechStart(1, 5)
    assert pair.receive(1, AudioLost(0, Span(0, 1), "overflow")) == AudioLost(1, Span(0, 1), "overflow")


def test_one_trouble_of_both_is_told_once_and_is_over_when_both_are_back():
    pair = channels()
    other = Interrupted("refused", 429, None, 2, 1.0, True)
    told = [pair.receive(0, AWAY), pair.receive(1, AWAY), pair.receive(1, other), pair.receive(0, BACK)]
    assert told == [AWAY, None, other, None]
    assert pair.receive(1, BACK) == BACK
    assert pair.receive(1, AWAY) == AWAY


def test_a_trouble_is_told_once_for_each_origin_at_which_it_is_met():
    pair = channels()
    one, two = (replace(AWAY, origin=origin) for origin in ("one", "two"))

    assert [pair.receive(channel, met) for met in (one, two) for channel in (0, 1)] == [one, None, two, None]


def test_that_the_call_has_gone_back_to_an_origin_is_told_when_all_its_channels_have():
    pair = channels()
    back, moved = replace(BACK, origin="two"), Resumed(0, 0.0, "r3", "one")
    for channel in (0, 1):
        pair.receive(channel, AWAY)
        pair.receive(channel, back)

    assert [pair.receive(channel, moved) for channel in (1, 0)] == [None, moved]
    pair.receive(0, AWAY)  # one alone
    assert [pair.receive(0, news) for news in (back, moved)] == [back, moved]


def test_it_has_finished_when_all_have_and_names_what_each_lacks():
    pair = channels()

    assert pair.receive(1, Finished(((0, Span(1, 2)),))) is None
    assert pair.receive(0, Finished(((0, Span(5, 6)),))) == Finished(((0, Span(5, 6)), (1, Span(1, 2))))


def test_what_the_call_asks_for():
    pair = channels()
    one, two = pair.sessions
    for session in pair.sessions:
        session.start(0.0)
    one.connected("r1", 0.0)
    for session in pair.sessions:
        session.receive_audio(b"\xff" * 80_000, 0.0)
    two.connected("r2", 0.1)
    one.receive_text(final(0.0, 4.0), 0.2)
    two.receive_text(final(0.0, 1.0), 0.2)
    two.receive_text(final(2.0, 1.0), 0.2)

    assert pair.settled == 8_000
    assert pair.holes == [(1, Span(8_000, 16_000))]
    assert pair.unsent == 0.0
    assert pair.interruption is None
    assert pair.latency is two.latency
    assert [request.request_id for request in pair.journal.requests] == ["r1", "r2"]
    assert pair.journal.counts["deepgram_sockets"] == 2
    two.closed(1006, "gone", 0.3)
    assert pair.interruption == (1006, "gone")
    assert repr(pair).startswith("<Channels away [] finished []")
