"""Who calls when, and what is sent: evenly, and no frame twice."""

import json
from base64 import b64decode
from itertools import pairwise

import pytest

from bridge.audio import SAMPLE_RATE
from bridge.errors import ConfigError
from bridge.local.load.plan import APART, PERIOD, Audio, Faults, Plan, is_this_machine
from bridge.local.stream import CallerOptions
from bridge.local.wav import Recording

SPOKEN = Recording((bytes(range(251)) * 64)[:16_000], (bytes(range(251, 0, -1)) * 64)[:16_000])
"""Two seconds."""


def sent(stream):
    return [(due, json.loads(text)) for due, text in stream.messages()]


def media(messages, track):
    return [(due, m["media"]) for due, m in messages if m["event"] == "media" and m["media"]["track"] == track]


def octets(frames):
    return b"".join(b64decode(frame["payload"]) for _, frame in frames)


def streams(plan, line=0, number=0):
    return plan.streams(line, number, Audio(SPOKEN, plan.seconds), CallerOptions())


def test_no_two_lines_send_at_one_moment():
    plan = Plan(7, 1.0)
    phases = [plan.phase(line) for line in range(7)]
    moments = sorted([*phases, *(phase + APART for phase in phases)])

    assert all(later - earlier == pytest.approx(PERIOD / 14) for earlier, later in pairwise(moments))


def test_the_lines_begin_one_after_the_other():
    assert [Plan(4, 1.0, ramp=8.0).begins(line) for line in range(4)] == [0.0, 2.0, 4.0, 6.0]


def test_a_line_calls_again_for_as_long_as_it_is_told():
    assert not Plan(1, 1.0).goes_on(0.5)
    assert Plan(1, 1.0, minutes=1.0).goes_on(59.0)
    assert not Plan(1, 1.0, minutes=1.0).goes_on(60.0)


@pytest.mark.parametrize(("line", "first", "second"), [(0, "inbound", "outbound"), (1, "outbound", "inbound")])
def test_the_second_track_follows_half_a_frame_later(line, first, second):
    (stream,) = streams(Plan(2, 1.0), line)
    messages = sent(stream)

    assert [due for due, _ in media(messages, first)] == pytest.approx([PERIOD * (n + 1) for n in range(50)])
    assert [due for due, _ in media(messages, second)] == pytest.approx([PERIOD * (n + 1) + APART for n in range(50)])
    assert [message["event"] for _, message in messages][:2] == ["connected", "start"]
    assert messages[-1][1]["event"] == "stop"


def test_a_recording_is_repeated_until_the_call_is_over():
    (stream,) = streams(Plan(1, 5.0))

    assert octets(media(sent(stream), "inbound")) == (SPOKEN.inbound * 3)[: 5 * SAMPLE_RATE]


def test_lines_begin_at_different_places_of_it():
    audio = Audio(SPOKEN, 1.0)

    assert len({audio.of_line(line).inbound for line in range(8)}) == 8
    assert audio.of_line(8) is audio.of_line(0)
    assert audio.of_line(1).inbound == SPOKEN.inbound[2000:10000]


def test_a_track_that_is_empty_stays_so():
    assert Audio(Recording(SPOKEN.inbound), 1.0).of_line(3).outbound == b""


def test_there_must_be_something_to_play():
    with pytest.raises(ConfigError, match="empty"):
        Audio(Recording(b""), 1.0)


def test_sockets_break_evenly_among_the_calls():
    plan = Plan(1, 10.0, faults=Faults(dropped=0.25))

    assert [number for number in range(12) if plan.drops(number)] == [3, 7, 11]
    assert not any(Plan(1, 10.0).drops(number) for number in range(100))


def test_a_dropped_call_comes_back_with_the_rest_of_its_audio():
    first, second = streams(Plan(1, 4.0, faults=Faults(dropped=1.0, away=0.5)))
    before, after = sent(first), sent(second)
    call_ids = {message["start"]["callSid"] for _, message in before + after if message["event"] == "start"}

    assert first.breaks and before[-1][1]["event"] == "media"
    assert not second.breaks and after[-1][1]["event"] == "stop"
    assert second.after == 0.5
    assert len(call_ids) == 1 and first.options.stream_id != second.options.stream_id
    for track in ("inbound", "outbound"):
        whole = octets(media(before, track)) + octets(media(after, track))
        assert whole == (SPOKEN.inbound if track == "inbound" else SPOKEN.outbound) * 2
    assert second.start == len(octets(media(before, "inbound"))) / SAMPLE_RATE


def test_calls_break_at_different_moments():
    plan = Plan(1, 10.0, faults=Faults(dropped=1.0))
    cuts = [streams(plan, number=number)[1].start for number in range(5)]

    assert len(set(cuts)) == 5 and all(3.0 <= cut <= 7.0 for cut in cuts)


def test_a_call_that_breaks_is_no_shorter_than_half_a_second():
    with pytest.raises(ConfigError, match="half a second"):
        Plan(1, 0.4, faults=Faults(dropped=0.1))


def test_frames_get_lost_where_they_are_told_to():
    (stream,) = streams(Plan(1, 10.0, faults=Faults(lost=0.1)))

    assert 0.8 < len(media(sent(stream), "inbound")) / 500 < 0.97


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("ws://127.0.0.1:8080/media", True),
        ("ws://[::1]:8080/media", True),
        ("wss://localhost/media", True),
        ("wss://127.0.0.1.example.com/media", False),
        ("wss://localhost.example.com/media", False),
        ("ws://192.168.1.2/media", False),
        ("ws://0.0.0.0/media", False),
    ],
)
def test_this_machine_is_known_by_its_name(address, here):
    assert is_this_machine(address) == here
