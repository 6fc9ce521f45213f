"""What several commands take."""

import pytest
import typer

from bridge.cli.arguments import call_id


@pytest.mark.parametrize("call", ["CA0123456789abcdef", "a-b_c", None])
def test_a_calls_id_is_taken_as_it_is(call):
    assert call_id(call) == call


@pytest.mark.parametrize("call", ["", "..", "../x", "a/b", "a b", "a\n", "ä"])
def test_what_could_be_no_calls_id_is_refused(call):
    with pytest.raises(typer.BadParameter, match="letters, digits"):
        call_id(call)
