"""Times of a socket and what they mean in the call."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.deepgram.timeline import Timeline
from bridge.recognition import Result, SpeechStart, TurnEnd, Word
from bridge.spans import Span


def test_positions_count_from_where_the_socket_began():
    line = Timeline(80_000)

    assert (line.start(0), line.end(12_000)) == (80_000, 92_000)


def test_what_is_skipped_before_anything_was_sent_moves_the_beginning():
    line = Timeline(0)
    line.skip_to(16_000)

    assert (line.start(0), line.end(0), line.start(8000)) == (16_000, 16_000, 24_000)


def test_at_the_seam_an_end_is_before_the_hole_and_a_start_after_it():
    line = Timeline(0)
    line.advance(8000)
    line.skip_to(24_000)

    assert (line.start(7999), line.end(8000), line.start(8000), line.end(12_000)) == (7999, 8000, 24_000, 28_000)


def test_a_span_is_placed_as_far_as_there_was_audio():
    line = Timeline(80_000)
    line.advance(16_000)

    assert line.place(Span(8000, 12_000)) == (88_000, 92_000)
    assert line.place(Span(-8000, 800_000)) == (80_000, 96_000)
    assert line.place(Span(800_000, 900_000)) == (96_000, 96_000)


def test_a_message_is_moved_with_its_words():
    line = Timeline(80_000)
    line.advance(16_000)
    word = Word("a", "A", Span(800, 1600), 1.0)
    result = Result(0, Span(0, 8000), "A", 1.0, (word,), True)

    assert line.moved(result) == replace(
        result, span=Span(80_000, 88_000), words=(replace(word, span=Span(80_800, 81_600)),)
    )
    assert line.moved(SpeechStart(1, 800)) == SpeechStart(1, 80_800)
    assert line.moved(TurnEnd(1, 800)) == TurnEnd(1, 80_800)
    assert line.moved(TurnEnd(1, None)) == TurnEnd(1, None)


def test_an_empty_span_at_a_seam_stays_empty():
    line = Timeline(0)
    line.advance(8000)
    line.skip_to(24_000)
    line.advance(8000)

    assert line.place(Span(8000, 8000)) == (24_000, 24_000)


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
        assert line.start(sent) == place
        assert line.end(sent + samples) == place + samples
