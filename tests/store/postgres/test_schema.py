"""The tables, as they are written down."""

import re

import pytest

from bridge.store.postgres import lanes, statements
from bridge.store.postgres.schema import MIGRATIONS

TABLES = dict(
    re.findall(
        r"CREATE (?:UNLOGGED )?TABLE bridge\.(\w+) \((.*?)\n    \)", "".join(sql for sql, _ in MIGRATIONS), re.DOTALL
    )
)

FEW = {"chore", "endpoint", "node"}
"""They do not grow with the calls."""


def test_the_key_of_what_grows_with_the_calls_begins_with_the_calls_id() -> None:
    assert TABLES.keys() >= {"call", "event", "speech", "lane"} | FEW
    for name, columns in TABLES.items():
        if name not in FEW:
            key = re.search(r"PRIMARY KEY \((\w+)|^\s+(\w+) [^,]*? PRIMARY KEY", columns, re.MULTILINE)
            assert key and (key[1] or key[2]) == ("id" if name == "call" else "call_id"), name


def test_what_comes_with_a_later_version_is_added() -> None:
    for sql, oldest in MIGRATIONS[1:]:
        assert not re.search(r"\b(DROP|RENAME|DELETE|NOT NULL(?! DEFAULT))\b", sql), (
            "processes of the version before go on"
        )
        assert oldest <= len(MIGRATIONS)


@pytest.mark.parametrize("module", [statements, lanes])
def test_no_statement_depends_on_a_session_or_a_path_of_schemas(module: object) -> None:
    texts = [
        text
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_")
        for text in (value if isinstance(value, tuple) else [value])
        if isinstance(text, str)
    ]
    assert len(texts) > 10
    for text in texts:
        assert not re.search(r"\bSET (?!\w+ =)|\bset_config\([^)]*false\)|\bPREPARE\b|\bLISTEN\b", text), text
        bare = re.findall(rf"\b(?:FROM|JOIN|INTO|UPDATE) ({'|'.join(TABLES)})\b", text)
        assert not bare, text
