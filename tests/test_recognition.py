"""Our own vocabulary of recognition."""

from bridge.recognition import Result
from bridge.spans import Span


def test_the_most_frequent_language_counts():
    assert Result(0, Span(0, 1), "", 0.0, (), True, languages=("es", "en")).language == "es"
    assert Result(0, Span(0, 1), "", 0.0, (), True).language is None
