"""What the source says of a type."""

from bridge.contract import docstrings
from bridge.events import CallEnded, CallStarted, TranscriptFinal
from bridge.outbox import CallHeader


def test_a_field_has_its_docstring_those_of_bases_too():
    said = docstrings.fields(TranscriptFinal)

    assert said["segment_id"] == "Stable from the first interim to the final."
    assert said["from_finalize"] == "Deepgram was asked for it before the speaker paused."


def test_a_name_of_python_is_that_of_json():
    assert docstrings.fields(CallStarted)["from"].startswith("Who calls")
    assert docstrings.fields(CallHeader)["direction"].startswith("null where it is not known.")


def test_what_a_type_stands_for_is_said_where_it_is_used():
    assert "`stopped`: the carrier ended the stream" in docstrings.fields(CallEnded)["reason"]


def test_a_paragraph_is_one_line_and_a_list_keeps_its_lines():
    given = """One
    and two.

    `a`: first,
    and on.
    `b`: second.
    """
    assert docstrings.text(given) == "One and two.\n\n`a`: first, and on.\n`b`: second."


def test_names_in_backticks_stay():
    assert docstrings.text("None, `None`, True: nothing.") == "null, `None`, true: nothing."


def test_what_has_no_source_says_nothing():
    made = type("Made", (), {"__module__": "bridge.nowhere"})

    assert docstrings.fields(made) == {}
