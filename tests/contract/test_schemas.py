"""Types as JSON Schema."""

from dataclasses import dataclass
from typing import Literal, NotRequired

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from bridge.contract.schemas import REF, alone, components, moved, reference, references
from bridge.events import SpeechStarted, TranscriptFinal
from bridge.events.parts import is_none


@dataclass
class Inner:
    size: int


class Model(BaseModel):
    """A model."""

    from_: float = Field(1.0, serialization_alias="from")
    voice: int | None = Field(None, exclude_if=is_none)
    inner: Inner | None = None
    made_at: str = ""


class Answer(TypedDict):
    model: Model
    kind: Literal["a", "b"] | None
    rest: NotRequired[list[str]]


def test_what_is_always_written_is_required_and_what_may_be_left_out_is_not():
    found = components([Answer])

    assert found.keys() == {"Answer", "Model", "Inner"}
    assert found["Answer"]["required"] == ["model", "kind"]
    assert found["Model"]["required"] == ["from", "inner", "made_at"]
    assert found["Model"]["description"] == "A model."


def test_nothing_is_said_that_the_type_says():
    properties = components([Model])["Model"]["properties"]

    assert properties["voice"] == {"type": ["integer", "null"]}
    assert properties["inner"] == {"anyOf": [{"$ref": REF + "Inner"}, {"type": "null"}]}


def test_times_are_told_by_their_names():
    model, started = components([Model])["Model"]["properties"], components([SpeechStarted])["SpeechStarted"]

    assert model["made_at"] == {"type": "string", "format": "date-time"}
    assert model["from"]["description"] == "In seconds of the call."
    assert started["properties"]["at"]["description"].endswith("In seconds of the call.")


def test_two_types_of_one_name_are_refused():
    one, other = (TypedDict("Same", {name: str}) for name in "ab")  # type: ignore[misc]

    with pytest.raises(ValueError, match="two types of the contract are called Same"):
        components([one, other])


def test_a_schema_alone_has_all_that_it_refers_to_and_nothing_else():
    schema = alone("TranscriptFinal", components([TranscriptFinal, SpeechStarted]))

    assert {"Word", "Overlap", "Entity"} <= schema["$defs"].keys()
    assert "SpeechStarted" not in schema["$defs"]
    assert {name.removeprefix("#/$defs/") for name in references(schema)} <= schema["$defs"].keys()


def test_references_move_with_the_names_that_tell_types_apart():
    given = {"oneOf": [reference("A")], "discriminator": {"propertyName": "type", "mapping": {"a": REF + "A"}}}

    assert moved(given, "#/$defs/") == {
        "oneOf": [{"$ref": "#/$defs/A"}],
        "discriminator": {"propertyName": "type", "mapping": {"a": "#/$defs/A"}},
    }
