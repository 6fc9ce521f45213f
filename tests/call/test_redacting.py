"""The timer of the redaction; what it decides is tested with the machine."""

import asyncio

import pytest

from bridge.call.redacting import Redacting
from bridge.clock import SystemClock
from bridge.redaction.redactor import Redactor
from bridge.redaction.rules import Rules
from tests.fakes.calls import HandClock
from tests.fakes.redaction import heard

CARDS = Rules(frozenset(("card",)))


@pytest.fixture
def told():
    return []


def redacting(told, rules=CARDS, clock=None):
    return Redacting(Redactor(rules), clock or HandClock(), lambda messages: told.append([m.text for m in messages]))


async def test_what_may_be_told_is_told_at_once(told):
    redacting(told).receive(heard("Hello."))

    assert told == [["Hello."]]


async def test_what_is_held_is_told_when_the_time_has_come(told, monkeypatch):
    monkeypatch.setattr("bridge.redaction.redactor.PATIENCE", 0.0)
    one = redacting(told, clock=SystemClock())
    one.receive(heard("room 4111"))
    while len(told) < 2:
        await asyncio.sleep(0)

    assert told == [["room [digits]"], ["room 4111"]]
    assert one.held_from is None


async def test_the_end_leaves_no_timer(told):
    one = redacting(told)
    one.receive(heard("it's 4111 1111"))
    assert one.held_from == 0
    one.finish(cut=True)

    assert told[-1] == ["it's [card]"]
    assert (one.held_from, one._timer) == (None, None)


async def test_without_rules_nothing_is_looked_at(told):
    redacting(told, Rules(), clock=None).receive(heard("4111 1111 1111 1111"))

    assert told == [["4111 1111 1111 1111"]]
    assert redacting(told, Rules()).veiled("4111") == "4111"
