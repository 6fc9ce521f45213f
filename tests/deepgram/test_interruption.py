"""What is told of an interruption, and how often."""

from bridge.deepgram.exchange import Interrupted, Resumed
from bridge.deepgram.interruption import Interruption


def lost(reason="gone", status=1011, origin="one", attempt=1):
    return Interrupted(reason, status, None, attempt, 0.0, True, origin)


BACK = Resumed(1, 0.0, "r", "two")


def test_the_same_trouble_is_told_once_at_each_origin():
    interruption = Interruption()
    told = [*map(interruption.begin, [lost(), lost(attempt=2), lost(origin="two"), lost(status=None), lost()])]

    assert [len(each) for each in told] == [1, 0, 1, 1, 0]
    assert interruption.now == (1011, "gone")


def test_that_it_is_back_is_told_once_with_the_first_answer():
    interruption = Interruption()
    interruption.begin(lost())
    interruption.reopened(BACK)

    assert interruption.now is not None
    assert interruption.answered() == [BACK]
    assert interruption.now is None
    assert interruption.answered() == []
    assert interruption.begin(lost()) == [lost()]  # another one


def test_a_socket_that_is_taken_and_closed_at_once_is_no_news():
    interruption = Interruption()
    interruption.begin(lost())
    interruption.reopened(BACK)
    interruption.begin(lost(attempt=2))

    assert interruption.answered() == []
