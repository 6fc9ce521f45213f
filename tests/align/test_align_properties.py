"""Whatever is lost, repeated, swapped or stamped askew: each channel is its track's audio in order, with silence in
the gaps, and the gaps are told exactly."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.align import Aligner, AlignPolicy, Gap
from bridge.align.source import Source
from bridge.audio import SAMPLES_PER_MS
from bridge.carriers.messages import Media
from tests.fakes.stereo import deinterleave

CLOCK = 155
"""Milliseconds on the carrier's clock when the call's audio begins."""

WOBBLE = 2
DELAY = 40
"""Milliseconds that a frame may come late: less than the 60 it is waited for, by more than two wobbles."""

LONGEST_LOSS = 5
"""Frames in a row: a track that misses half a second counts as idle."""

PAUSE = 4000
"""Samples of silence at the end of a channel from which on it is told; shorter ones are the end of the call."""


class Sent(NamedTuple):
    """What happens to one frame."""

    size: int
    lost: bool
    wobble: int
    delay: int
    repeated_after: int | None


FRAMES = st.lists(
    st.builds(
        Sent,
        size=st.sampled_from([160, 160, 160, 161, 199, 240]),
        lost=st.sampled_from([False] * 5 + [True]),
        wobble=st.integers(-WOBBLE, WOBBLE),
        delay=st.sampled_from([0] * 4 + [20, 21, DELAY]),
        repeated_after=st.sampled_from([None] * 5 + [0, 1, 20, DELAY]),
    ),
    min_size=1,
    max_size=40,
)


class Expected(NamedTuple):
    start: int
    payload: bytes
    lost: bool


class Arrival(NamedTuple):
    when: float
    stamp: int
    number: int
    payload: bytes


def sending(frames: list[Sent]) -> tuple[list[Expected], list[Arrival]]:
    """What should stand where, and what arrives of it."""
    expected: list[Expected] = []
    arrivals: list[Arrival] = []
    position = losses = 0
    for number, frame in enumerate(frames):
        losses = losses + 1 if frame.lost and number > 0 and losses < LONGEST_LOSS else 0
        # No two octets within a frame's length are alike, and none is silence.
        payload = bytes((position + octet) % 255 for octet in range(frame.size))
        expected.append(Expected(position, payload, lost=losses > 0))
        when = position / 8
        stamp = CLOCK + round(when) + frame.wobble
        if not losses:
            delay = frame.delay if number else 0
            arrivals.append(Arrival(when + delay, stamp, number, payload))
            if frame.repeated_after is not None:
                arrivals.append(arrivals[-1]._replace(when=when + delay + frame.repeated_after))
        position += frame.size
    return expected, arrivals


def messages(sent: dict[str, list[Expected]], arrivals: dict[str, list[Arrival]]) -> list[Media]:
    """What arrives, in order. The carrier counts what it sends, both tracks together, in the order of time."""
    order = sorted((frame.start, name, number) for name in sent for number, frame in enumerate(sent[name]))
    sequences = {(name, number): sequence for sequence, (_, name, number) in enumerate(order, start=2)}
    received = sorted(((arrival, name) for name in arrivals for arrival in arrivals[name]), key=lambda a: a[0].when)
    return [Media(name, a.stamp, sequences[name, a.number], a.payload) for a, name in received]


def check_channel(channel: bytes, frames: list[Expected], gaps: list[Gap]) -> None:
    """Walk through a channel; every octet is accounted for."""
    at = 0
    silent: list[tuple[int, int]] = []
    after_loss = True
    for frame in frames:
        if frame.lost:
            after_loss = True
            continue
        audible = len(channel) - len(channel[at:].lstrip(b"\xff"))
        if audible > at:
            assert after_loss, f"silence at {at} where nothing was lost"
            if frame.start > 0:
                silent.append((at, audible))
        at = audible
        assert channel[at : at + len(frame.payload)] == frame.payload, f"at {at}"
        assert abs(at - frame.start) <= 8 * 3 * WOBBLE
        at += len(frame.payload)
        after_loss = False
    assert channel[at:].strip(b"\xff") == b""
    if len(channel) - at >= PAUSE:
        silent.append((at, len(channel)))
    for gap in gaps:
        first, last = gap.span.start, gap.span.end
        inside = sum(end - start for start, end in silent if first <= start and end <= last)
        assert gap.missing == inside
        assert gap.why == "lost" or last == len(channel)
    assert sum(gap.missing for gap in gaps) == sum(end - start for start, end in silent)


@settings(deadline=None, max_examples=60)
@given(inbound=FRAMES, outbound=FRAMES, chunk_ms=st.integers(20, 100))
def test_every_octet_is_accounted_for(inbound: list[Sent], outbound: list[Sent], chunk_ms: int) -> None:
    sent, arrivals = {}, {}
    sent["inbound"], arrivals["inbound"] = sending(inbound)
    sent["outbound"], arrivals["outbound"] = sending(outbound)
    aligner = Aligner(AlignPolicy(chunk_ms=chunk_ms))
    stream, _ = aligner.open_stream(0)
    stereo = b""
    gaps: list[Gap] = []
    for media in messages(sent, arrivals):
        aligner.receive([media], stream)
        out = aligner.data_to_send()
        assert len(out) % (2 * 8 * chunk_ms) == 0
        stereo += out
        gaps += aligner.events_received()
        assert aligner.position * 2 == len(stereo)
    stereo += aligner.flush()
    gaps += aligner.events_received()

    assert aligner.position * 2 == len(stereo)
    assert not aligner.counters.keys() & {"late", "stray", "padded", "trimmed", "overflow"}
    for channel, name in zip(deinterleave(stereo), ("inbound", "outbound"), strict=True):
        check_channel(channel, sent[name], [gap for gap in gaps if gap.track == name])


class Plain(Aligner):
    """Takes frames one by one, and asks of each track at each how far it is waited for."""

    def _receive_usual(self, frames: Sequence[Media], source: Source, place: int = 0) -> int:
        clock, numbers = source.clock, source.sequence
        for at_place, (name, at, number, payload) in enumerate(frames[place:], place):
            track, position = self._tracks.get(name), at * SAMPLES_PER_MS + clock.shift
            in_turn = track is not None and track.in_step and track.sequence is numbers and number == numbers.expected
            near = track is not None and abs(position - track.next) < self._tolerance and position > track.last
            if track is None or not in_turn or not near or not payload or clock.strays:
                return at_place
            if number is not None:
                numbers.expected = number + 1
            if position > clock.newest:
                clock.newest = position
                self._newest = max(self._newest, position)
            track.append(position, number, payload)
        return len(frames)

    def _settle(self) -> None:
        ready = min(self._inbound.next, self._outbound.next)
        if self._newest - self._released >= self._chunk:
            ready = min(self._ready(self._inbound), self._ready(self._outbound))
        for clock in [source.clock for source in self._sources if not source.clock.running]:
            soon = self._newest - clock.start_position <= 2 * self._hold
            ready = min(ready, clock.start_position if soon else self._newest)
        size = ready - self._released
        if size >= self._chunk:
            self._out.append(self._release(size - size % self._chunk))

    def lacking(self, source: Source, size: int) -> int:
        end, frames = self._released + self._chunk, 0
        for track in self._pair:
            if self._sources.heard_from(track) is not source or self._newest - track.heard > self._idle:
                continue
            if not track.in_step or track.next >= end or not size:
                return 0
            frames += -(-(end - track.next) // size)
        return frames


ODD_FRAMES = st.lists(
    st.builds(
        Sent,
        size=st.sampled_from([160, 160, 160, 161, 199, 240]),
        lost=st.sampled_from([False] * 5 + [True]),
        wobble=st.sampled_from([*range(-12, 13), *range(-12, 13), 3000]),
        delay=st.sampled_from([0] * 6 + [20, DELAY, 80, 150, 700]),
        repeated_after=st.sampled_from([None] * 8 + [0, 20]),
    ),
    min_size=20,
    max_size=80,
)

Ways = list[tuple[str, ...]]
"""By stream: the tracks that it brings."""


@settings(deadline=None, max_examples=100)
@given(
    inbound=ODD_FRAMES,
    outbound=ODD_FRAMES,
    chunk_ms=st.sampled_from([20, 60, 100]),
    reads=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    ways=st.sampled_from(
        [[("inbound", "outbound")], [("inbound",), ("outbound",)], [("inbound", "outbound"), ("inbound",)]]
    ),
    numbered=st.booleans(),
)
def test_the_short_ways_lead_where_the_long_ones_do(
    inbound: list[Sent], outbound: list[Sent], chunk_ms: int, reads: list[int], ways: Ways, numbered: bool
) -> None:
    sent, arrivals = {}, {}
    sent["inbound"], arrivals["inbound"] = sending(inbound)
    sent["outbound"], arrivals["outbound"] = sending(outbound)
    come = messages(sent, arrivals)
    pair = Aligner(AlignPolicy(chunk_ms=chunk_ms)), Plain(AlignPolicy(chunk_ms=chunk_ms))
    streams = [tuple(each.open_stream(40 * number)[0] for each in pair) for number in range(len(ways))]
    for size in itertools.cycle(reads):
        read, come = come[:size], come[size:]
        for tracks, stream in zip(ways, streams, strict=True):
            frames = [each if numbered else each._replace(sequence=None) for each in read if each.track in tracks]
            told = []
            for aligner, source in zip(pair, stream, strict=True):
                aligner.receive(frames, source)
                out, gaps = aligner.data_to_send(), aligner.events_received()
                told.append((out, gaps, +aligner.counters, aligner.lacking(source, 160)))
            assert told[0] == told[1]
        if not come:
            break
    assert pair[0].flush() == pair[1].flush()
    assert pair[0].events_received() == pair[1].events_received()


GARBAGE = st.builds(
    Media,
    track=st.sampled_from(["inbound", "outbound", "both", ""]),
    at=st.one_of(st.integers(0, 400), st.integers(-(10**12), 10**12)),
    sequence=st.one_of(st.none(), st.integers(0, 30), st.integers(-(10**12), 10**12)),
    payload=st.binary(max_size=300),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(GARBAGE, max_size=60))
def test_no_message_breaks_it_or_makes_it_grow(garbage: list[Media]) -> None:
    aligner = Aligner()
    stream, _ = aligner.open_stream(0)
    octets = 0
    for media in garbage:
        aligner.receive([media], stream)
        octets += len(aligner.data_to_send())
    octets += len(aligner.flush())
    assert octets == 2 * aligner.position
    # A believed leap is a minute at most, and needs three messages.
    assert aligner.position <= sum(len(media.payload) for media in garbage) + 20 * 8000 * len(garbage)
    assert aligner.flush() == aligner.data_to_send() == b""
    assert repr(aligner).startswith("<Aligner 0 streams")
