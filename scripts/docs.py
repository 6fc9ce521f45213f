"""The reference of settings and events, made from the types: the pages say what the code's own docstrings say.

docs            which pages are stale
docs --write    makes their parts again

A part of a page stands between `<!-- NAME: made by … -->` and `<!-- end of NAME -->`. In the README
rows of the settings' table are made again wherever one begins with the name of a setting.
"""

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pydantic.fields import FieldInfo  # noqa: E402

from bridge.config import Settings  # noqa: E402
from bridge.contract.events import event_schemas, name_of  # noqa: E402
from bridge.contract.schemas import REF, Schema, references  # noqa: E402
from bridge.events import EVENT_TYPES, Event, timestamp  # noqa: E402
from scripts.events import SAID  # noqa: E402

DOCS = ROOT / "bridge" / "docs"
README = ROOT / "README.md"

WIDTH = 120

STARTED_AT = 1_795_168_800.0  # 2026-11-20T10:00:00Z

GROUPS = {
    "host": "The server",
    "deepgram_url": "Deepgram",
    "webhook_url": "Webhooks",
    "twilio_account_sid": "Carriers",
    "data_dir": "Where the record is kept",
    "bridge_twilio_transcription_url": "Twilio's own format, and its API",
    "bridge_dial": "What a call does, and what it may say",
    "bridge_max_calls": "Bounds",
    "bridge_chunk_ms": "Audio on its way",
    "bridge_recordings": "What is kept, and for how long",
    "bridge_redact": "Redaction",
    "bridge_read_tokens": "Who may read",
    "bridge_flush_timeout": "The stop and the start",
    "bridge_metrics": "Metrics and logs",
}
"""The setting that a group begins with, and its title; the others follow in the order of the class."""

SAME = {"transcript.final": "transcript.interim"}
"""A type, and the one before it that has its fields."""

_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def settings() -> str:
    """A table for each group."""
    lines = _prose(" · ".join(map(_link, GROUPS.values())))
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            lines += ["", f"## {GROUPS[name]}", "", "| name | default | takes | what |", "|---|---|---|---|"]
        lines.append(f"| `{name.upper()}` | {default(field)} | {taken(field)} | {field.description} |")
    return "\n".join(lines).strip()


def short_row(name: str) -> str:
    """A setting's row in the README."""
    field = Settings.model_fields[name.lower()]
    return f"| `{name}` | {default(field)} | {field.description} |"


def default(field: FieldInfo) -> str:
    """As it would be written in the environment."""
    if field.default in (None, ""):
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def taken(field: FieldInfo) -> str:
    """Its values, where they are few or lie between bounds; else its description says what it takes."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if kind is bool:
            return "`true`, `false`"
        if get_origin(kind) is Literal:
            return ", ".join(f"`{value}`" for value in get_args(kind))
    bounds = {name: value for part in field.metadata for name, value in _bounds(part)}
    least, most = bounds.get("ge"), bounds.get("le")
    low = f"above {bounds['gt']}" if "gt" in bounds else f"{least}" if least is not None else ""
    said = f"{low}, up to {most}" if "gt" in bounds else f"{low} to {most}" if most is not None else f"from {low}"
    if not bounds:
        return ""
    return said + (f", in steps of {bounds['multiple_of']}" if "multiple_of" in bounds else "")


def _bounds(part: Any) -> Iterator[tuple[str, Any]]:
    for name in ("gt", "ge", "le", "multiple_of"):
        if (value := getattr(part, name, None)) is not None:
            yield name, f"{value:g}" if isinstance(value, float) and value < 1e6 else f"{value}"


def events() -> str:
    """Every type of event with its fields and an example, and after them what fields are made of."""
    schemas = event_schemas()
    parts: list[str] = []
    lines = _prose(" · ".join(map(_link, EVENT_TYPES)))
    for kind, data in EVENT_TYPES.items():
        schema = schemas[data.__name__]
        number = "" if data.durable else " It has no `seq`, is not kept, and is never tried again."
        fields = _fields(schema) if kind not in SAME else [f"The fields of {_link(SAME[kind])}."]
        lines += ["", f"## {kind}", "", *_prose(schemas[name_of(data)]["description"] + number), "", *fields, ""]
        lines += ["```json", example(kind), "```"]
        parts += references(schema)
    lines += ["", "## What fields are made of"]
    for name in _reached(parts, schemas):
        said = schemas[name].get("description", "")
        lines += ["", f"### {name}", "", *_prose(said), *([""] if said else []), *_fields(schemas[name])]
    return "\n".join(lines).strip()


def example(kind: str) -> str:
    """An event of this type, as it is posted."""
    seq, second, said = SAID[kind]
    data = EVENT_TYPES[kind].model_validate(said)
    event = Event("CA1", seq or None, f"CA1-{seq or '9f3a60c1'}", timestamp(STARTED_AT + second), data)
    return packed(json.loads(event.to_json()))


def packed(value: Any, indent: int = 0, after: int = 0) -> str:
    """JSON in few lines, none of them longer than need be. `after`: octets that follow on the last line."""
    whole = json.dumps(value, ensure_ascii=False)
    if indent + len(whole) + after <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return whole
    left, right = ("{", "}") if isinstance(value, dict) else ("[", "]")
    items = list(value.items()) if isinstance(value, dict) else [(None, each) for each in value]
    text, column, inner = left, indent + 1, indent + 1
    for place, (name, each) in enumerate(items):
        key = "" if name is None else f"{json.dumps(name)}: "
        flat = key + json.dumps(each, ensure_ascii=False)
        if place and (column + 1 + len(flat) + 1 > WIDTH or isinstance(each, dict)):
            text, column = f"{text}\n{' ' * inner}", inner
        elif place:
            text, column = f"{text} ", column + 1
        text += key + packed(each, column + len(key), 1 + after) + ("," if place < len(items) - 1 else right)
        column = len(text) - text.rfind("\n") - 1 + (indent if "\n" not in text else 0)
    return text


def _reached(names: list[str], schemas: Mapping[str, Schema]) -> list[str]:
    """These and all that they are made of, each once."""
    found: list[str] = []
    while names:
        if (name := names.pop(0)) not in found:
            found.append(name)
            names += references(schemas[name])
    return found


def _fields(schema: Schema) -> list[str]:
    if not schema["properties"]:
        return ["No fields."]
    rows = [
        f"| `{name}` | {_kind(value)}{'' if name in schema['required'] else ', or left out'} | "
        f"{_joined(value.get('description', ''))} |"
        for name, value in schema["properties"].items()
    ]
    return ["| field | type | what |", "|---|---|---|", *rows]


def _prose(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += ["", *textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)]
    return lines[1:]


def _link(title: str) -> str:
    """A heading of the same page, by the anchor that GitHub gives it."""
    return f"[{title}](#{re.sub(r'[^a-z0-9_ -]', '', title.lower()).replace(' ', '-')})"


def _joined(text: str) -> str:
    """What is said, on one line of a table."""
    return re.sub(r"\n+", "<br>", text).replace("|", "\\|")


def _kind(value: Schema) -> str:
    """A type in words."""
    if "$ref" in value:
        return _link(value["$ref"].removeprefix(REF))
    if "anyOf" in value:
        return " or ".join(_kind(each) for each in value["anyOf"])
    if values := value.get("enum") or ([value["const"]] if "const" in value else []):
        return ", ".join("null" if each is None else f"`{json.dumps(each).strip(chr(34))}`" for each in values)
    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    return " or ".join(_plain(kind, value) for kind in types)


def _plain(kind: str, value: Schema) -> str:
    if kind == "array":
        return f"list of {_kind(value['items'])}"
    if kind == "object":
        return f"{_kind(value['additionalProperties'])} by name"
    return "time" if value.get("format") == "date-time" and kind == "string" else _KINDS.get(kind, kind)


MADE: Mapping[str, tuple[Path, Callable[[], str]]] = {
    "settings": (DOCS / "settings.md", settings),
    "events": (DOCS / "events.md", events),
}
"""The parts, by their names."""


def pages() -> dict[Path, str]:
    """What every page with a part of ours should be."""
    found: dict[Path, str] = {}
    for name, (path, make) in MADE.items():
        text = found.get(path) or path.read_text()
        begin, end = f"<!-- {name}: made by ./scripts/docs --write -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, there, after = rest.partition(end)
        if not there:
            raise SystemExit(f"{path.relative_to(ROOT)} has no place for {name}")
        found[path] = f"{before}{begin}\n\n{make()}\n\n{end}{after}"
    row = re.compile(rf"^\| `({'|'.join(map(str.upper, Settings.model_fields))})` \| .* \|$", re.MULTILINE)
    found[README] = row.sub(lambda match: short_row(match[1]), README.read_text())
    return found


def stale() -> list[str]:
    """The pages that are not as the code is."""
    return [str(path.relative_to(ROOT)) for path, text in pages().items() if path.read_text() != text]


def main() -> int:
    """Check, or write; how many pages are stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="Make the parts again")
    if parser.parse_args().write:
        for path, text in pages().items():
            path.write_text(text)
    for name in (found := stale()):
        print(f"{name} is not as the code is: run ./scripts/docs --write", file=sys.stderr)
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
