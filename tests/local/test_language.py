import importlib.util

import pytest

from bridge.local import language

needs_sphinx = pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None, reason="PocketSphinx has no wheel for this Python"
)


def test_every_slot_is_filled():
    assert not [turn for turn in language.turns() if "{" in turn or "}" in turn]


def test_every_choice_of_a_slot_is_said():
    said = {word for turn in language.turns() for word in language.spoken(turn)}

    assert {"zero", "nine", "monday", "sunday", "december", "karen", "seattle"} <= said


def test_spoken_words_are_bare():
    assert language.spoken("Hi, I'm Laura: four two, okay?") == ["hi", "i'm", "laura", "four", "two", "okay"]


def test_a_turn_is_cut_behind_its_sentences():
    assert language.sentences("Yes. Is it? No!") == ["Yes.", "Is it?", "No!"]


def test_names_and_days_keep_their_capitals():
    assert {"monday": "Monday", "i": "I", "laura": "Laura"}.items() <= language.spelling().items()


@needs_sphinx
def test_the_model_knows_every_word_and_how_it_is_pronounced():
    pronounced = {line.partition(" ")[0].partition("(")[0] for line in language.dictionary().splitlines()}
    said = {word for turn in language.turns() for word in language.spoken(turn)}

    assert said <= pronounced
    assert "\\data\\" in language.model()
    assert "harbor" in language.model()
