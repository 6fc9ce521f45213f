"""When a recognizer speaks up. Positions are samples; the tests say seconds."""

from bridge.audio import seconds
from bridge.local.recognition import Listening
from bridge.local.script.format import ScriptWord
from bridge.local.script.segments import Hearing, Segmenter
from bridge.recognition import Result, SpeechStart

SECOND = 8000


def hearing(start: float, end: float, word: str = "word") -> Hearing:
    """A word that is known beforehand."""
    octets = round(end * SECOND)
    total = round((end - start) * 1000)
    said = ScriptWord(word=word, start=start, end=end)
    return Hearing(said, round(start * SECOND), octets, octets, total, total)


def listen(
    words: list[tuple[float, float]], until: float, listening: Listening | None = None
) -> tuple[Segmenter, list]:
    """Everything that is said about words at these times."""
    segments = Segmenter(listening or Listening(interim_results=False))
    said = []
    for start, end in words:
        said += segments.pass_time(round(start * SECOND))
        said += segments.begin(hearing(start, end))
    said += segments.pass_time(round(until * SECOND))
    return segments, said


def spans(said: list, *, final: bool = True) -> list[tuple[float, float, int, bool]]:
    return [
        (*map(seconds, item.span), len(item.words), item.ends_turn)
        for item in said
        if isinstance(item, Result) and item.is_final is final
    ]


def test_a_pause_of_the_endpointing_time_makes_a_final():
    _, said = listen([(0.5, 1.0), (1.2, 1.5)], 4)
    assert spans(said) == [(0, 1.8, 2, True)]


def test_a_gap_that_is_just_long_enough_cuts():
    assert len(spans(listen([(0.5, 1.0), (1.3, 1.5)], 3)[1])) == 2
    assert len(spans(listen([(0.5, 1.0), (1.299, 1.5)], 3)[1])) == 1


def test_without_endpointing_no_final_is_a_speech_final():
    _, said = listen([(0.5, 1.0)], 6, Listening(endpointing=None, interim_results=False))
    assert spans(said) == [(0, 5.5, 1, False)]


def test_silence_is_settled_every_five_seconds():
    _, said = listen([], 16)
    assert spans(said) == [(0, 5, 0, False), (5, 10, 0, False), (10, 15, 0, False)]


def test_long_speech_is_cut_between_two_words():
    words = [(0.4 * k, 0.4 * k + 0.4) for k in range(30)]
    _, said = listen(words, 13)
    assert spans(said) == [(0, 4.8, 12, False), (4.8, 9.6, 12, False), (9.6, 12.3, 6, True)]


def test_a_long_word_is_waited_for():
    _, said = listen([(1, 8), (8, 8.2)], 9)
    assert spans(said) == [(0, 8, 1, False), (8, 8.5, 1, True)]


def test_no_word_is_cut_in_two_by_a_final():
    _, said = listen([(0, 1), (1, 7), (7, 7.5)], 9)
    assert spans(said) == [(0, 1, 1, False), (1, 7, 1, False), (7, 7.8, 1, True)]


def test_interims_come_each_second_and_cover_the_segment():
    _, said = listen([(0.5, 2.2)], 4, Listening())
    assert spans(said, final=False) == [(0, 1, 1, False), (0, 2, 1, False), (2.5, 3.5, 0, False)]
    assert spans(said) == [(0, 2.5, 1, True)]


def test_an_interim_shows_a_word_in_progress_as_far_as_it_has_got():
    _, said = listen([(0.5, 2.2)], 1, Listening())
    assert said[-1].words[0].span.end == SECOND


def test_a_final_may_cover_less_than_the_interim_before():
    _, said = listen([(0, 4.4), (4.4, 6)], 5, Listening(endpointing=None))
    interim, final = said[-2:]
    assert (interim.is_final, interim.span.end) == (False, 4 * SECOND)
    assert (final.is_final, final.span.end) == (True, 4.4 * SECOND)


def test_no_interims_unless_asked_for():
    assert spans(listen([(0.5, 2.2)], 4)[1], final=False) == []


def test_speech_begins_after_a_pause_and_not_between_words():
    _, said = listen([(0.5, 1.0), (1.1, 1.5), (3.0, 3.5)], 4)
    assert [item.at for item in said if isinstance(item, SpeechStart)] == [SECOND // 2, 3 * SECOND]


def test_flush_settles_a_half_heard_word_once():
    segments, said = listen([(0.5, 2.2)], 1.25)
    assert said == [SpeechStart(0, SECOND // 2)]
    (final,) = segments.flush(round(1.25 * SECOND))
    assert (*map(seconds, final.span), final.is_final, final.ends_turn) == (0, 1.25, True, False)
    assert seconds(final.words[0].span.end) == 1.25
    assert segments.flush(round(1.25 * SECOND)) == []
    assert spans(segments.pass_time(4 * SECOND)) == []


def test_flush_settles_silence_too():
    segments, _ = listen([], 2)
    assert spans(segments.flush(2 * SECOND)) == [(0, 2, 0, False)]


def test_nothing_is_due_before_the_time_it_names():
    segments, _ = listen([(0.5, 1.0)], 1.0)
    due = segments.due
    assert due == round(1.3 * SECOND)
    assert segments.pass_time(due - 1) == []
    assert len(segments.pass_time(due)) == 1
