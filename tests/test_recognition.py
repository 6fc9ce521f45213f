"""Our own vocabulary of recognition."""

from msgspec import structs

from bridge.recognition import Alternative, Entity, Hit, Result, Word, moved, part
from bridge.spans import Span


def test_the_most_frequent_language_counts():
    assert Result(0, Span(0, 1), "", 0.0, (), True, languages=("es", "en")).language == "es"
    assert Result(0, Span(0, 1), "", 0.0, (), True).language is None


WORDS = tuple(Word(text, text, Span(start, start + 50), 0.9) for start, text in ((0, "a"), (100, "b"), (200, "c")))
NAMED = tuple(Entity(label, label, label, 0.9, words) for label, words in (("AB", Span(0, 2)), ("C", Span(2, 3))))
HITS = tuple(Hit("x", Span(start, start + 50), 0.9, "x") for start in (0, 200))
RESULT = Result(0, Span(0, 300), "a b c", 0.9, WORDS, True, alternatives=(Alternative("d", 0.1),))


def test_a_part_of_a_result_has_what_belongs_to_its_words():
    whole = structs.replace(RESULT, hits=HITS, entities=NAMED)
    found = part(whole, Span(150, 300), WORDS[2:], "c")

    assert (found.span, found.words, found.text) == (Span(150, 300), WORDS[2:], "c")
    assert found.hits == HITS[1:]
    assert found.entities == (structs.replace(NAMED[1], words=Span(0, 1)),), "it counts the words that are left"
    assert found.alternatives == (), "they are of the whole"
    assert part(whole, Span(50, 300), WORDS[1:], "b c").entities == (structs.replace(NAMED[1], words=Span(1, 2)),)


def test_a_result_elsewhere_is_there_with_all_of_it():
    found = moved(structs.replace(RESULT, hits=HITS), lambda span: span.moved(1000))

    assert found.span == Span(1000, 1300)
    assert [word.span.start for word in found.words] == [1000, 1100, 1200]
    assert [hit.span.start for hit in found.hits] == [1000, 1200]
    assert found.text == "a b c"
