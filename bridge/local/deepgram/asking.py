"""What a request wants done with the words, and what of it this server only pretends to do.

Pure. The features themselves are `features`, which knows no parameter's name.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bridge.local.deepgram.request import ListenRequest, read_values
from bridge.local.features import Features
from bridge.local.features.redaction import PARTLY, is_known
from bridge.local.recognition import Abilities

CODE = "ONLY_PRETENDED"
"""Of the warning; the name is ours."""

_NOT_COMPUTED = (
    *("custom_intent", "custom_topic", "detect_language", "detect_topics", "intents", "measurements", "paragraphs"),
    *("sentiment", "summarize", "topics"),
)
"""For recordings alone; a language model would be needed for most."""


class Pretence(NamedTuple):
    """A parameter that is taken, and does not do what Deepgram does with it."""

    parameter: str
    message: str


def features(request: ListenRequest) -> Features:
    """The features that a request asks for."""
    values = read_values(request.query)
    return Features(
        keyterms=tuple(values.get("keyterm", ())),
        dictation=request.asks("dictation"),
        numerals=request.asks("numerals"),
        profanity_filter=request.asks("profanity_filter"),
        replace=tuple(_rule(value) for value in values.get("replace", ())),
        redact=frozenset(values.get("redact", ())) - {"false"},
        detect_entities=request.detect_entities,
        search=tuple(values.get("search", ())),
        alternatives=request.alternatives,
    )


def pretences(request: ListenRequest, abilities: Abilities) -> list[Pretence]:
    """What is only pretended, with recognizers of these abilities."""
    return [*_of_recognizer(request, abilities), *_of_words(request)]


def warning(pretended: list[Pretence]) -> str:
    """All of it in one sentence."""
    return "This local server only pretends a part of what was asked for. " + " ".join(
        f"{parameter}: {message}." for parameter, message in pretended
    )


def _rule(value: str) -> tuple[str, str]:
    find, _, text = value.partition(":")
    return find, text


def _of_recognizer(request: ListenRequest, abilities: Abilities) -> Iterator[Pretence]:
    if request.diarize and not abilities.voices:
        yield Pretence("diarize", "every word is given to speaker 0")
    if request.language == "multi" and not abilities.languages:
        yield Pretence("language", "every word is told to be English")
    elif abilities.only_english and not request.language.lower().startswith("en"):
        yield Pretence("language", "only English is heard")
    if request.alternatives > 1 and not abilities.alternatives:
        yield Pretence("alternatives", "there is one")
    if any(name == "keywords" for name, _ in request.query):
        yield Pretence("keywords", "words are not heard more easily")


def _of_words(request: ListenRequest) -> Iterator[Pretence]:
    asked = sorted(features(request).redact)
    unknown = [option for option in asked if not is_known(option)]
    if unknown:
        yield Pretence("redact", f"nothing is taken out for {', '.join(unknown)}")
    for option in asked:
        if option in PARTLY:
            yield Pretence("redact", f"{option} takes out less than it should: no places, no organizations")
    english = request.language == "multi" or request.language.lower().startswith("en")
    if not english and (asked or request.detect_entities or request.asks("numerals") or request.asks("dictation")):
        yield Pretence("language", "numbers, entities and dictation are understood in English only")
    values = read_values(request.query)
    for name in _NOT_COMPUTED:
        if values.get(name, ["false"])[-1] != "false":
            yield Pretence(name, "it is not computed")
