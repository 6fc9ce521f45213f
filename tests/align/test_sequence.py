from bridge.align.sequence import MAX_GAPS, Sequence


def sequence(*numbers: int) -> Sequence:
    noted = Sequence()
    for number in numbers:
        noted.receive(number)
    return noted


def test_nothing_is_missing_where_every_number_came() -> None:
    noted = sequence(2, 3, 4, 5)

    assert noted.expected == 6
    assert noted.missing(2, 5) == 0


def test_a_leap_leaves_numbers_missing_between_those_that_came() -> None:
    noted = sequence(2, 3, 7, 8, 10)

    assert noted.missing(3, 7) == 3
    assert noted.missing(7, 8) == 0
    assert noted.missing(2, 10) == 4
    assert noted.missing(7, 10) == 1


def test_a_number_that_comes_late_is_new_and_missing_no_more() -> None:
    noted = sequence(2, 6)

    assert noted.receive(4) is True
    assert noted.missing(2, 6) == 2
    assert noted.receive(3) is True
    assert noted.receive(5) is True
    assert noted.missing(2, 6) == 0
    assert noted.expected == 7


def test_a_number_that_came_before_is_not_new() -> None:
    noted = sequence(2, 3, 6)

    assert [noted.receive(number) for number in (2, 3, 6, 5, 5)] == [False, False, False, True, False]


def test_a_number_below_the_first_may_still_come() -> None:
    noted = sequence(3)

    assert noted.receive(2) is True
    assert noted.receive(2) is False
    assert noted.missing(2, 3) == 0


def test_the_first_number_may_be_any() -> None:
    for first in (0, 1, -5, 10**12):
        assert sequence(first).expected == first + 1


def test_numbers_that_begin_again_are_counted_anew() -> None:
    noted = sequence(5000, 5001)

    assert [noted.receive(number) for number in (1, 2, 4)] == [True, True, True]
    assert noted.expected == 5
    assert noted.missing(2, 4) == 1


def test_memory_is_bounded_and_the_newest_gaps_are_kept() -> None:
    noted = sequence(*range(0, 100 * MAX_GAPS, 3))

    last = 100 * MAX_GAPS // 3 * 3
    assert len(noted._gaps) == MAX_GAPS
    assert noted.missing(last - 30, last) == 20


def test_memory_is_bounded_when_gaps_are_split_too() -> None:
    noted = sequence(0, 10**6)
    for number in range(10**6 - 900, 10**6, 3):
        assert noted.receive(number) is True

    assert len(noted._gaps) <= MAX_GAPS


def test_a_number_a_thousand_back_is_late_and_one_before_it_begins_anew() -> None:
    sequence = Sequence()
    sequence.receive(2000)

    assert sequence.receive(1001)
    assert sequence.expected == 2001
    assert sequence.receive(1000)
    assert sequence.expected == 1001


def test_before_the_first_number_all_from_1_on_may_be_on_their_way() -> None:
    sequence = Sequence()
    sequence.receive(5)

    assert sequence.missing(0, 5) == 4


def test_the_newest_256_gaps_are_remembered() -> None:
    sequence = Sequence()
    for number in range(1, 1000, 2):
        sequence.receive(number)

    assert sequence.missing(0, 1000) == 256


def test_numbers_in_a_row_push_no_gap_out() -> None:
    sequence = Sequence()
    for number in (1, *range(3, 1000)):
        sequence.receive(number)

    assert sequence.missing(0, 1000) == 1
