from bridge.redaction.muting import PADDING, muted
from bridge.spans import Span


def test_silence_has_a_margin_and_takes_short_pauses_in():
    taken = [(1, "card", Span(8000, 16_000)), (1, "card", Span(20_000, 24_000)), (0, "email", Span(100, 200))]

    assert muted(taken) == [
        (0, Span(0, 200 + PADDING)),
        (1, Span(8000 - PADDING, 24_000 + PADDING)),
    ]
    assert muted([]) == []


def test_words_between_two_things_are_heard():
    taken = [(0, "card", Span(8000, 16_000)), (0, "email", Span(20_000, 24_000))]

    assert len(muted(taken)) == 2
