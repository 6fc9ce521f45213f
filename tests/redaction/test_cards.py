import pytest

from bridge.redaction.cards import cards, is_begun, lengths, passes


@pytest.mark.parametrize(
    "number",
    ["4111111111111111", "5555555555554444", "2223003122003222", "378282246310005", "36227206271667",
     "6011111111111117", "3530111333300000", "6759649826438453", "4222222222222"],
)  # fmt: skip
def test_test_numbers_of_the_schemes_are_cards(number):
    assert passes(number)
    assert len(number) in lengths(number)
    assert cards([number]) == [(0, 0)]
    assert cards(list(number)) == [(0, len(number) - 1)]


def test_the_checksum_and_the_range_count():
    assert cards(["4111111111111112"]) == []
    assert cards(["9111111111111111"]) == []
    assert cards(["1234", "5678"]) == []


def test_a_card_is_found_among_other_digits():
    assert cards(["12", "4111", "1111", "1111", "1111", "123"]) == [(1, 4)]
    assert cards([*"4111111111111111", *"5555555555554444"]) == [(0, 15), (16, 31)]


@pytest.mark.parametrize(
    ("digits", "begun"), [("4", True), ("2", True), ("21", False), ("1", False), ("37", True), ("", False)]
)
def test_a_card_may_begin_like_that(digits, begun):
    assert is_begun(digits) == begun


def test_nothing_goes_on_behind_the_longest_card():
    assert is_begun("4" * 18)
    assert not is_begun("4" * 19)
