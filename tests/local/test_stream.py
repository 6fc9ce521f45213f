"""The messages of a call, as captured calls have them, and what each fault does to them. A step is 20 ms."""

import json
from base64 import b64decode
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from bridge.align import Aligner
from bridge.carriers.messages import Media
from bridge.carriers.twilio import TwilioDialect
from bridge.errors import ConfigError, RemoteProtocolError
from bridge.local.stream import NO_FAULTS, CallerFaults, CallerOptions, messages
from bridge.local.wav import Recording
from tests.fakes.stereo import deinterleave

STEPS = 50
INBOUND = b"".join(bytes([step]) * 160 for step in range(STEPS))
OUTBOUND = b"".join(bytes([100 + step]) * 160 for step in range(STEPS))
RECORDING = Recording(INBOUND, OUTBOUND)
OPTIONS = CallerOptions(call_id="CA00000000000000000000000000000001", stream_id="MZ00000000000000000000000000000001")


def said(faults: CallerFaults = NO_FAULTS, options: CallerOptions = OPTIONS) -> list[dict[str, Any]]:
    return [json.loads(text) for _, text in messages(RECORDING, options, faults)]


def media(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in told if message["event"] == "media"]


def sequences(told: Iterable[dict[str, Any]]) -> list[int]:
    return [int(message["sequenceNumber"]) for message in told if "sequenceNumber" in message]


def stamps(told: Iterable[dict[str, Any]], track: str = "inbound") -> list[int]:
    return [int(m["media"]["timestamp"]) for m in media(told) if m["media"]["track"] == track]


def audio(told: Iterable[dict[str, Any]], track: str) -> bytes:
    return b"".join(b64decode(m["media"]["payload"]) for m in media(told) if m["media"]["track"] == track)


def test_the_messages_have_the_shapes_of_captured_calls() -> None:
    told = said(options=CallerOptions(OPTIONS.call_id, OPTIONS.stream_id, parameters={"from": "+15550100"}))

    assert told[0] == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert told[1] == {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "accountSid": "AC00000000000000000000000000000000",
            "streamSid": OPTIONS.stream_id,
            "callSid": OPTIONS.call_id,
            "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"from": "+15550100"},
        },
        "streamSid": OPTIONS.stream_id,
    }
    payload = told[2]["media"].pop("payload")
    assert b64decode(payload) == INBOUND[:160]
    assert told[2] == {
        "event": "media",
        "sequenceNumber": "2",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "100"},
        "streamSid": OPTIONS.stream_id,
    }
    assert told[-1] == {
        "event": "stop",
        "sequenceNumber": str(2 * STEPS + 2),
        "stop": {"accountSid": "AC00000000000000000000000000000000", "callSid": OPTIONS.call_id},
        "streamSid": OPTIONS.stream_id,
    }


def test_a_media_message_is_about_as_long_as_a_captured_one() -> None:
    assert {len(text) for _, text in list(messages(RECORDING, OPTIONS))[2:-1]} <= set(range(365, 385))


def test_both_tracks_are_told_whole_and_counted_without_a_gap() -> None:
    told = said()

    assert audio(told, "inbound") == INBOUND
    assert audio(told, "outbound") == OUTBOUND
    assert sequences(told) == list(range(1, 2 * STEPS + 3))
    assert stamps(told) == stamps(told, "outbound") == [100 + 20 * step for step in range(STEPS)]
    assert [m["media"]["chunk"] for m in media(told)] == [str(step) for step in range(1, STEPS + 1) for _ in range(2)]


def test_a_frame_is_due_when_its_last_sample_has_been_spoken() -> None:
    due = [moment for moment, _ in messages(RECORDING, OPTIONS)]

    assert due[:6] == [0.0, 0.0, 0.02, 0.02, 0.04, 0.04]
    assert due[-1] == 1.0
    assert all(before <= after for before, after in pairwise(due))


@pytest.mark.parametrize("track", ["inbound", "outbound"])
def test_one_track(track: str) -> None:
    told = said(options=CallerOptions(tracks=(track,)))

    assert told[1]["start"]["tracks"] == [track]
    assert {m["media"]["track"] for m in media(told)} == {track}
    assert sequences(told) == list(range(1, STEPS + 3))


def test_the_shorter_track_ends_first_and_the_last_frame_may_be_short() -> None:
    told = [json.loads(text) for _, text in messages(Recording(INBOUND[:330], OUTBOUND[:160]), OPTIONS)]

    assert audio(told, "inbound") == INBOUND[:330]
    assert audio(told, "outbound") == OUTBOUND[:160]


def test_a_call_without_audio_starts_and_stops() -> None:
    assert [json.loads(text)["event"] for _, text in messages(Recording(b""))] == [
        "connected",
        "start",
        "stop",
    ]


def test_ids_are_new_and_shaped_like_twilios() -> None:
    one, other = CallerOptions(), CallerOptions()

    assert one.call_id != other.call_id
    assert one.stream_id != other.stream_id
    assert (one.call_id[:2], one.stream_id[:2], len(one.call_id), len(one.stream_id)) == ("CA", "MZ", 34, 34)


def test_lost_frames_leave_a_gap_in_the_numbers() -> None:
    told = said(CallerFaults(lost={0, 7}))

    assert sequences(told) == [1, 3, 4, 5, 6, 7, 8, *range(10, 2 * STEPS + 3)]
    assert audio(told, "inbound") == INBOUND[160:]
    assert audio(told, "outbound") == OUTBOUND[: 3 * 160] + OUTBOUND[4 * 160 :]


def test_repeated_frames_come_twice_at_once() -> None:
    told = said(CallerFaults(repeated={3}))

    assert sequences(told)[:7] == [1, 2, 3, 4, 5, 5, 6]


@pytest.mark.parametrize("by", [1, 2, 5])
def test_reordered_frames_are_overtaken_by_frames_of_their_track(by: int) -> None:
    told = said(CallerFaults(reordered={10}, reordered_by=by))

    order = [stamp for stamp in stamps(told) if stamp >= 200]
    assert order[: by + 2] == [*range(220, 220 + 20 * by, 20), 200, 220 + 20 * by]
    assert sorted(stamps(told)) == stamps(said())
    assert sorted(sequences(told)) == sequences(said())


def test_nothing_comes_after_the_stop() -> None:
    told = said(CallerFaults(reordered={2 * STEPS - 1}, reordered_by=30))

    assert told[-1]["event"] == "stop"
    assert audio(told, "outbound") == OUTBOUND


def test_rates_hit_about_as_often_and_the_same_places_for_the_same_seed() -> None:
    faults = CallerFaults(lost=0.2, repeated=0.2, reordered=0.1)

    assert said(faults) == said(faults)
    assert said(faults) != said(faults, CallerOptions(OPTIONS.call_id, OPTIONS.stream_id, seed=1))
    lost = set(sequences(said())) - set(sequences(said(faults)))
    assert 5 <= len(lost) <= 40


def test_one_fault_does_not_move_another() -> None:
    both = said(CallerFaults(lost=0.2, repeated=0.3, wobble_ms=2))

    assert set(sequences(both)) == set(sequences(said(CallerFaults(lost=0.2))))


def test_everything_may_be_lost() -> None:
    assert [message["event"] for message in said(CallerFaults(lost=1.0))] == ["connected", "start", "stop"]


def test_outbound_may_begin_late() -> None:
    told = said(CallerFaults(late=0.5))

    assert stamps(told, "outbound")[0] == 600
    assert audio(told, "outbound") == OUTBOUND[4000:]
    assert audio(told, "inbound") == INBOUND
    assert sequences(told) == list(range(1, 2 * STEPS - 25 + 3))


def test_timestamps_wobble_within_bounds() -> None:
    wobble = [stamp - 20 * step - 100 for step, stamp in enumerate(stamps(said(CallerFaults(wobble_ms=2))))]

    assert set(wobble) == {-2, -1, 0, 1, 2}


def test_frames_of_odd_sizes() -> None:
    told = said(CallerFaults(frame_sizes=(1, 333, 160)))

    sizes = [len(b64decode(m["media"]["payload"])) for m in media(told) if m["media"]["track"] == "inbound"]
    assert sizes[:6] == [1, 333, 160, 1, 333, 160]
    assert audio(told, "inbound") == INBOUND
    assert stamps(told)[:4] == [100, 100, 141, 161]


def test_the_clock_may_be_set_anew() -> None:
    told = said(CallerFaults(jump_at=0.5, jump_ms=70_000))

    assert stamps(told)[24:26] == [580, 70_600]


def test_garbage_comes_in_between() -> None:
    plain = [text for _, text in messages(RECORDING, OPTIONS)]
    faulty = [text for _, text in messages(RECORDING, OPTIONS, CallerFaults(garbage_every=7))]

    garbage = [text for text in faulty if text not in plain]
    assert len(garbage) == 2 * STEPS // 7
    assert [text for text in faulty if text in plain] == plain
    assert len(set(garbage)) > 5


def test_some_payloads_are_no_base64() -> None:
    told = said(CallerFaults(bad_base64_every=10))

    broken = [m for m in media(told) if m["media"]["payload"].startswith("%")]
    assert len(broken) == 2 * STEPS // 10
    assert sequences(told) == sequences(said())


def test_media_may_come_before_the_start() -> None:
    told = said(CallerFaults(media_before_start=2))

    assert [message["event"] for message in told[:5]] == ["connected", "media", "media", "start", "media"]
    assert sequences(told) == list(range(1, 2 * STEPS + 5))


def test_there_may_be_two_starts() -> None:
    told = said(CallerFaults(two_starts=True))

    assert [message["event"] for message in told[:4]] == ["connected", "start", "start", "media"]


def test_a_socket_that_breaks_says_no_stop() -> None:
    told = said(CallerFaults(drop_after=0.5))

    assert told[-1]["event"] == "media"
    assert stamps(told)[-1] == 580
    assert said(CallerFaults(drop_after=1.0))[-1]["event"] == "stop"


@pytest.mark.parametrize("name", ["lost", "repeated", "reordered"])
@pytest.mark.parametrize("rate", [-0.1, 1.5, 50])
def test_a_rate_that_is_none_is_refused(name: str, rate: float) -> None:
    faults: dict[str, Any] = {name: rate}
    with pytest.raises(ConfigError, match=f"The rate of {name} frames is 0 to 1, not {rate}"):
        CallerFaults(**faults)


def test_impossible_frames_and_tracks_are_refused() -> None:
    for sizes in ((), (0,), (160, -1)):
        with pytest.raises(ConfigError, match="at least one octet"):
            CallerFaults(frame_sizes=sizes)
    for tracks in ((), ("both",), ("inbound", "inbound_track")):
        with pytest.raises(ConfigError, match="inbound and outbound"):
            CallerOptions(tracks=tracks)


@pytest.mark.parametrize(
    "faults",
    [
        NO_FAULTS,
        CallerFaults(repeated=0.2, reordered=0.1, wobble_ms=2),
        CallerFaults(garbage_every=5, two_starts=True),
        CallerFaults(jump_at=0.4, jump_ms=90_000, frame_sizes=(161, 159, 240)),
    ],
)
def test_the_bridge_hears_what_was_said(faults: CallerFaults) -> None:
    """The other end of the wire, without a wire."""
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    for _, text in messages(RECORDING, OPTIONS, faults):
        try:
            (message,) = TwilioDialect().receive_text(text)
        except RemoteProtocolError:
            continue
        if isinstance(message, Media):
            aligner.receive([message], stream)

    assert deinterleave(aligner.data_to_send() + aligner.flush()) == RECORDING
    assert aligner.events_received() == []
