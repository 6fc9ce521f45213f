"""When a process is started again, with the test's own seconds."""

from bridge.restarts import CANNOT, Restarts


def test_the_pause_doubles_while_it_ends_soon_up_to_a_bound():
    restarts = Restarts(first=1.0, longest=10.0, well=60.0)

    assert [restarts.ended(1, 1, 5.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_one_that_has_worked_is_started_again_soon():
    restarts = Restarts(first=1.0, longest=10.0, well=60.0)
    for _ in range(5):
        restarts.ended(1, 137, 0.0)

    assert restarts.ended(1, 137, 60.0) == 1.0
    assert restarts.ended(1, 137, 0.0) == 2.0


def test_each_process_has_its_own_pause():
    restarts = Restarts()
    restarts.ended(1, 1, 0.0)
    restarts.ended(1, 1, 0.0)

    assert restarts.ended(2, 1, 0.0) == 1.0


def test_one_that_cannot_begin_the_first_time_is_not_started_again():
    assert Restarts().ended(1, CANNOT, 2.0) is None


def test_one_that_has_begun_is_started_again_whatever_it_says():
    restarts = Restarts(well=60.0)

    assert restarts.ended(1, CANNOT, 61.0) == 1.0, "it has worked"
    assert restarts.ended(1, CANNOT, 1.0) == 2.0, "the database is away, and may come back"
    assert restarts.ended(2, 0, 1.0) == 1.0, "someone has stopped it alone"
