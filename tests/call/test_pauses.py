"""Where pauses begin and end, and that nothing of them leaves: whatever frames, chunks and the network do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.align import Aligner, AlignPolicy
from bridge.audio import CHANNELS, SILENCE
from bridge.call.pauses import Pauses, State
from bridge.carriers.messages import Media
from bridge.errors import LocalProtocolError
from bridge.spans import Span
from tests.fakes.stereo import deinterleave

TRACKS = ("inbound", "outbound")
WOBBLE = 80
PUBLIC, SECRET = b"\x10", b"\x55"


def test_a_pause_lasts_from_the_audio_that_has_come_to_the_moment_by_the_clock():
    pauses = Pauses()

    assert pauses.pause(800) == 800
    assert (pauses.state, pauses.since) == (State.PAUSED, 800)
    assert pauses.resume(received=1600, elapsed=1650) == Span(800, 1650 + WOBBLE)
    assert (pauses.state, pauses.since) == (State.HEARING, None)


@pytest.mark.parametrize(
    ("received", "elapsed", "ends"),
    [
        (900, 1600, 1680),  # what the network holds up may have been said in the pause
        (1700, 1600, 1700),  # timestamps may have run ahead
        (100, 100, 800),
    ],
)
def test_the_doubt_at_its_end_is_the_pauses(received, elapsed, ends):
    pauses = Pauses()
    pauses.pause(800)

    assert pauses.resume(received, elapsed) == Span(800, ends)


def test_what_is_asked_for_twice_is_done_once():
    pauses = Pauses()
    assert pauses.resume(10, 10) is None
    pauses.pause(10)

    assert pauses.pause(20) is None
    assert pauses.since == 10
    assert pauses.resume(30, 30) == Span(10, 30 + WOBBLE)
    assert pauses.resume(40, 40) is None


def test_a_pause_that_follows_at_once_begins_where_the_last_one_ends():
    pauses = Pauses()
    pauses.pause(0)
    pauses.resume(100, 300)

    assert pauses.pause(160) == 300 + WOBBLE


def test_a_call_that_ends_in_a_pause_ends_it():
    pauses = Pauses()
    pauses.pause(100)

    assert pauses.end(500) == Span(100, 500)
    assert pauses.state is State.OVER
    assert pauses.outside(Span(0, 1000)) == [Span(0, 100), Span(500, 1000)]


def test_a_call_that_ends_while_it_is_heard_has_no_pause():
    assert Pauses().end(500) is None


@pytest.mark.parametrize("ask", [lambda pauses: pauses.pause(0), lambda pauses: pauses.resume(0, 0)])
def test_after_the_end_nothing_is_asked(ask):
    pauses = Pauses()
    pauses.end(0)

    with pytest.raises(LocalProtocolError, match="a transcription that is OVER cannot be asked to"):
        ask(pauses)


def test_another_process_goes_on_with_the_pauses_there_were():
    pauses = Pauses([Span(10, 20)], since=40)

    assert pauses.state is State.PAUSED
    assert pauses.outside(Span(0, 100)) == [Span(0, 10), Span(20, 40)]
    assert pauses.muted(PUBLIC * 2 * 10, 45) == SILENCE * 2 * 10
    assert pauses.resume(60, 60) == Span(40, 60 + WOBBLE)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=5),
    st.lists(st.integers(1, 90), min_size=1, max_size=12),
)
def test_however_audio_is_cut_each_sample_of_a_pause_and_no_other_is_silence(asked, sizes):
    pauses, silent, at = Pauses(), set(), 0
    for begin, length in asked:
        start = pauses.pause(at + begin)
        span = pauses.resume(start + length, 0)
        silent.update(range(*span))
        at = span.end
    left, position = b"", 0
    for size in sizes:
        left += pauses.muted(PUBLIC * size * CHANNELS, position)
        position += size

    assert left == b"".join((SILENCE if sample in silent else PUBLIC) * CHANNELS for sample in range(position))


FRAMES = st.lists(
    st.tuples(st.sampled_from([80, 160, 161, 240]), st.integers(0, 400), st.integers(0, 3000)), min_size=1, max_size=40
)
"""Of a frame: how many samples it has, and by how many each track's comes late."""


@given(FRAMES, st.integers(0, 8000), st.integers(0, 4000), st.sampled_from([20, 60, 100]))
def test_nothing_that_is_said_in_a_pause_leaves_the_aligner(frames, begins, lasts, chunk):
    """Each sample is marked if it is said between the two moments at which a pause is asked for and is over."""
    pauses, aligner = Pauses(), Aligner(AlignPolicy(chunk_ms=chunk))
    source, _ = aligner.open_stream(0)
    happens, position = [(begins, 0, None), (begins + lasts, 1, None)], 0
    for size, *delays in frames:
        moments = range(position, position + size)
        said = bytes((SECRET if begins <= moment < begins + lasts else PUBLIC)[0] for moment in moments)
        for track, delay in zip(TRACKS, delays, strict=True):
            media = Media(track, position // 8, None, said)
            happens.append((position + size + delay, len(happens), media))
        position += size
    left, whole, begun, span = b"", b"", 0, Span(0, 0)

    def take(audio):
        nonlocal left, whole
        left += pauses.muted(audio, aligner.position - len(audio) // CHANNELS)
        whole += audio

    for now, number, media in sorted(happens, key=lambda each: each[:2]):
        if media:
            aligner.receive([media], source, None)
            take(aligner.data_to_send())
        elif number == 0:
            begun = pauses.pause(aligner.placed)
        else:
            span = pauses.resume(aligner.received, now)
    take(aligner.flush())

    assert SECRET not in left
    assert (begun, span.length >= 0) == (span.start, True)
    for heard, spoken in zip(deinterleave(left), deinterleave(whole), strict=True):
        assert not heard[span.start : span.end].strip(SILENCE)
        assert heard[: span.start] + heard[span.end :] == spoken[: span.start] + spoken[span.end :]
