"""A scenario is its seed's, and what it says of a call can be played."""

import pytest

from bridge.local.script import decode
from tests.chaos import chance, scenario
from tests.chaos.speech import Speech


@pytest.fixture(scope="module")
def full():
    return chance.make(7, chance.FULL)


def test_a_seed_is_a_scenario(full):
    assert chance.make(7, chance.FULL) == full
    assert chance.make(8, chance.FULL) != full


def test_calls_are_the_same_alone(full):
    alone = scenario.only(full, frozenset((3, 150)))

    assert alone.calls == (full.calls[3], full.calls[150])
    assert alone.settings == full.settings
    assert set(alone.kills) <= set(full.kills)


def test_there_is_some_of_everything(full):
    """A run in which a fault never happens proves nothing about it."""
    kinds = {window.kind for seed in range(5) for window in chance.make(seed, chance.FULL).deepgram}
    posts = {window.kind for seed in range(5) for window in chance.make(seed, chance.FULL).webhook}
    asked = {name for call in full.calls for faults in call.connections for name in _given(faults)}

    assert kinds == {"503", "429", "401", "down", "cut"}
    assert posts == {"500", "down", "slow"}
    assert asked >= {"drop_after", "close_after", "stop_answering_after", "stop_reading_after", "refuse", "metadata"}
    for befallen in ("late", "losses", "repeated", "reordered", "garbage_every", "two_starts", "breaks", "webhook"):
        assert 0 < sum(bool(getattr(call, befallen)) for call in full.calls) < len(full.calls), befallen
    assert {call.stops for call in full.calls} == {True, False}
    forks = [call.fork for call in full.calls if call.fork]
    assert 0 < len(forks) < len(full.calls)
    assert {fork.split for fork in forks} == {True, False}
    assert {(fork.first_ends is None, fork.first_stops) for fork in forks} >= {(False, True), (False, False)}
    assert {call.asked for call in full.calls} == {None, 0.1, 0.3, 1.0}
    assert {chance.make(seed, chance.FULL).settings["BRIDGE_STOP"] for seed in range(9)} == {"keep", "end"}


def test_finals_may_be_altered(full):
    altered = chance.altered(full)

    for name in ("lose_finals", "late_finals", "odd_words"):
        assert any(getattr(faults, name) for call in altered.calls for faults in call.connections)
        assert not any(getattr(faults, name) for call in full.calls for faults in call.connections)


def _given(faults):
    return {name for name, field in type(faults).__dataclass_fields__.items() if getattr(faults, name) != field.default}


def test_windows_do_not_reach_into_each_other():
    for seed in range(20):
        for windows in (chance.make(seed, chance.FULL).deepgram, chance.make(seed, chance.SHORT).webhook):
            for one, other in zip(windows, windows[1:], strict=False):
                assert one.begins <= one.ends < other.begins


def test_the_disk_is_full_while_nothing_strikes():
    for seed in range(20):
        plan = chance.make(seed, chance.FULL)
        assert plan.full
        for begins, ends in plan.full:
            assert not any(begins - 3.9 < strike < ends + 1.9 for strike in (*plan.kills, *plan.restarts, plan.stops))


def test_some_calls_are_still_talking_at_the_end(full):
    talking = [call for call in full.calls if call.starts < full.stops < call.starts + call.seconds]

    assert 3 <= len(talking) < 40


def test_a_plan_says_what_befalls_a_call(full):
    for call in full.calls:
        assert sum(line.startswith("Deepgram socket") for line in call.describe()) == len(call.connections)
    assert any("SIGTERM" in line for line in full.describe())


def test_every_word_sounds_like_itself():
    plans = chance.make(7, chance.SHORT).calls[:3]
    speech = Speech(plans)

    for plan in plans:
        words, sound = speech.words(plan), speech.sound(plan)
        for channel, audio in enumerate(sound):
            heard = {speech.script.words[group.word].word for group in decode(audio)}
            assert heard == {word.name for word in words if word.channel == channel}
        assert all(word.end <= plan.seconds for word in words)
    assert len({word.name for plan in plans for word in speech.words(plan)}) == len(speech.script.words)
