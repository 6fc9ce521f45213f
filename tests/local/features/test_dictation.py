"""Spoken punctuation: the example and the list of docs/dictation."""

import pytest

from bridge.local.features.dictation import dictated
from tests.fakes.saying import bare, said, text


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        (
            "Patient presents with a headache comma nausea comma and vomiting period they report the headache started "
            "two days ago period vital signs are within normal limits period",
            "Patient presents with a headache, nausea, and vomiting. They report the headache started two days ago. "
            "Vital signs are within normal limits.",
        ),
        ("is it question mark yes exclamation mark", "is it? Yes!"),
        ("stop exclamation point", "stop!"),
        ("note colon it works", "note: it works"),
        ("one new line two", "one <\n> Two"),
        ("one new paragraph two", "one <\n\n> Two"),
        ("hello, comma there", "hello, there"),
        ("comma hello", ", hello"),
        ("a new question about the exclamation", "a new question about the exclamation"),
        ("period.", "."),
        ("", ""),
    ],
)
def test_commands_become_marks(spoken, written):
    assert text(dictated(said(spoken))) == written


def test_a_mark_is_no_part_of_the_bare_word():
    assert bare(dictated(said("hello comma world"))) == "hello world"
