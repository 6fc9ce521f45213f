import pytest

from bridge.call import CallRefused
from bridge.web.starting import Starting


def test_each_takes_the_place_of_a_call():
    starting = Starting(patience=1.0)
    for name in ("a", "b"):
        starting.check(2, 0.0)
        assert starting.enter(name, 2, 0.0) is None

    with pytest.raises(CallRefused, match="too many calls"):
        starting.check(2, 0.9)
    starting.leave("a")
    starting.check(2, 0.9)


def test_the_oldest_gives_way_when_it_has_been_silent_for_a_while():
    starting = Starting(patience=1.0)
    starting.enter("a", 2, 0.0)
    starting.enter("b", 2, 0.5)

    starting.check(2, 1.0)
    assert starting.enter("c", 2, 1.0) == "a"
    with pytest.raises(CallRefused):
        starting.check(2, 1.1)


def test_where_calls_have_every_place_no_one_comes_in():
    starting = Starting(patience=1.0)
    with pytest.raises(CallRefused):
        starting.check(0, 0.0)
    starting.enter("a", 1, 0.0)
    with pytest.raises(CallRefused):
        starting.check(0, 100.0)


def test_leaving_twice_is_leaving():
    starting = Starting()
    starting.enter("a", 1, 0.0)
    starting.leave("a")
    starting.leave("a")

    assert repr(starting) == "<Starting 0 sockets>"
