"""What is told of an interruption, and how often."""

from bridge.deepgram.exchange import Interrupted, Resumed
from bridge.deepgram.interruption import Interruption
from bridge.deepgram.messages import Refusal


def lose(interruption, reason="gone", status=1011, origin="one", attempt=1, retry=True):
    return interruption.begin(Refusal(status, reason, None), attempt, 0.0, origin, retry=retry)


LOST = Interrupted("gone", 1011, None, 1, 0.0, True, "one")
BACK = (1, 0.0, "r", "two")


def test_the_same_trouble_is_told_once_at_each_origin():
    interruption = Interruption()
    cases = ({}, {"attempt": 2}, {"origin": "two"}, {"status": None}, {})

    assert [len(lose(interruption, **case)) for case in cases] == [1, 0, 1, 1, 0]
    assert interruption.now == (1011, "gone")


def test_that_it_will_not_heal_by_itself_any_more_is_told():
    interruption = Interruption()

    assert [len(lose(interruption, retry=retry)) for retry in (True, False, False)] == [1, 1, 0]


def test_that_it_is_back_is_told_once_with_the_first_answer():
    interruption = Interruption()
    lose(interruption)
    interruption.reopened(*BACK)

    assert interruption.now is not None
    assert interruption.answered() == [Resumed(*BACK)]
    assert interruption.now is None
    assert interruption.answered() == []
    assert lose(interruption) == [LOST]  # another one


def test_a_socket_that_is_taken_and_closed_at_once_is_no_news():
    interruption = Interruption()
    lose(interruption)
    interruption.reopened(*BACK)
    lose(interruption, attempt=2)

    assert interruption.answered() == []
