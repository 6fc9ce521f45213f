"""What a request wants done with the words."""

from bridge.local.features import NOTHING, Features


def test_nothing_is_asked_for_by_default():
    assert Features() == NOTHING
    assert NOTHING.alternatives == 1
    assert not (NOTHING.numerals or NOTHING.dictation or NOTHING.profanity_filter or NOTHING.detect_entities)
    assert not (NOTHING.keyterms or NOTHING.replace or NOTHING.redact or NOTHING.search)
