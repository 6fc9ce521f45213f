"""The contract on the terminal."""

import json

import pytest

from bridge.cli.schema import schema
from bridge.errors import ConfigError


@pytest.mark.parametrize(("what", "has"), [("openapi", "openapi"), ("asyncapi", "asyncapi"), ("Delivery", "$defs")])
def test_a_document_is_printed(capsys, what, has):
    schema(what)

    assert has in json.loads(capsys.readouterr().out)


def test_types_for_typescript_are_printed(capsys):
    schema("typescript")

    assert "export" in capsys.readouterr().out


def test_what_there_is_not_is_told_with_what_there_is():
    with pytest.raises(ConfigError, match="there is no type Nothing; there are .*CallDetails"):
        schema("Nothing")
