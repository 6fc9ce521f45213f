"""What the source says of a type's fields: the docstring under each, and under the names that its type is made of.

Python keeps no docstrings of fields, so the source is read. Where there is none, nothing is said of them.
"""

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from functools import cache

_NAMES = {"None": "null", "True": "true", "False": "false"}
_PYTHON = re.compile(r"(?<![`\w])(None|True|False)(?![`\w])")


@dataclass(frozen=True, slots=True)
class _Field:
    said: str
    names: tuple[str, ...]
    """That its type is made of."""


@dataclass(frozen=True, slots=True)
class _Source:
    classes: dict[str, dict[str, _Field]]
    aliases: dict[str, str]
    """What is said of a name that stands for a type."""
    imports: dict[str, str]
    """Name to module."""


def fields(kind: type) -> dict[str, str]:
    """What is said of each field of a class, those of its bases among them; `from_` is called `from`."""
    found: dict[str, str] = {}
    for base in reversed(_bases(kind)):
        for name, field in _source(base.__module__).classes.get(base.__name__, {}).items():
            words = [field.said, *(_alias(base.__module__, part) for part in field.names)]
            if said := "\n\n".join(filter(None, words)):
                found[name.rstrip("_")] = said
    return found


def text(docstring: str) -> str:
    """A docstring as one line a paragraph, with JSON's names for what Python calls None, True and False."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(docstring))
    joined = "\n\n".join(_joined(paragraph) for paragraph in paragraphs)
    return _PYTHON.sub(lambda match: _NAMES[match[1]], joined)


def _joined(paragraph: str) -> str:
    """Lines of a paragraph are one line, but for a list of values, of which each begins its own."""
    return re.sub(r"\n(?!`[\w.]+`: )", " ", re.sub(r"\n\s+", "\n", paragraph.strip()))


def _bases(kind: type) -> list[type]:
    """A class and what it is made of; a TypedDict keeps its bases apart."""
    found = list(kind.__mro__)
    for base in getattr(kind, "__orig_bases__", ()):
        if isinstance(base, type) and base not in found:
            found += _bases(base)
    return found


def _alias(module: str, name: str) -> str:
    source = _source(module)
    if name in source.aliases:
        return source.aliases[name]
    return _alias(source.imports[name], name) if name in source.imports else ""


@cache
def _source(module: str) -> _Source:
    source = _Source({}, {}, {})
    if not module.startswith("bridge.") or module not in sys.modules:
        return source
    try:
        body = ast.parse(inspect.getsource(sys.modules[module])).body
    except OSError:  # installed without its source
        return source
    for node in body:
        if isinstance(node, ast.ClassDef):
            source.classes[node.name] = dict(_said(node))
        elif isinstance(node, ast.ImportFrom) and node.module:
            source.imports.update({name.asname or name.name: node.module for name in node.names})
    source.aliases.update(_documented(body))
    return source


def _said(node: ast.ClassDef) -> list[tuple[str, _Field]]:
    after = [*node.body[1:], None]
    return [
        (field.target.id, _Field(_docstring(following), _names(field.annotation)))
        for field, following in zip(node.body, after, strict=True)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    ]


def _documented(body: list[ast.stmt]) -> dict[str, str]:
    """Names that are assigned, and have a docstring."""
    return {
        node.targets[0].id: said
        for node, following in zip(body, body[1:], strict=False)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (said := _docstring(following))
    }


def _docstring(node: ast.stmt | None) -> str:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return text(node.value.value) if is_text else ""  # type: ignore[union-attr]


def _names(annotation: ast.expr) -> tuple[str, ...]:
    return tuple(node.id for node in ast.walk(annotation) if isinstance(node, ast.Name))
