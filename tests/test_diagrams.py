"""Every machine's table can be drawn, and the drawing leaves nothing of it out."""

import importlib
import re
from enum import Enum, auto

import pytest

from scripts.diagrams import draw, machines, main

ARROW = re.compile(r" {4}(\w+|\[\*\]) --> (\w+|\[\*\])(?:: (\w+(?:, \w+)*))?")


class Lamp(Enum):
    OFF = auto()
    ON = auto()
    BROKEN = auto()


class Hand(Enum):
    PRESS = auto()
    TURN = auto()
    DROP = auto()


def arrows(drawing):
    """As (from, to, trigger)."""
    title, *lines = drawing.splitlines()
    assert title == "stateDiagram-v2"
    found = [ARROW.fullmatch(line).groups() for line in lines]
    return {(state, after, trigger) for state, after, names in found for trigger in (names or "").split(", ")}


def test_triggers_between_the_same_states_share_an_arrow():
    table = {
        Lamp.OFF: {Hand.PRESS: Lamp.ON, Hand.TURN: Lamp.ON},
        Lamp.ON: {Hand.DROP: Lamp.BROKEN},
        Lamp.BROKEN: {Hand.DROP: Lamp.BROKEN},
    }

    assert draw(table).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> OFF",
        "    OFF --> ON: PRESS, TURN",
        "    ON --> BROKEN: DROP",
        "    BROKEN --> BROKEN: DROP",
        "    BROKEN --> [*]",
    ]


def test_a_table_without_triggers_is_drawn_without_labels():
    table = {Lamp.OFF: {Lamp.BROKEN, Lamp.ON}, Lamp.ON: frozenset({Lamp.OFF}), Lamp.BROKEN: frozenset()}

    assert draw(table).splitlines()[1:] == [
        "    [*] --> OFF",
        "    OFF --> ON",
        "    OFF --> BROKEN",
        "    ON --> OFF",
        "    BROKEN --> [*]",
    ]


def test_the_machines_are_found():
    assert {"bridge.call.states", "bridge.deepgram.ending", "bridge.deepgram.states"} <= set(machines())


@pytest.mark.parametrize("name", machines())
def test_every_state_and_every_trigger_of_a_machine_appears(name):
    module = importlib.import_module(name)
    drawn = arrows(draw(module.TRANSITIONS))

    assert {state for state, _, _ in drawn} - {"[*]"} == {state.name for state in module.State}
    if hasattr(module, "Trigger"):
        ways = {
            (state.name, after.name, trigger.name)
            for state, following in module.TRANSITIONS.items()
            for trigger, after in following.items()
        }
        assert ways == {arrow for arrow in drawn if "[*]" not in arrow}
        assert {trigger for _, _, trigger in ways} == {trigger.name for trigger in module.Trigger}


def test_a_machine_is_chosen_by_its_name(capsys):
    main(["bridge.deepgram.ending"])

    printed = capsys.readouterr().out
    assert printed.startswith("## bridge.deepgram.ending\n\n```mermaid\nstateDiagram-v2\n    [*] --> GOING_ON\n")
    assert printed.count("##") == 1
