"""What is searched for, and what was misheard as something like it."""

import pytest

from bridge.local.features.phrases import merged
from bridge.local.features.searching import LEAST, search
from tests.fakes.saying import EACH, said

HEARD = said("My order number is seven four two, on Monday. Which order?")


def hits(*terms, heard=HEARD, written=HEARD):
    return [(hit.query, hit.snippet, round(hit.confidence, 2)) for hit in search(heard, written, terms)]


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        (["order"], [("order", "order", 1.0), ("order", "order", 1.0)]),
        (["Order Number"], [("Order Number", "order number", 1.0)]),
        (["seven four two on"], [("seven four two on", "seven four two on", 1.0)]),
        (["Mondays"], [("Mondays", "monday", 0.92)]),
        (["epistemology"], []),
        (["monday", "which"], [("monday", "monday", 1.0), ("which", "which", 1.0)]),
        (["", "?!"], []),
        ([], []),
    ],
)
def test_terms(terms, found):
    assert hits(*terms) == found


def test_a_term_that_was_heard_as_two_words():
    assert hits("onmonday") == [("onmonday", "on monday", 1.0)]


def test_a_hit_tells_its_place():
    (hit,) = search(HEARD, HEARD, ["number is"])

    assert hit.span == (2 * EACH, 4 * EACH)


def test_the_likeliest_come_first_and_none_is_over_another():
    found = search(said("orders order"), said("orders order"), ["order"])

    assert [(hit.snippet, hit.confidence == 1) for hit in found] == [("order", True), ("orders", False)]
    assert all(LEAST <= hit.confidence <= 1 for hit in found)


def test_what_may_not_be_read_is_not_in_the_snippet():
    words = said("card four four four")
    hidden = (words[0], merged(words[1:], "[CARD_1]"))

    assert {snippet for _, snippet, _ in hits("four four", heard=words, written=hidden)} == {"[CARD_1]"}


def test_nothing_is_found_where_nothing_was_heard():
    assert hits("order", heard=(), written=()) == []
