"""Profanity, and what only looks like it."""

import pytest

from bridge.local.features.profanity import MASK, masked
from tests.fakes.saying import bare, said, text


@pytest.mark.parametrize(
    "word", ["shit", "Shit", "bullshit", "fucking", "motherfucker", "damn", "goddamned", "bitches"]
)
def test_profane_words_are_masked(word):
    assert text(masked(said(f"oh {word}, no"))) == f"oh {MASK}, no"
    assert bare(masked(said(word))) == MASK


@pytest.mark.parametrize("word", ["shitake", "class", "assess", "Dickens", "cocktail", "scunthorpe", "shift", "duck"])
def test_others_are_not(word):
    assert text(masked(said(word))) == word
