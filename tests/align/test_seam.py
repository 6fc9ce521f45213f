"""The seam between what one process has heard and what another goes on with: two streams of one call, of which each
loses, repeats and cuts its frames as it likes."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.align.seam import Expected, Tail, Unsure, by_clock, find, is_distinctive
from bridge.audio import interleave, pcm_to_mulaw, silence
from bridge.carriers.messages import Media

IN, OUT = "inbound", "outbound"
SECOND = 8000
HISS = b"\xff\x7f\xfe"


def speech(seed: object, samples: int) -> bytes:
    """Words and pauses, as loud as they come."""
    rng, audio = random.Random(str(seed)), bytearray()
    while len(audio) < samples:
        audio += rng.randbytes(rng.randrange(800, 4000)) + silence(rng.randrange(400, 3000))
    return bytes(audio[:samples])


def hiss(seed: object, samples: int) -> bytes:
    return bytes(random.Random(str(seed)).choices(HISS, k=samples))


def tone(hertz: float, samples: int, start: int = 0) -> bytes:
    pcm = bytearray()
    for n in range(start, start + samples):
        pcm += round(8000 * math.sin(2 * math.pi * hertz * n / 8000)).to_bytes(2, "little", signed=True)
    return pcm_to_mulaw(bytes(pcm))


def stream(audio: dict[str, bytes], begin: int, end: int, clock: int = 155, size: int = 160) -> list[Media]:
    """What a stream brings of a call from one sample to another, both tracks in turns."""
    frames = []
    for offset in range(begin, end, size):
        for track, octets in audio.items():
            frames.append(
                Media(track, clock + (offset - begin) // 8, len(frames) + 2, octets[offset : min(end, offset + size)])
            )
    return frames


def tail(audio: dict[str, bytes], begin: int, end: int) -> Tail:
    return Tail(begin, interleave(audio[IN][begin:end], audio[OUT][begin:end]))


def joined(frames: list[Media], track: str) -> bytes:
    return b"".join(frame.payload for frame in frames if frame.track == track)


CALL = {IN: speech("in", 12 * SECOND), OUT: speech("out", 12 * SECOND)}


@pytest.mark.parametrize("end", [6 * SECOND, 6 * SECOND + 1, 6 * SECOND + 159, 6 * SECOND + 80])
def test_each_track_goes_on_to_the_sample_where_the_tail_ends(end):
    frames = stream(CALL, 4 * SECOND + 37, 7 * SECOND)

    seam = find(tail(CALL, SECOND, end), frames)

    assert seam.sure == (IN, OUT)
    assert seam.shift == 4 * SECOND + 37 - 8 * 155
    for track in (IN, OUT):
        assert joined(seam.frames, track) == CALL[track][end : 7 * SECOND]


def test_the_stamp_of_a_frame_that_is_cut_is_that_of_what_is_left():
    end = 6 * SECOND + 96

    seam = find(tail(CALL, SECOND, end), stream(CALL, 4 * SECOND, 7 * SECOND))

    assert {frame.at * 8 + seam.shift for frame in seam.frames[:2]} == {end}


def test_what_lies_before_the_end_is_left_out_whatever_the_tracks_lag():
    late = {IN: CALL[IN], OUT: silence(300) + CALL[OUT]}  # one track is 37.5 ms behind in the tail
    end = 6 * SECOND

    seam = find(
        Tail(SECOND, interleave(late[IN][SECOND:end], late[OUT][SECOND:end])), stream(CALL, 4 * SECOND, 7 * SECOND)
    )

    assert joined(seam.frames, IN) == CALL[IN][end : 7 * SECOND]
    assert joined(seam.frames, OUT) == CALL[OUT][end - 300 : 7 * SECOND]


def test_a_track_that_says_nothing_follows_the_other_one():
    call = {IN: CALL[IN], OUT: silence(12 * SECOND)}
    end = 6 * SECOND + 24

    seam = find(tail(call, SECOND, end), stream(call, 4 * SECOND, 7 * SECOND))

    assert seam.sure == (IN,)
    assert len(joined(seam.frames, OUT)) == 7 * SECOND - end


@pytest.mark.parametrize("quiet", [silence(12 * SECOND), hiss("line", 12 * SECOND), bytes(12 * SECOND)])
def test_of_silence_no_seam_is_known_yet(quiet):
    call = {IN: quiet, OUT: quiet}

    assert find(tail(call, SECOND, 6 * SECOND), stream(call, 4 * SECOND, 7 * SECOND)) is Unsure.NOT_YET
    assert not is_distinctive(tail(call, SECOND, 6 * SECOND), 4 * SECOND, SECOND)


@pytest.mark.parametrize("hertz", [440.0, 1000.0, 425.0, 2100.0])
def test_of_a_tone_no_seam_is_known_yet(hertz):
    call = {IN: tone(hertz, 12 * SECOND), OUT: silence(12 * SECOND)}
    near = Expected(4 * SECOND - 8 * 155 + 30, SECOND)

    assert find(tail(call, SECOND, 6 * SECOND), stream(call, 4 * SECOND, 7 * SECOND), near) is Unsure.NOT_YET
    assert not is_distinctive(tail(call, SECOND, 6 * SECOND), 4 * SECOND, SECOND)


@pytest.mark.parametrize("hertz", [440.0, 425.0])
def test_a_tone_tells_by_its_beginning(hertz):
    begins = {IN: silence(5 * SECOND) + tone(hertz, 7 * SECOND), OUT: silence(12 * SECOND)}
    near = Expected(4 * SECOND - 8 * 155 + 30, SECOND // 2)

    seam = find(tail(begins, SECOND, 6 * SECOND), stream(begins, 4 * SECOND, 7 * SECOND), near)
    assert seam.shift == 4 * SECOND - 8 * 155


def test_a_sentence_that_is_played_again_and_again_is_found_where_the_clock_expects_it():
    sentence = speech("press one", 2 * SECOND)
    call = {IN: sentence * 6, OUT: silence(12 * SECOND)}
    frames, before = stream(call, 4 * SECOND + 500, 7 * SECOND), tail(call, SECOND, 6 * SECOND)
    shift = 4 * SECOND + 500 - 8 * 155

    assert find(before, frames) is Unsure.NOT_YET
    assert find(before, frames, Expected(shift + 900, SECOND)).shift == shift
    assert find(before, frames, Expected(shift - 900, SECOND)).shift == shift


def test_another_call_has_no_seam():
    other = {IN: speech("other", 12 * SECOND), OUT: speech("one", 12 * SECOND)}
    frames = stream(other, 4 * SECOND, 7 * SECOND)

    assert find(tail(CALL, SECOND, 6 * SECOND), frames, Expected(4 * SECOND - 8 * 155, SECOND)) is Unsure.NONE


def test_what_both_have_heard_must_be_long_enough():
    before = tail(CALL, SECOND, 6 * SECOND)
    loud = next(at for at in range(4 * SECOND, 5 * SECOND) if 255 not in CALL[IN][at : at + 400])
    call = {IN: silence(loud + 150) + CALL[IN][loud + 150 :], OUT: silence(12 * SECOND)}

    assert find(before, []) is Unsure.NOT_YET
    assert find(before, stream(CALL, 6 * SECOND - 160, 6 * SECOND)) is Unsure.NOT_YET
    assert find(tail(call, SECOND, loud + 300), stream(call, loud - SECOND, loud + SECOND)) is Unsure.NOT_YET


def test_the_clock_alone_cuts_by_the_timestamps():
    frames = stream(CALL, 4 * SECOND, 7 * SECOND)

    seam = by_clock(6 * SECOND + 8, frames, 4 * SECOND - 8 * 155)

    assert seam.sure == ()
    assert joined(seam.frames, IN) == CALL[IN][6 * SECOND + 8 : 7 * SECOND]


def test_what_was_heard_is_distinctive_as_soon_as_someone_has_said_something():
    call = {IN: silence(5 * SECOND) + CALL[IN], OUT: tone(440.0, 12 * SECOND)}
    word = next(at for at in range(5 * SECOND, 6 * SECOND) if call[IN][at] != 0xFF)

    assert not is_distinctive(tail(call, SECOND, word + 100), 4 * SECOND, SECOND)
    assert is_distinctive(tail(call, SECOND, word + 500), 4 * SECOND, SECOND)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    begin=st.integers(3 * SECOND, 4 * SECOND),
    end=st.integers(5 * SECOND, 7 * SECOND),
    sizes=st.lists(st.integers(80, 400), min_size=1, max_size=4),
    wobble=st.integers(0, 2),
    losses=st.sampled_from([0.0, 0.0, 0.02, 0.1]),
    off=st.integers(-2000, 2000),
)
def test_frames_are_lost_cut_repeated_and_reordered_and_the_seam_is_exact(seed, begin, end, sizes, wobble, losses, off):
    rng, clock = random.Random(seed), random.Random(seed).randrange(5000)
    call = {track: speech((track, seed), 10 * SECOND) for track in (IN, OUT)}
    frames, at, number = [], begin, 1
    gone: list[tuple[str, int, int]] = []
    while at < 9 * SECOND:
        size = rng.choice(sizes)
        for track in (IN, OUT):
            number += 1
            payload = call[track][at : at + size]
            if rng.random() < losses:
                gone.append((track, at, at + size))
                continue
            stamp = clock + (at - begin) // 8 + rng.randint(-wobble, wobble)
            frames += [Media(track, stamp, number, payload)] * (1 + (rng.random() < losses))
        at += size
    for place in range(0, len(frames) - 3, 7):
        if rng.random() < losses:
            frames[place : place + 2] = frames[place + 1], frames[place]
    expected = Expected(begin - 8 * clock + off, SECOND)

    seam = find(tail(call, begin - 3 * SECOND, end), frames, expected)

    assert set(seam.sure) <= {IN, OUT} and seam.sure
    for track in (IN, OUT):
        after = {}
        for frame in seam.frames:
            if frame.track == track:
                after[frame.sequence] = frame.payload
        kept = b"".join(payload for _, payload in sorted(after.items()))
        pieces = [(start, stop) for name, start, stop in gone if name == track and stop > end]
        wanted, place = b"", end
        for start, stop in pieces:
            wanted += call[track][place : max(place, start)]
            place = max(place, stop)
        wanted += call[track][place:at]
        # Beside what was lost the timestamps tell; elsewhere the audio.
        near = range(41) if losses else (0,)
        assert any(kept[off:] == wanted or kept == wanted[off:] for off in near)
