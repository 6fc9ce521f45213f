"""Times of a socket and what they mean in the call."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.timeline import Timeline


def test_times_count_from_where_the_socket_began():
    line = Timeline(80_000)

    assert (line.start(0.0), line.end(1.5)) == (10.0, 11.5)


def test_what_is_skipped_before_anything_was_sent_moves_the_beginning():
    line = Timeline(0)
    line.skip_to(16_000)

    assert (line.start(0.0), line.end(0.0), line.start(1.0)) == (2.0, 2.0, 3.0)


def test_at_the_seam_an_end_is_before_the_hole_and_a_start_behind_it():
    line = Timeline(0)
    line.advance(8000)
    line.skip_to(24_000)

    assert (line.start(0.999), line.end(1.0), line.start(1.0), line.end(1.5)) == (0.999, 1.0, 3.0, 3.5)


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 50_000)), max_size=10))
def test_every_sample_means_the_place_it_was_taken_from(stretches):
    line, position, taken = Timeline(0), 0, []
    for hole, samples in stretches:
        position += hole
        line.skip_to(position)
        line.advance(samples)
        taken.append((line.sent - samples, position, samples))
        position += samples

    for sent, place, samples in taken:
        assert round(line.start(sent / 8000) * 8000) == place
        assert round(line.end((sent + samples) / 8000) * 8000) == place + samples
