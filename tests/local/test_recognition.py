import pytest

from bridge.local.recognition import Abilities, abilities, result
from bridge.recognition import Word
from bridge.spans import Span


def test_a_result_says_what_its_words_say():
    words = [Word("hello", "Hello,", Span(0, 800), 0.5), Word("you", "you.", Span(800, 1600), 1.0)]
    said = result(1, Span(0, 2400), words, is_final=True, ends_turn=True)

    assert (said.channel, said.span, said.text, said.words) == (1, Span(0, 2400), "Hello, you.", tuple(words))
    assert said.confidence == pytest.approx(0.75)
    assert (said.is_final, said.ends_turn) == (True, True)


def test_silence_has_no_text():
    said = result(0, Span(0, 8000), (), is_final=False)

    assert (said.text, said.confidence, said.words, said.ends_turn) == ("", 0.0, (), False)


def test_recognizers_can_do_nothing_special_unless_they_say_so():
    class Able:
        abilities = Abilities(voices=True)

    assert abilities(Able) == Abilities(voices=True)
    assert abilities(object()) == Abilities()
