"""What of a request's parameters is a feature, and what is only pretended."""

from urllib.parse import parse_qsl

import pytest

from bridge.local.deepgram.asking import Pretence, features, pretences, warning
from bridge.local.deepgram.request import ListenRequest, parse_request
from bridge.local.features import NOTHING, Features
from bridge.local.recognition import Abilities

ABLE = Abilities(voices=True, languages=True, alternatives=True)


def request(query: str) -> ListenRequest:
    parsed = parse_request(parse_qsl(query))
    assert isinstance(parsed, ListenRequest), parsed
    return parsed


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("model=nova-3&punctuate=true", NOTHING),
        ("model=nova-3&keyterm=Laura+Miller&keyterm=order", Features(keyterms=("Laura Miller", "order"))),
        ("dictation=true&numerals=true&profanity_filter=true", Features((), True, True, True)),
        ("dictation=false&numerals=false", NOTHING),
        (
            "replace=this:That+One&replace=um&replace=a:b:c",
            Features(replace=(("this", "That One"), ("um", ""), ("a", "b:c"))),
        ),
        ("redact=pci&redact=ssn&redact=false", Features(redact=frozenset({"pci", "ssn"}))),
        (
            "detect_entities=true&search=one&search=two+three",
            Features(detect_entities=True, search=("one", "two three")),
        ),
        ("alternatives=3", Features(alternatives=3)),
    ],
)
def test_features(query, asked):
    assert features(request(query)) == asked


@pytest.mark.parametrize(
    ("query", "abilities", "parameters"),
    [
        ("", Abilities(), []),
        (
            "smart_format=true&numerals=true&search=a&detect_entities=true&redact=numbers",
            Abilities(only_english=True),
            [],
        ),
        ("diarize=true", Abilities(), ["diarize"]),
        ("diarize_model=latest", Abilities(), ["diarize"]),
        ("diarize=true", ABLE, []),
        ("model=nova-3&language=multi", Abilities(only_english=True), ["language"]),
        ("model=nova-3&language=multi", ABLE, []),
        ("language=es", Abilities(only_english=True), ["language"]),
        ("language=es", Abilities(), []),
        ("language=en-GB", Abilities(only_english=True), []),
        ("language=es&numerals=true", ABLE, ["language"]),
        ("alternatives=2", Abilities(), ["alternatives"]),
        ("alternatives=2", ABLE, []),
        ("model=nova-3&keyterm=Acme", Abilities(), []),
        ("model=nova-2&keywords=acme:2", ABLE, ["keywords"]),
        ("redact=pii", ABLE, ["redact"]),
        ("redact=phi&redact=drug", ABLE, ["redact"]),
        ("redact=phone_number&redact=true&redact=ssn", ABLE, []),
        ("summarize=v2&topics=true&paragraphs=false", ABLE, ["summarize", "topics"]),
    ],
)
def test_pretences(query, abilities, parameters):
    assert [pretence.parameter for pretence in pretences(request(query), abilities)] == parameters


def test_all_of_it_is_one_sentence_each():
    assert warning([Pretence("a", "it is not"), Pretence("b", "nor is it")]) == (
        "This local server only pretends a part of what was asked for. a: it is not. b: nor is it."
    )


def test_what_is_not_taken_out_is_named():
    (pretence,) = pretences(request("redact=phi&redact=pci&redact=drug"), ABLE)

    assert pretence.message == "nothing is taken out for drug, phi"
