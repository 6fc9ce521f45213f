"""A mutation changes what it says, and nothing else."""

import json
from random import Random

from tests.fuzz.mutations import field, mutate, paths

SAID = [json.dumps({"event": "media", "number": number, "media": {"payload": "x", "list": [1]}}) for number in range(6)]


def test_every_place_in_a_message_is_found():
    assert set(paths(json.loads(SAID[0]))) == {
        ("event",),
        ("number",),
        ("media",),
        ("media", "payload"),
        ("media", "list"),
        ("media", "list", 0),
    }


def test_one_message_is_changed_at_most():
    whats = set()
    for seed in range(500):
        mutation = mutate(SAID, Random(seed))
        whats.add(mutation.what.split(" ")[0])
        others = [text for number, text in enumerate(SAID) if number != mutation.at]
        assert [text for text in mutation.messages if text in others] == others or mutation.moved
        if mutation.moved:
            assert set(mutation.messages) == set(SAID)
    assert {"dropped", "came", "moved", "its"} <= whats


def test_the_same_chance_makes_the_same_input():
    assert field(SAID[0], Random(5)) == field(SAID[0], Random(5))
