import pytest

from bridge.redaction import spoken


def said(language, words):
    phrases = dict(spoken.table(frozenset((language,))).get(words.split()[0], ()))
    return phrases.get(tuple(words.split()))


@pytest.mark.parametrize(
    ("language", "words", "digits"),
    [
        ("en", "seven", "7"),
        ("en", "forty one", "41"),
        ("de", "zwo", "2"),
        ("de", "einundvierzig", "41"),
        ("de", "fuenfunddreissig", "35"),
        ("es", "cuarenta y uno", "41"),
        ("es", "once", "11"),
        ("fr", "vingt et un", "21"),
        ("fr", "soixante dix sept", "77"),
        ("fr", "quatre vingt dix neuf", "99"),
        ("fr", "quatre vingts", "80"),
    ],
)
def test_words_are_known_for_digits(language, words, digits):
    assert said(language, words) == digits


def test_of_an_unknown_language_all_are_tried_but_for_what_means_something_else_in_english():
    table = spoken.table(frozenset())

    assert {"seven", "sieben", "siete", "trois"} <= table.keys()
    assert "once" not in table
    assert table == spoken.table(frozenset(("ja",)))


def test_the_longest_phrase_comes_first():
    lengths = [len(words) for words, _ in spoken.table(frozenset(("fr",)))["quatre"]]

    assert lengths == sorted(lengths, reverse=True)
