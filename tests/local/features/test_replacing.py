"""Find and replace, with the examples of docs/find-and-replace; and keyterms as they are spelled."""

import pytest

from bridge.local.features.replacing import replaced, spelled
from tests.fakes.saying import EACH, bare, said, text


@pytest.mark.parametrize(
    ("rules", "spoken", "written"),
    [
        ([("monika", "Monica")], "Hi Monika, monika", "Hi Monica, Monica"),
        ([("monika jon", "Monica John")], "call monika jon. Monika Smith", "call Monica John. Monika Smith"),
        ([("monika", "")], "hi monika there", "hi there"),
        ([("monika", "")], "monika", ""),
        ([("ZenDesk", "Zendesk")], "ZenDesk zendesk", "Zendesk zendesk"),
        ([("it", "the monster"), ("It", "The monster")], "It came, it saw", "The monster came, the monster saw"),
        ([("it", "the monster")], "It came, it saw", "the monster came, the monster saw"),
        ([("a", "b"), ("b", "c")], "a b", "b c"),
        ([("", "x")], "a", "a"),
        ([], "a.", "a."),
    ],
)
def test_rules(rules, spoken, written):
    assert text(replaced(said(spoken), rules)) == written


def test_one_word_becomes_three_in_its_time():
    before, *written = replaced(said("our kpis."), [("kpis", "Key Performance Indicators")])

    assert before.span == (0, EACH)
    assert [word.word for word in written] == ["Key", "Performance", "Indicators"]
    assert (written[0].span.start, written[-1].span.end) == (EACH, 2 * EACH)


def test_keyterms_are_spelled_as_they_were_given():
    words = spelled(said("laura miller of acme, acme."), ["Laura Miller", "ACME", "of"])

    assert text(words) == "Laura Miller of ACME, ACME."
    assert bare(words) == "Laura Miller of ACME ACME"
    assert [word.span for word in words] == [word.span for word in said("a b c d e")]
