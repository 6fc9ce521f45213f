"""All features together: their order, what interims have of them, and that nothing leaks past redaction."""

from msgspec.structs import replace

from bridge.local.features import Features, Rendering
from bridge.local.recognition import result
from bridge.recognition import Alternative
from bridge.spans import Span
from tests.fakes.saying import EACH, said

CARD = "four four four four nine nine nine nine three three three three two two two two"


def heard(text, *, final=True, start=0):
    words = said(text, start)
    return result(0, Span(start, start + EACH * len(words)), words, is_final=final)


def render(text, *, final=True, punctuated=True, **features):
    return Rendering(Features(**features), punctuated=punctuated).render(heard(text, final=final))


def test_nothing_asked_for_changes_nothing():
    said_ = heard("Seven four two.")

    assert Rendering().render(said_) is said_


def test_text_and_words_go_together():
    found = render("the kpis are nine hundred period", numerals=True, dictation=True, replace=(("kpis", "KPIs"),))

    assert found.text == "the KPIs are 900."
    assert [word.text for word in found.words] == ["the", "KPIs", "are", "900."]


def test_without_punctuation_the_text_is_of_bare_words_and_nothing_is_dictated():
    found = render("Hello comma Acme.", punctuated=False, dictation=True, keyterms=("ACME",))

    assert found.text == "hello comma ACME"


def test_entities_have_the_value_as_written_and_as_said():
    for numerals in (False, True):
        (entity,) = render("I pay twelve dollars", detect_entities=True, numerals=numerals).entities

        assert (entity.label, entity.value, entity.raw_value) == ("MONEY", "12 dollars", "twelve dollars")
        assert tuple(entity.words) == (2, 4)


def test_entities_are_told_of_finals_only():
    assert render("twelve dollars", final=False, detect_entities=True).entities == ()


def test_interims_are_redacted_and_searched_too():
    found = render(f"card {CARD}", final=False, redact=frozenset({"pci"}), search=("card",))

    assert found.text == "card [CREDIT_CARD_1]"
    assert [hit.snippet for hit in found.hits] == ["card"]


def test_only_finals_count_on():
    rendering = Rendering(Features(redact=frozenset({"numbers"})))
    texts = [rendering.render(heard("five five five", final=final)).text for final in (False, False, True, False, True)]

    assert texts == ["[NUMBER_1]"] * 3 + ["[NUMBER_2]"] * 2


def test_nothing_that_is_redacted_is_in_any_other_field():
    asked = Features(
        redact=frozenset({"pci"}), detect_entities=True, numerals=True, search=("four nine",), alternatives=3
    )
    one = replace(heard(f"card {CARD}"), alternatives=(Alternative(f"cart {CARD}", 0.4), Alternative("card for", 0.2)))
    found = Rendering(asked).render(one)

    assert "4" not in repr(replace(found, span=Span(0, 0), hits=(), words=(), alternatives=(), entities=())).replace(
        "0.9", ""
    )
    assert [word.word for word in found.words] == ["card", "[CREDIT_CARD_1]"]
    assert [entity.raw_value for entity in found.entities] == ["[CREDIT_CARD_1]"]
    assert [other.text for other in found.alternatives] == ["cart [CREDIT_CARD_1]", "card for"]
    assert all(hit.snippet == "[CREDIT_CARD_1]" for hit in found.hits)
    assert found.hits


def test_as_many_alternatives_as_asked_for():
    one = replace(heard("a"), alternatives=(Alternative("b", 0.4), Alternative("c", 0.2)))

    assert [other.text for other in Rendering(Features(alternatives=2)).render(one).alternatives] == ["b"]
    assert Rendering().render(one).alternatives == ()


def test_alternatives_are_rendered_too():
    one = replace(heard("seven"), alternatives=(Alternative("Eleven. Now", 0.4),))
    asked = Features(alternatives=2, numerals=True)

    assert Rendering(asked).render(one).alternatives == (Alternative("11. Now", 0.4),)
    assert Rendering(asked, punctuated=False).render(one).alternatives == (Alternative("11 now", 0.4),)


def test_an_alternative_to_silence():
    silence = replace(result(0, Span(0, 8000), (), is_final=True), alternatives=(Alternative("um well", 0.1),))

    assert Rendering(Features(alternatives=2)).render(silence).alternatives == (Alternative("um well", 0.1),)


def test_features_may_change_in_between():
    rendering = Rendering(Features(numerals=True))
    assert rendering.render(heard("two")).text == "2"

    rendering.features = Features(numerals=False)
    assert rendering.render(heard("two")).text == "two"


def test_profanity_and_what_replaces_it():
    found = render("oh shit, no", profanity_filter=True, replace=(("oh", "well"),))

    assert found.text == "well ****, no"
