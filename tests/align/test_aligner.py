"""Both tracks together: whom the output waits for, and what goes out when.

A step is 20 ms; a frame's octets tell its track and step, and never look like silence.
"""

import random
from collections.abc import Iterable

import pytest

from bridge.align import Aligner, AlignPolicy, Gap
from bridge.align.source import Source
from bridge.audio import seconds
from bridge.carriers.messages import Media
from bridge.events import Cause
from tests.fakes.gaps import gap
from tests.fakes.stereo import deinterleave

CLOCK = 155
"""Milliseconds on the carrier's clock at step 0."""

SILENT = b"\xff" * 160
IN, OUT = "inbound", "outbound"


def octets(track: str, step: int) -> bytes:
    return bytes([(step % 120) + (0 if track == IN else 120)]) * 160


def media(track: str, step: int, sequence: int | None = None, *, wobble: int = 0) -> Media:
    return Media(track, CLOCK + 20 * step + wobble, sequence, octets(track, step))


class Call:
    """An aligner and all that came out of it."""

    def __init__(self, **policy: int) -> None:
        self.aligner = Aligner(AlignPolicy(**policy))
        self.stream, _ = self.aligner.open_stream(0)
        self.stereo = b""
        self.gaps: list[Gap] = []
        self.delays: list[int] = []
        """Samples between the newest audio received and the newest sent, after each message."""

    def receive(self, message: Media) -> int:
        """Returns how many samples per channel went out by this message."""
        self.aligner.receive([message], self.stream)
        out = self.aligner.data_to_send()
        self.stereo += out
        self.gaps += self.aligner.events_received()
        assert len(self.stereo) == 2 * self.aligner.position
        self.delays.append(self.aligner.received - self.aligner.position)
        return len(out) // 2

    def play(self, messages: Iterable[Media]) -> "Call":
        for message in messages:
            self.receive(message)
        return self

    def restart(self, position: int, why: Cause = "carrier_reconnected") -> int:
        """Another stream takes the place of the one there was."""
        self.aligner.end_stream(self.stream)
        self.stream, position = self.aligner.open_stream(position, why)
        return position

    def flush(self) -> "Call":
        self.stereo += self.aligner.flush()
        self.gaps += self.aligner.events_received()
        assert len(self.stereo) == 2 * self.aligner.position
        return self

    @property
    def inbound(self) -> bytes:
        return deinterleave(self.stereo)[0]

    @property
    def outbound(self) -> bytes:
        return deinterleave(self.stereo)[1]

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.aligner.counters)


def numbered(steps: Iterable[int], tracks: tuple[str, ...] = (IN, OUT)) -> list[Media]:
    """Both tracks in step, counted as Twilio counts: the first media message is number 2."""
    frames = [(track, step) for step in steps for track in tracks]
    return [media(track, step, number) for number, (track, step) in enumerate(frames, start=2)]


def channel(track: str, steps: Iterable[int]) -> bytes:
    return b"".join(octets(track, step) for step in steps)


# In step


def test_both_tracks_in_step_come_out_octet_for_octet() -> None:
    call = Call().play(numbered(range(100))).flush()

    assert call.inbound == channel(IN, range(100))
    assert call.outbound == channel(OUT, range(100))
    assert call.gaps == []
    assert call.counters == {}


def test_audio_goes_out_as_soon_as_the_other_track_has_its_part() -> None:
    call = Call()
    messages = numbered(range(13))
    went_out = [(m.track, (m.at - CLOCK) // 20) for m in messages if call.receive(m)]

    # At first the clock has to move 60 ms; from then on the third frame of the slower track completes a chunk.
    assert went_out == [(IN, 3), (OUT, 5), (OUT, 8), (OUT, 11)]


@pytest.mark.parametrize("chunk_ms", [20, 33, 60, 100])
def test_only_whole_chunks_go_out_before_the_flush(chunk_ms: int) -> None:
    call = Call(chunk_ms=chunk_ms)
    for message in numbered(range(50)):
        assert call.receive(message) % (8 * chunk_ms) == 0

    assert call.aligner.received - call.aligner.position < 8 * (chunk_ms + 20)
    assert call.flush().aligner.position == 50 * 160


def test_a_wobble_of_two_milliseconds_adds_and_takes_nothing() -> None:
    """A captured call: chunk 1 stamped 155, chunk 73 stamped 1593, where 72 frames of 20 ms would give 1595."""
    rng = random.Random(1)
    wobbles = [rng.randint(-2, 2) for _ in range(300)]
    wobbles[0], wobbles[72] = 0, -2
    call = Call().play(media(IN, step, step + 2, wobble=wobble) for step, wobble in enumerate(wobbles)).flush()

    assert media(IN, 72, wobble=-2).at == 1593
    assert call.inbound == channel(IN, range(300))
    assert call.counters == {}


def test_steps_of_exactly_20_ms_from_99() -> None:
    call = Call().play(Media(IN, 99 + 20 * step, step + 2, octets(IN, step)) for step in range(363)).flush()

    assert call.inbound == channel(IN, range(363))
    assert call.aligner.position == 363 * 160


# The start


def test_call_time_0_is_the_first_media_frame() -> None:
    call = Call().play(numbered(range(4)))

    assert call.inbound[:160] == octets(IN, 0)


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("chunk_ms", [20, 60])
def test_frames_swapped_at_the_start_are_not_lost(order: tuple[int, ...], chunk_ms: int) -> None:
    steps = [*order, *range(3, 10)]
    for tracks in ((IN,), (OUT,), (IN, OUT)):
        call = Call(chunk_ms=chunk_ms).play(media(track, step) for step in steps for track in tracks).flush()

        assert call.inbound == (channel(IN, range(10)) if IN in tracks else SILENT * 10)
        assert call.outbound == (channel(OUT, range(10)) if OUT in tracks else SILENT * 10)
        assert call.counters == {}


def test_tracks_that_start_a_few_milliseconds_apart_keep_their_distance() -> None:
    call = Call()
    for step in range(10):
        call.receive(media(IN, step))
        call.receive(media(OUT, step, wobble=7))
    call.flush()

    assert call.outbound[: 7 * 8 + 160] == b"\xff" * 56 + octets(OUT, 0)
    assert call.gaps == []


@pytest.mark.parametrize("start", [1, 3, 50, 700])
def test_a_track_that_starts_late_has_silence_before_and_no_gap(start: int) -> None:
    call = Call()
    for step in range(start + 10):
        call.receive(media(IN, step))
        if step >= start:
            call.receive(media(OUT, step))
    call.flush()

    assert call.inbound == channel(IN, range(start + 10))
    assert call.outbound == SILENT * start + channel(OUT, range(start, start + 10))
    assert call.gaps == []
    assert call.counters == {}


@pytest.mark.parametrize("wobble", [-2, 2])
def test_a_late_start_that_wobbles_loses_nothing(wobble: int) -> None:
    for start in range(1, 10):
        call = Call(chunk_ms=20)
        for step in range(start + 10):
            call.receive(media(IN, step))
            if step >= start:
                call.receive(media(OUT, step, wobble=wobble))
        call.flush()

        assert call.outbound.lstrip(b"\xff").rstrip(b"\xff") == channel(OUT, range(start, start + 10))
        assert call.counters == {}


@pytest.mark.parametrize("track", [IN, OUT])
def test_a_stream_of_one_track_waits_for_nobody(track: str) -> None:
    call = Call().play(numbered(range(100), (track,)))

    # No more than a chunk: it goes out with the first frame that stands after it.
    assert max(call.delays) == 8 * 60
    call.flush()
    assert (call.inbound if track == IN else call.outbound) == channel(track, range(100))
    assert (call.outbound if track == IN else call.inbound) == SILENT * 100
    assert call.gaps == []


# Gaps


def lossy(lost: Iterable[tuple[str, int]], steps: int = 100) -> list[Media]:
    gone = set(lost)
    return [message for message in numbered(range(steps)) if (message.track, (message.at - CLOCK) // 20) not in gone]


def test_a_lost_frame_is_silence_and_told() -> None:
    call = Call().play(lossy([(IN, 10)])).flush()

    assert call.inbound == channel(IN, range(10)) + SILENT + channel(IN, range(11, 100))
    assert call.outbound == channel(OUT, range(100))
    assert call.gaps == [gap(IN, 0.2, 0.22, 0.02, "lost")]
    assert call.counters == {"holes": 1}


def test_a_lost_frame_holds_the_output_up_for_60_ms_at_most() -> None:
    for lost in range(5, 30):
        call = Call(chunk_ms=20).play(lossy([(IN, lost)]))

        assert max(call.delays) <= 8 * (60 + 20 + 20)


def test_a_frame_that_comes_within_60_ms_is_not_lost() -> None:
    for displaced in (1, 2):
        messages = numbered(range(50))
        messages.insert(20 + 2 * displaced, messages.pop(20))
        call = Call(chunk_ms=20).play(messages).flush()

        assert call.inbound == channel(IN, range(50))
        assert call.outbound == channel(OUT, range(50))
        assert call.counters == {}


def test_a_longer_wait_may_be_asked_for() -> None:
    messages = numbered(range(80))
    messages.insert(20 + 2 * 8, messages.pop(20))
    call = Call(chunk_ms=20, hold_ms=200).play(messages).flush()

    assert call.inbound == channel(IN, range(80))
    assert call.counters == {}


def test_audio_that_was_never_sent_is_told_as_such() -> None:
    """The numbers go on without a gap, the timestamps do not."""
    frames = [(track, step) for step in range(100) for track in (IN, OUT) if track == OUT or not 40 <= step < 60]
    call = Call().play(media(track, step, number) for number, (track, step) in enumerate(frames, start=2)).flush()

    assert call.inbound == channel(IN, range(40)) + SILENT * 20 + channel(IN, range(60, 100))
    assert call.gaps == [gap(IN, 0.8, 1.2, 0.4, "not_sent")]


def test_both_tracks_lost_together_are_silence_on_both() -> None:
    call = Call().play(lossy((track, step) for track in (IN, OUT) for step in range(30, 90))).flush()

    assert call.inbound == channel(IN, range(30)) + SILENT * 60 + channel(IN, range(90, 100))
    assert call.outbound == channel(OUT, range(30)) + SILENT * 60 + channel(OUT, range(90, 100))
    assert call.gaps == [gap(IN, 0.6, 1.8, 1.2, "lost"), gap(OUT, 0.6, 1.8, 1.2, "lost")]


def test_a_gap_of_half_a_minute_in_both_tracks() -> None:
    call = Call().play(lossy(((track, step) for track in (IN, OUT) for step in range(30, 1530)), steps=1600)).flush()

    assert call.inbound == channel(IN, range(30)) + SILENT * 1500 + channel(IN, range(1530, 1600))
    assert [gap.missing for gap in call.gaps] == [30 * 8000, 30 * 8000]
    assert call.counters == {"holes": 2}


def test_a_track_that_falls_silent_holds_nobody_up() -> None:
    messages = lossy(((OUT, step) for step in range(100, 400)), steps=500)
    call = Call().play(messages)

    # After half a second it is idle; until then it is waited for, but not for longer than for a lost frame.
    speaking = [delay for delay, message in zip(call.delays, messages, strict=True) if message.track == IN]
    assert max(speaking[100:130]) <= 8 * (60 + 60 + 20)
    assert max(speaking[130:400]) <= 8 * (60 + 20)
    call.flush()
    assert call.outbound == channel(OUT, range(100)) + SILENT * 300 + channel(OUT, range(400, 500))
    assert call.gaps == [gap(OUT, 2.0, 8.0, 6.0, "lost")]


def test_a_track_is_idle_when_it_was_silent_for_more_than_half_a_second() -> None:
    messages = lossy(((OUT, step) for step in range(100, 200)), steps=200)
    call = Call(chunk_ms=20).play(messages)
    delays = {(m.at - CLOCK) // 20: delay for m, delay in zip(messages, call.delays, strict=True) if m.track == IN}

    # Its last frame is step 99. It is waited for by 60 ms, and then not at all.
    assert (delays[124], delays[125]) == (8 * (60 + 20), 8 * 20)


def test_a_gap_is_told_a_second_later() -> None:
    call = Call()
    told_at = None
    for message in lossy([(IN, 100)], steps=200):
        call.receive(message)
        if call.gaps and told_at is None:
            told_at = message.at - CLOCK

    assert told_at is not None
    assert 2020 + 1000 <= told_at <= 2020 + 1000 + 60


def test_random_loss_is_told_about_once_a_second_and_completely() -> None:
    rng = random.Random(7)
    lost = [(track, step) for track in (IN, OUT) for step in range(1, 2999) if rng.random() < 0.05]
    call = Call().play(lossy(lost, steps=3000)).flush()

    for track in (IN, OUT):
        gaps = [gap for gap in call.gaps if gap.track == track]
        assert len(gaps) <= 60
        assert all(before.span.end < after.span.start for before, after in zip(gaps, gaps[1:], strict=False))
        missing = sum(1 for name, _ in lost if name == track)
        assert sum(gap.missing for gap in gaps) == missing * 160
        assert {gap.why for gap in gaps} == {"lost"}


# Late, twice, askew


def test_a_frame_after_its_time_is_dropped_and_counted() -> None:
    messages = numbered(range(60))
    messages.insert(60, messages.pop(20))
    call = Call().play(messages).flush()

    assert call.inbound == channel(IN, range(10)) + SILENT + channel(IN, range(11, 60))
    assert call.counters == {"holes": 1, "late": 1}


@pytest.mark.parametrize("lag", [1, 2, 5, 15, 20])
def test_a_track_that_lags_behind_is_soon_waited_for(lag: int) -> None:
    """Outbound frames come `lag` steps after the inbound ones with the same timestamp."""
    call = Call(chunk_ms=20)
    for step in range(300):
        call.receive(media(IN, step))
        if step >= lag:
            call.receive(media(OUT, step - lag))
    call.flush()

    settled = 2 * lag + 10
    assert call.inbound == channel(IN, range(300))
    assert call.outbound[settled * 160 : (300 - lag) * 160] == channel(OUT, range(settled, 300 - lag))


def test_a_track_that_stalls_and_catches_up_loses_less_the_second_time() -> None:
    """Outbound stands still for 300 ms, then comes in one burst."""

    def stall(at: int) -> list[Media]:
        inbound = [media(IN, step) for step in range(at, at + 15)]
        return [*inbound, *(media(OUT, step) for step in range(at, at + 15))]

    between = [media(track, step) for step in range(115, 200) for track in (IN, OUT)]
    call = Call(chunk_ms=20).play(numbered(range(100)))
    call.play(stall(100))
    first = call.aligner.counters["late"]
    call.play([*between, *stall(200)]).flush()

    assert first > 0
    assert call.aligner.counters["late"] == first
    assert call.outbound[115 * 160 :] == channel(OUT, range(115, 215))


@pytest.mark.parametrize("counted", [True, False])
def test_every_message_twice(counted: bool) -> None:
    messages = numbered(range(50))
    if not counted:
        messages = [message._replace(sequence=None) for message in messages]
    call = Call().play(message for message in messages for _ in range(2)).flush()

    assert call.inbound == channel(IN, range(50))
    assert call.outbound == channel(OUT, range(50))
    assert call.counters == {"duplicate": 100}


def test_short_frames_that_wobble_and_come_twice_uncounted() -> None:
    """10 ms: no longer than the wobble that is put up with."""
    frames = [Media(IN, CLOCK + 10 * step + (step % 3 if step else 0), None, bytes([step]) * 80) for step in range(100)]
    call = Call().play(frame for frame in frames for _ in range(2)).flush()

    assert call.inbound == b"".join(frame.payload for frame in frames)
    assert call.counters == {"duplicate": 100}


def test_a_carrier_that_does_not_count_is_reordered_all_the_same() -> None:
    messages = [message._replace(sequence=None) for message in numbered(range(50))]
    messages[20], messages[22] = messages[22], messages[20]
    messages[31], messages[35] = messages[35], messages[31]
    call = Call().play(messages).flush()

    assert call.inbound == channel(IN, range(50))
    assert call.outbound == channel(OUT, range(50))


def test_a_carrier_that_counts_per_track() -> None:
    call = Call().play(media(track, step, step + 1) for step in range(50) for track in (IN, OUT)).flush()

    assert call.inbound == channel(IN, range(50))
    assert call.outbound == channel(OUT, range(50))
    assert call.counters == {}


def test_other_messages_between_the_frames_cost_nothing() -> None:
    call = Call().play(media(IN, step, 3 * step) for step in range(50)).flush()

    assert call.inbound == channel(IN, range(50))
    assert call.gaps == []


@pytest.mark.parametrize("size", [1, 7, 80, 161, 800, 4000, 12_000])
def test_frames_of_any_size_on_both_tracks(size: int) -> None:
    count = max(3, 8000 // size)
    call = Call()
    inbound = bytes(place % 255 for place in range(count * size))
    outbound = inbound[::-1]
    for place in range(count):
        part = slice(place * size, (place + 1) * size)
        for track, audio in ((IN, inbound), (OUT, outbound)):
            call.receive(Media(track, CLOCK + place * size // 8, None, audio[part]))
    call.flush()

    assert call.inbound == inbound
    assert call.outbound == outbound
    assert call.gaps == []


def test_empty_payloads_and_unknown_tracks_are_counted_and_cost_nothing() -> None:
    messages = []
    for message in numbered(range(50)):
        number = 3 * (message.sequence or 0)
        messages += [
            message._replace(sequence=number),
            message._replace(sequence=number + 1, payload=b"", at=message.at + 10**9),
            message._replace(sequence=number + 2, track="both"),
        ]
    del messages[3 * 40]
    call = Call().play(messages).flush()

    assert call.outbound == channel(OUT, range(50))
    assert call.counters == {"empty": 100, "unknown_track": 100, "holes": 1}
    assert [gap.why for gap in call.gaps] == ["lost"]


# The carrier's clock


@pytest.mark.parametrize("garbage", [0, -(10**15), 10**15, CLOCK + 2000 + 30_000, 2**63])
def test_one_garbage_timestamp_costs_its_own_frame_only(garbage: int) -> None:
    messages = numbered(range(500))
    messages[800] = messages[800]._replace(at=garbage)
    call = Call().play(messages).flush()

    assert call.inbound == channel(IN, range(400)) + SILENT + channel(IN, range(401, 500))
    assert call.outbound == channel(OUT, range(500))
    assert call.counters == {"stray": 1, "holes": 1}
    assert [gap.why for gap in call.gaps] == ["lost"]


def test_garbage_timestamps_now_and_then_are_not_believed_though_they_agree() -> None:
    messages = [media(IN, step) for step in range(100)]
    for place in (40, 50, 60):
        messages.insert(place, Media(IN, 10**6, None, b"x" * 160))
    call = Call().play(messages).flush()

    assert call.inbound == channel(IN, range(100))
    assert call.counters == {"stray": 3}


@pytest.mark.parametrize("clock", [0, -500_000, 10**9])
def test_a_carrier_clock_that_is_set_again_goes_on_without_a_gap(clock: int) -> None:
    messages = numbered(range(600))
    again = [message._replace(at=message.at - CLOCK - 300 * 20 + clock) for message in messages[600:]]
    call = Call().play([*messages[:600], *again]).flush()

    assert call.inbound == channel(IN, range(600))
    assert call.outbound == channel(OUT, range(600))
    assert call.gaps == []
    assert call.counters == {"resets": 1}


def test_numbers_that_begin_again_with_the_clock_are_still_understood() -> None:
    before = numbered(range(600))
    after = [message._replace(payload=octets(message.track, 7)) for message in numbered(range(100))]
    call = Call().play([*before, *after[:60], *after[61:]]).flush()

    assert call.counters == {"resets": 1, "holes": 1}
    assert [gap.why for gap in call.gaps] == ["lost"]


def test_unbelieved_frames_at_the_end_are_counted() -> None:
    call = Call().play(numbered(range(50))).play([media(IN, 10**6), media(OUT, 10**6)]).flush()

    assert call.aligner.position == 50 * 160
    assert call.counters == {"stray": 2}


def test_an_hour_of_wobble_and_drift_keeps_the_channels_together() -> None:
    """Inbound has 200 samples in a million too few for its timestamps, outbound as many too many. Every ten seconds of
    its clock each track marks a frame; both marks must come out within 20 ms of each other and of their time."""
    rng = random.Random(3)
    drift = {IN: 1.0002, OUT: 0.9998}
    mark_every = 500
    frames = []
    for track, pace in drift.items():
        plain, marked = (b"\x10" * 160, b"\x01" * 160) if track == IN else (b"\x20" * 160, b"\x02" * 160)
        wobbles = rng.choices((-2, -1, 0, 1, 2), k=1000)
        next_mark = 0
        for step in range(round(3600 * 50 / pace)):
            at = step * 20 * pace
            payload = plain
            if at >= next_mark * 20 * mark_every:
                next_mark += 1
                payload = marked
            frames.append((at, Media(track, CLOCK + round(at) + wobbles[step % 1000], None, payload)))
    frames.sort(key=lambda frame: frame[0])
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    stereo = bytearray()
    for _, message in frames:
        aligner.receive([message], stream)
        stereo += aligner.data_to_send()
    stereo += aligner.flush()

    marks = []
    for audio, octet in zip(deinterleave(bytes(stereo)), (b"\x01", b"\x02"), strict=True):
        found = [audio.find(octet)]
        while (after := audio.find(octet, found[-1] + 400)) >= 0:
            found.append(after)
        marks.append(found)
    assert len(marks[0]) == len(marks[1]) == 360
    assert max(abs(left - right) for left, right in zip(*marks, strict=True)) <= 20 * 8
    assert max(abs(place - 80_000 * index) for found in marks for index, place in enumerate(found)) <= 25 * 8
    assert aligner.events_received() == []
    assert abs(aligner.position - 3600 * 8000) <= 20 * 8
    # 200 in a million of an hour are 5760 samples.
    assert aligner.counters == {
        "padded": pytest.approx(5760, abs=40),
        "trimmed": pytest.approx(5760, abs=40),
    }


# The end


def test_the_flush_lets_everything_out_and_ends_both_channels_together() -> None:
    call = Call().play(numbered(range(10))[:-1])
    before = call.aligner.position
    call.flush()

    assert before == 9 * 160
    assert call.inbound == channel(IN, range(10))
    assert call.outbound == channel(OUT, range(9)) + SILENT
    assert call.gaps == []


def test_the_flush_lets_out_what_waits_behind_a_gap() -> None:
    call = Call().play(lossy([(IN, 8)], steps=10)).flush()

    assert call.inbound == channel(IN, range(8)) + SILENT + octets(IN, 9)
    assert call.gaps == [gap(IN, 0.16, 0.18, 0.02, "lost")]


def test_the_flush_of_a_call_of_one_frame() -> None:
    call = Call().play([media(OUT, 0)])
    assert call.stereo == b""
    call.flush()

    assert call.inbound == SILENT
    assert call.outbound == octets(OUT, 0)


def test_the_flush_of_a_call_without_audio() -> None:
    call = Call().flush()

    assert call.stereo == b""
    assert repr(call.aligner) == "<Aligner 0 streams, 0.000 s out, inbound at 0.000 s, outbound at 0.000 s>"


def test_a_track_that_ended_long_before_the_call_is_told() -> None:
    call = Call().play(lossy((OUT, step) for step in range(50, 100))).flush()

    assert call.outbound == channel(OUT, range(50)) + SILENT * 50
    assert call.gaps == [gap(OUT, 1.0, 2.0, 1.0, "lost")]


def test_after_the_flush_frames_are_counted_and_nothing_comes_out() -> None:
    call = Call().play(numbered(range(10))).flush()
    length = len(call.stereo)
    call.play(numbered(range(10, 20))).flush()

    assert len(call.stereo) == length
    assert call.counters == {"after_end": 20}


def test_after_a_flush_that_dropped_something_nothing_comes_out() -> None:
    """More waited than may wait: the clock is ahead of all audio that is left."""
    call = Call().play(numbered(range(10)))
    call.play(Media(IN, CLOCK + 240, None, b"a" * 7) for _ in range(300))
    call.receive(media(IN, 60))
    call.flush()

    assert call.counters["overflow"] == 45
    assert call.aligner.data_to_send() == b""


# Another stream of the same call


@pytest.mark.parametrize("flushed", [True, False])
def test_another_stream_goes_on_where_it_is_told(flushed: bool) -> None:
    call = Call().play(numbered(range(50)))
    if flushed:
        call.flush()
    position = call.restart(80 * 160)
    assert position == 80 * 160
    call.play(Media(m.track, m.at + 10**6, m.sequence, m.payload) for m in numbered(range(20))).flush()

    for track, audio in ((IN, call.inbound), (OUT, call.outbound)):
        assert audio == channel(track, range(50)) + SILENT * 30 + channel(track, range(20))
    assert call.gaps == [gap(track, 1.0, 1.6, 0.6, "carrier_reconnected") for track in (IN, OUT)]


def test_the_silence_before_another_stream_goes_out_at_once() -> None:
    call = Call().play(numbered(range(50)))
    sent = call.aligner.position
    call.restart(80 * 160)
    out = call.aligner.data_to_send()

    assert call.aligner.received == 80 * 160
    assert call.aligner.position == 80 * 160 // 480 * 480
    assert out[2 * (50 * 160 - sent) :].strip(b"\xff") == b""


def test_another_stream_never_lands_on_audio() -> None:
    call = Call().play(numbered(range(50)))
    position = call.restart(3)
    call.play(numbered(range(20))).flush()

    assert position == 50 * 160
    assert call.inbound == channel(IN, range(50)) + channel(IN, range(20))
    assert call.gaps == []


def test_another_stream_that_starts_with_frames_swapped_loses_nothing() -> None:
    call = Call().play(numbered(range(10))).flush()
    call.restart(20 * 160)
    call.play(media(track, step) for step in (2, 0, 1, 3, 4, 5) for track in (OUT, IN)).flush()

    assert call.inbound == channel(IN, range(10)) + SILENT * 10 + channel(IN, range(6))
    assert call.outbound == channel(OUT, range(10)) + SILENT * 10 + channel(OUT, range(6))


def test_the_gap_before_another_stream_lasts_until_its_track_speaks() -> None:
    call = Call().play(numbered(range(50))).flush()
    call.restart(60 * 160, why="bridge_restarted")
    call.play(message for message in numbered(range(100)) if message.track == IN or message.at >= CLOCK + 400).flush()

    assert call.outbound == channel(OUT, range(50)) + SILENT * 30 + channel(OUT, range(20, 100))
    assert call.gaps == [
        gap(IN, 1.0, 1.2, 0.2, "bridge_restarted"),
        gap(OUT, 1.0, 1.6, 0.6, "bridge_restarted"),
    ]


def test_a_pause_before_the_stream_broke_has_its_own_cause() -> None:
    call = Call().play(lossy((OUT, step) for step in range(50, 100)))
    call.restart(200 * 160)
    call.play(numbered(range(10))).flush()

    assert call.gaps == [
        gap(OUT, 1.0, 2.0, 1.0, "lost"),
        gap(IN, 2.0, 4.0, 2.0, "carrier_reconnected"),
        gap(OUT, 2.0, 4.0, 2.0, "carrier_reconnected"),
    ]


def test_a_track_that_first_speaks_in_another_stream_has_no_gap() -> None:
    call = Call().play(numbered(range(50), (IN,))).flush()
    call.restart(60 * 160)
    call.play(numbered(range(10))).flush()

    assert call.outbound == SILENT * 60 + channel(OUT, range(10))
    assert [gap.track for gap in call.gaps] == [IN]


def test_another_stream_before_the_first_frame() -> None:
    call = Call()
    call.restart(1600)
    call.play(numbered(range(10))).flush()

    assert call.inbound == SILENT * 10 + channel(IN, range(10))
    assert call.gaps == []


def test_streams_may_follow_each_other_without_end() -> None:
    call = Call()
    for _ in range(20):
        call.play(numbered(range(5))).flush()
        call.restart(call.aligner.position)
    call.flush()

    assert call.inbound == channel(IN, range(5)) * 20
    assert call.gaps == []


# The face


def test_repr_shows_state_and_counters() -> None:
    call = Call()
    assert repr(call.aligner) == "<Aligner 1 streams, 0.000 s out, inbound at 0.000 s, outbound at 0.000 s>"
    messages = [*numbered(range(10)), *numbered(range(9, 10)), media(IN, 11, 30), media("both", 1)]
    call.play(messages)

    assert repr(call.aligner) == (
        "<Aligner 1 streams, 0.180 s out, inbound at 0.200 s, 1 waiting, outbound at 0.200 s, 2 duplicate, "
        "1 unknown_track>"
    )


def test_before_the_first_stream_there_is_nothing_to_send() -> None:
    aligner = Aligner()

    assert (aligner.data_to_send(), aligner.position, aligner.received) == (b"", 0, 0)


def test_events_are_told_once() -> None:
    call = Call().play(lossy([(IN, 10)]))

    assert len(call.gaps) == 1
    assert call.aligner.events_received() == []


def test_between_two_streams_the_call_goes_on_in_silence():
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    for frame in range(10):
        for place, track in enumerate(("inbound", "outbound")):
            aligner.receive([Media(track, 20 * frame, 2 * frame + place, b"\x10" * 160)], stream)
    heard = aligner.data_to_send() + aligner.flush()
    aligner.advance(1600 + 800)
    aligner.advance(1600 + 1500)
    silent = aligner.data_to_send()
    stream, place = aligner.open_stream(1600 + 1600)
    aligner.receive([Media("inbound", 0, 1, b"\x20" * 160)], stream)
    rest = aligner.flush()

    assert (len(heard), place) == (3200, 3200)
    assert set(silent) == {0xFF}
    assert len(silent) == 2 * 1440  # whole chunks
    assert rest[: 2 * 160].count(0xFF) == 2 * 160
    assert rest.count(0x20) == 160
    assert [
        (gap.track, seconds(gap.span.start), seconds(gap.span.end), gap.why) for gap in aligner.events_received()
    ] == [("inbound", 0.2, 0.4, "carrier_reconnected")]


def test_it_says_since_when_a_track_is_silent():
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    told = [aligner.silent_since]
    for track, frames in (("inbound", 2), ("outbound", 1)):
        for number in range(frames):
            aligner.receive([Media(track, 20 * number, None, b"\x10" * 160)], stream)
    told.append(aligner.silent_since)
    aligner.flush()
    told.append(aligner.silent_since)
    aligner.advance(1600)
    told.append(aligner.silent_since)

    assert told == [{}, {}, {"outbound": 160}, {"outbound": 160, "inbound": 320}]


def test_a_call_that_others_have_begun_goes_on_at_its_place():
    aligner = Aligner(start=80_000, heard={"inbound": 72_000, "outbound": 71_840})
    stream, _ = aligner.open_stream(80_800, "bridge_restarted")
    aligner.receive([Media("inbound", 5000, 1, b"\x10" * 160)], stream)
    aligner.receive([Media("outbound", 5020, 4, b"\x10" * 160)], stream)
    audio = aligner.flush()

    assert audio[::2] == b"\xff" * 800 + b"\x10" * 160 + b"\xff" * 160
    assert aligner.position == 81_120
    assert [
        (gap.track, seconds(gap.span.start), seconds(gap.span.end), gap.why) for gap in aligner.events_received()
    ] == [
        ("inbound", 9.0, 10.1, "bridge_restarted"),
        ("outbound", 8.98, 10.12, "bridge_restarted"),
    ]


@pytest.mark.parametrize("stall", [15, 30, 45])
def test_a_stream_of_one_track_that_stalls_by_itself_loses_nothing(stall: int) -> None:
    aligner = Aligner()
    ways = {track: aligner.open_stream(0)[0] for track in ("inbound", "outbound")}

    def send(track, numbers):
        for number in numbers:
            aligner.receive([Media(track, 20 * number, number + 1, bytes([number % 100]) * 160)], ways[track])

    out = b""
    for number in range(200):
        send("outbound", [number])
        stalled = 50 <= number < 50 + stall
        if not stalled:
            send("inbound", range(50, 51 + stall) if number == 50 + stall else [number])
        out += aligner.data_to_send()
    out += aligner.flush()

    for channel in (0, 1):
        assert out[channel::2] == b"".join(bytes([number % 100]) * 160 for number in range(200))
    assert aligner.events_received() == []


def test_the_numbers_of_empty_frames_are_not_missing() -> None:
    call = Call().play(numbered(range(10), (IN,)))
    for number in range(12, 32):
        call.receive(Media(IN, CLOCK + 200, number, b""))
    call.play([media(IN, step, step + 2) for step in range(30, 40)]).flush()

    assert [(gap.why, gap.missing) for gap in call.gaps if gap.track == IN] == [("not_sent", 3200)]


class Watched(Aligner):
    """Counts the frames that are not simply the next."""

    unusual = 0

    def _receive_unusual(self, media: Media, source: Source) -> None:
        self.unusual += 1
        super()._receive_unusual(media, source)


def watched(messages: Iterable[Media], start: int = 0) -> Watched:
    aligner = Watched(start=start)
    stream, _ = aligner.open_stream(start)
    for message in messages:
        aligner.receive([message], stream)
    return aligner


@pytest.mark.parametrize("wobble", [0, 2, -2, 9, -9])
@pytest.mark.parametrize("counted", [True, False])
def test_only_the_first_frames_of_a_stream_in_step_need_a_second_look(wobble: int, counted: bool) -> None:
    frames = [(track, step) for step in range(100) for track in (IN, OUT)]
    messages = [
        media(track, step, number if counted else None, wobble=wobble if step % 2 and step > 9 else 0)
        for number, (track, step) in enumerate(frames, start=2)
    ]

    # The clock is known as soon as it has moved by 60 ms: with the first track's fourth frame.
    assert watched(messages, start=5000).unusual == 7


@pytest.mark.parametrize("off", [10, -10])
def test_a_frame_half_a_frame_off_gets_a_second_look(off: int) -> None:
    messages = numbered(range(10), (IN,))

    assert watched([*messages, media(IN, 10, 12, wobble=off)]).unusual == watched(messages).unusual + 1


def test_the_same_moment_again_gets_a_second_look() -> None:
    messages = numbered(range(10), (IN,))
    again = Media(IN, CLOCK + 20 * 9, 12, b"a" * 20)

    assert watched([*messages, again]).unusual == watched(messages).unusual + 1


def test_a_track_whose_own_stream_stalls_is_waited_for_no_longer_than_a_second() -> None:
    aligner = Aligner()
    ways = {track: aligner.open_stream(0)[0] for track in ("inbound", "outbound")}
    for number in range(300):
        for track, way in ways.items():
            if track == "outbound" or number < 50:
                aligner.receive([Media(track, 20 * number, number + 1, b"\x10" * 160)], way)
        aligner.data_to_send()
        held = (number + 1) * 160 - aligner.position
        assert held <= 8000 + 4 * 160
        if number > 105:  # by now it counts as idle
            assert held <= 4 * 160


def test_a_frame_that_a_tracks_own_stream_has_lost_is_not_waited_for_as_a_stall_is() -> None:
    aligner = Aligner()
    ways = {track: aligner.open_stream(0)[0] for track in ("inbound", "outbound")}
    for number in range(200):
        for track, way in ways.items():
            if track == "outbound" or number % 50 != 40:
                aligner.receive([Media(track, 20 * number, number + 1, b"\x10" * 160)], way)
        aligner.data_to_send()
        assert (number + 1) * 160 - aligner.position <= 8 * 160


# Timestamps leap no farther than time has passed.


class Timed(Call):
    """A call whose frames come at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def receive(self, message: Media) -> int:
        self.aligner.receive([message], self.stream, self.now)
        out = self.aligner.data_to_send()
        self.stereo += out
        self.gaps += self.aligner.events_received()
        return len(out) // 2

    def talk(self, first: int, steps: int) -> None:
        """Both tracks, in real time."""
        for step in range(first, first + steps):
            self.now += 0.02
            self.play([media(IN, step), media(OUT, step)])


def test_a_pause_that_was_really_so_long_is_a_gap() -> None:
    call = Timed()
    call.talk(0, 50)
    call.now += 45.0
    call.talk(50 + 45 * 50, 50)
    call.flush()

    assert call.aligner.position == 47 * 8000
    assert [round(seconds(found.missing)) for found in call.gaps] == [45, 45]
    assert not call.aligner.counters["resets"]


@pytest.mark.parametrize("leap", [59.0, 1.9, 0.5])
def test_leaps_without_end_are_believed_as_far_as_time_has_passed(leap: float) -> None:
    """The last two are no strays: each is believed by itself, as long as there was time for it."""
    call = Timed()
    call.talk(0, 50)
    step = 50
    for _ in range(300):
        step += round(leap * 50)
        for place in range(3):
            call.play([media(IN, step + place)])
        step += 3
    call.flush()

    sent = (50 + 900) * 160
    assert call.aligner.position <= sent + 10 * 8000 + 8000
    assert call.aligner.counters["resets"] > 200


def test_a_liar_that_goes_on_honestly_is_heard_to_the_last_octet() -> None:
    call = Timed()
    call.talk(0, 50)
    for place in range(3):
        call.play([media(IN, 50 + 59 * 50 + place)])
    end = call.aligner.received
    call.talk(50 + 59 * 50 + 3, 50)
    call.flush()

    assert call.aligner.position - end <= 51 * 160
    assert call.inbound.endswith(octets(IN, 50 + 59 * 50 + 52))


def test_single_frames_that_leap_a_little_each_are_bounded_together() -> None:
    call = Timed()
    call.talk(0, 50)
    for number in range(1, 500):
        call.play([media(IN, 50 + number * 90)])
    call.flush()

    assert call.aligner.position <= (50 + 500) * 160 + 11 * 8000


def test_streams_that_come_one_after_the_other_leap_no_farther_than_one() -> None:
    call = Timed()
    call.talk(0, 50)
    for _ in range(50):
        call.restart(0)
        call.play([media(IN, place) for place in range(5)])
        call.play([media(IN, 9 * 50 + place) for place in range(5)])
    call.flush()

    assert call.aligner.position <= (50 + 500) * 160 + 12 * 8000


def paused(aligner, stream, until):
    """A second of both tracks, and then nothing, until the call has gone on in silence to `until` in samples."""
    for number in range(50):
        for track in ("inbound", "outbound"):
            aligner.receive([Media(track, 20 * number, None, b"\x10" * 160)], stream)
    out = aligner.data_to_send()
    aligner.advance(until)
    return out + aligner.data_to_send()


@pytest.mark.parametrize("seconds_away", [3.0, 12.0, 70.0, 600.0])
def test_what_comes_after_a_pause_of_the_carrier_has_its_place(seconds_away):
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    out = paused(aligner, stream, round((seconds_away + 0.2) * 8000))
    first = round(1000 * (1 + seconds_away))
    for number in range(50):
        for track in ("inbound", "outbound"):
            aligner.receive([Media(track, first + 20 * number, None, b"\x20" * 160)], stream)
    out += aligner.data_to_send() + aligner.flush()
    begin = 2 * 8 * first

    assert set(out[: 2 * 8000]) == {0x10}
    assert set(out[2 * 8000 : begin]) == {0xFF}
    assert set(out[begin:]) == {0x20}
    assert [(gap.track, gap.missing, gap.why) for gap in aligner.events_received()] == [
        (track, 8 * first - 8000, "not_sent") for track in ("inbound", "outbound")
    ]


@pytest.mark.parametrize("filled", [1.6, 2.5, 12.0])
def test_what_the_carrier_has_held_back_in_a_pause_follows_the_silence(filled):
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    end = round(filled * 8000)
    out = paused(aligner, stream, end)
    for number in range(50, 200):
        for track in ("inbound", "outbound"):
            aligner.receive([Media(track, 20 * number, None, b"\x20" * 160)], stream)
    out += aligner.data_to_send() + aligner.flush()

    assert out[2 * end :] == b"\x20" * (2 * 150 * 160)
    assert aligner.counters == {"resets": 1, "holes": 2}


def test_one_frame_of_long_ago_after_a_pause_moves_no_clock():
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    out = paused(aligner, stream, 3 * 8000)
    aligner.receive([Media("inbound", 1000, None, b"\x30" * 160)], stream)
    for number in range(200, 250):
        for track in ("inbound", "outbound"):
            aligner.receive([Media(track, 20 * number, None, b"\x20" * 160)], stream)
    out += aligner.data_to_send() + aligner.flush()

    assert 0x30 not in out
    assert out[2 * 200 * 160 :] == b"\x20" * (2 * 50 * 160)
    assert aligner.counters["stray"] == 1


def test_a_stream_joins_audio_of_another_process_to_the_octet():
    start = 5 * 8000 + 3
    rng = random.Random(1)
    octets = {"inbound": rng.randbytes(4000), "outbound": rng.randbytes(4000)}
    aligner = Aligner(AlignPolicy(), start, {"inbound": start, "outbound": start})
    # What is left of the first frame is stamped with the nearest millisecond, and timestamps wobble.
    source = aligner.join(start - 4 - 155 * 8, ("inbound", "outbound"))
    first = 37
    cuts = [(0, first), *((at, at + 160) for at in range(first, 4000 - 160, 160))]
    frames = [
        Media(track, 155 + begin // 8 + (number % 3 - 1) * (begin > 0), 2 * number + channel + 9, audio[begin:end])
        for number, (begin, end) in enumerate(cuts)
        for channel, (track, audio) in enumerate(octets.items())
    ]

    aligner.receive(frames, source)
    aligner.end_stream(source)
    out = aligner.flush()

    assert out[0::2] == octets["inbound"][: len(out) // 2]
    assert out[1::2] == octets["outbound"][: len(out) // 2]
    assert len(out) // 2 == cuts[-1][1]
    assert aligner.events_received() == []
    assert not aligner.counters


def test_a_track_that_was_silent_in_another_process_has_a_gap_when_it_goes_on():
    aligner = Aligner(AlignPolicy(), 8000, {"inbound": 8000, "outbound": 4000})
    source = aligner.join(8000, ("inbound",))  # the carrier's clock begins at 0
    frames = [Media(track, 20 * step, None, b"\x20" * 160) for step in range(60) for track in ("inbound", "outbound")]

    aligner.receive(frames, source)
    aligner.flush()

    assert [(gap.track, gap.span, gap.why) for gap in aligner.events_received()] == [
        ("outbound", (4000, 8000), "bridge_restarted")
    ]


def test_what_is_cut_leaves_the_rest_to_another_process_and_tells_its_gaps():
    aligner = Aligner(AlignPolicy())
    source, _ = aligner.open_stream(0)
    steps = [step for step in range(20) if step != 7]
    frames = [Media(track, 20 * step, None, b"\x20" * 160) for step in steps for track in ("inbound", "outbound")]
    aligner.receive(frames, source)
    out = aligner.data_to_send()

    aligner.cut()

    assert aligner.position == len(out) // 2 < aligner.received
    assert {gap.track for gap in aligner.events_received()} == {"inbound", "outbound"}
