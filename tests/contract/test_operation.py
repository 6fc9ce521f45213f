"""What a handler says of itself."""

import functools

import pytest

from bridge.contract.operation import Answer, all_operations, documented, operation, operations, text, whole
from tests.fakes.contract import faults


class Handlers:
    """Two of them."""

    @documented("GET /a/{id}", "getA", tag="record", answers={200: Answer("It.")}, refuses={404: "No."})
    async def one(self):
        """Get it.

        Whole.
        """

    async def other(self):
        """Not documented."""


def test_the_docstring_is_what_it_does():
    [one] = all_operations([Handlers])

    assert (one.method, one.path, one.summary, one.what) == ("GET", "/a/{id}", "Get it", "Whole.")


def test_the_names_in_the_path_are_parameters():
    [one] = all_operations([Handlers])

    assert [(each.name, each.place) for each in one.takes] == [("id", "path")]


def test_a_name_in_a_path_that_nothing_is_said_of_is_an_error():
    with pytest.raises(KeyError, match="shoe"):
        operation("GET /a/{shoe}", "x", "", tag="record", answers={})


def test_what_guards_it_refuses_too():
    [one] = all_operations([Handlers])

    assert {401, 403, 404, 503} == one.refuses.keys()
    assert operation("GET /", "x", "", tag="page", guard="open", answers={}).refuses == {}


def test_a_wrapper_says_what_its_handler_says():
    @functools.wraps(Handlers.one)
    async def guarded():
        pass

    assert operations(guarded) == operations(Handlers.one)
    assert operations(Handlers.other) == ()


def test_parameters():
    assert whole("n", "How many.", default=5, least=1, most=9).schema == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "default": 5,
    }
    assert text("q", "Words.", format="date").schema == {"type": "string", "format": "date"}
    assert faults() == []
