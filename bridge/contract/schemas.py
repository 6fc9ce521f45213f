"""Types as JSON Schema: pydantic's models, typed dictionaries and dataclasses, with what their fields' docstrings say.

What is described is what we write: a field that is always written is required, also where it has a default.
"""

from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from typing_extensions import get_type_hints, is_typeddict

from bridge.contract import docstrings

Schema = dict[str, Any]

REF = "#/components/schemas/"

_SECONDS = frozenset(("start", "end", "at", "from", "to"))
_WALL_CLOCK = ("time", "_time", "_at")


def reference(name: str) -> Schema:
    """A schema that is another one, by its name among the components."""
    return {"$ref": REF + name}


def components(kinds: Iterable[type]) -> dict[str, Schema]:
    """The schemas of these classes, and of all that they are made of, by the names of the classes."""
    classes: dict[str, type] = {}
    kinds = list(kinds)
    for kind in kinds:
        _reach(kind, classes)
    adapters: Any = [(kind, "serialization", TypeAdapter(kind)) for kind in kinds]
    _, schemas = TypeAdapter.json_schemas(adapters, ref_template=REF + "{model}")
    found: dict[str, Schema] = schemas.get("$defs", {})
    return {name: _said(classes[name], schema) for name, schema in sorted(found.items())}


def references(schema: Any) -> Iterator[str]:
    """The names of the components that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(target := schema.get("$ref"), str):
            yield target.removeprefix(REF)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def moved(schema: Any, to: str) -> Any:
    """The schema with its references to components at another place, such as `#/$defs/`."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            return {**schema, "$ref": target.replace(REF, to)}
        return {
            name: {kind: ref.replace(REF, to) for kind, ref in value.items()} if name == "mapping" else moved(value, to)
            for name, value in schema.items()
        }
    return [moved(value, to) for value in schema] if isinstance(schema, list) else schema


def alone(name: str, schemas: dict[str, Schema]) -> Schema:
    """One of the components as a schema that needs no other document: with all that it refers to in `$defs`."""
    needed: dict[str, Schema] = {}
    waiting = list(references(schemas[name]))
    while waiting:
        if (other := waiting.pop()) not in needed:
            needed[other] = schemas[other]
            waiting += references(schemas[other])
    whole = {**schemas[name], **({"$defs": dict(sorted(needed.items()))} if needed else {})}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **moved(whole, "#/$defs/")}


def _reach(kind: Any, found: dict[str, type]) -> None:
    if isinstance(kind, type) and (is_typeddict(kind) or is_dataclass(kind) or issubclass(kind, BaseModel)):
        if found.setdefault(kind.__name__, kind) is not kind:
            raise ValueError(f"two types of the contract are called {kind.__name__}")
        for hint in get_type_hints(kind, include_extras=True).values():
            _reach(hint, found)
    for part in get_args(kind):
        _reach(part, found)


def _said(kind: type, schema: Schema) -> Schema:
    """The schema with what the source says, and without what it says twice."""
    words, properties = docstrings.fields(kind), {}
    for name, given in schema.get("properties", {}).items():
        value = _plain({key: part for key, part in given.items() if key not in ("title", "default")})
        if said := _described(name, value, words.get(name, given.get("description", ""))):
            value["description"] = said
        properties[name] = value
    required = schema.get("required", [])
    if issubclass(kind, BaseModel):
        fields = kind.model_fields.values()
        required = [
            field.serialization_alias or name for name, field in kind.model_fields.items() if not field.exclude_if
        ]
        assert len(fields) == len(properties)
    kept: Schema = {name: schema[name] for name in ("additionalProperties", "minProperties") if name in schema}
    made: Schema = {"type": "object", "properties": properties, "required": required, **kept}
    if kind.__doc__ and schema.get("description"):
        made["description"] = docstrings.text(schema["description"])
    return made


def _described(name: str, value: Schema, said: str) -> str:
    types = value.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "string" in types and name.endswith(_WALL_CLOCK) and "enum" not in value:
        value["format"] = "date-time"
    if name in _SECONDS and "number" in types and "econds" not in said:
        return f"{said} In seconds of the call." if said else "In seconds of the call."
    return said


def _plain(value: Schema) -> Schema:
    """A type that may be null as a list of types, where nothing else is said of it."""
    options = value.get("anyOf", [])
    if (
        len(options) == 2
        and options[1] == {"type": "null"}
        and set(options[0]) <= {"type", "items", "additionalProperties"}
    ):
        kind = options[0]["type"]
        return {**{key: part for key, part in value.items() if key != "anyOf"}, **options[0], "type": [kind, "null"]}
    return value
