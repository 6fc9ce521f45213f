from bridge.align.gaps import Gap, Gaps
from bridge.audio import seconds
from tests.fakes.gaps import gap

SECOND = 8000


def gaps() -> tuple[Gaps, list[Gap]]:
    told: list[Gap] = []
    return Gaps("inbound", told), told


def test_a_gap_is_told_in_seconds_when_a_second_has_passed_since() -> None:
    noted, told = gaps()

    noted.add(1 * SECOND, 1 * SECOND + 160, "lost")
    noted.reached(2 * SECOND + 159)
    assert told == []
    noted.reached(2 * SECOND + 160)
    assert told == [gap("inbound", 1.0, 1.02, 0.02, "lost")]
    noted.reached(9 * SECOND)
    noted.tell()
    assert len(told) == 1


def test_gaps_less_than_a_second_apart_are_one() -> None:
    noted, told = gaps()

    noted.add(0, 160, "lost")
    noted.add(4000, 4320, "lost")
    noted.tell()

    assert told == [gap("inbound", 0.0, 0.54, 0.06, "lost")]


def test_gaps_a_second_apart_are_two() -> None:
    noted, told = gaps()

    noted.add(0, 160, "lost")
    noted.add(160 + SECOND, 320 + SECOND, "lost")
    noted.tell()

    assert [gap.missing for gap in told] == [160, 160]


def test_a_record_is_closed_once_it_spans_a_second_so_that_loss_without_end_is_told() -> None:
    noted, told = gaps()

    for start in range(0, 60 * SECOND, 3200):
        noted.add(start, start + 160, "lost")
    noted.tell()

    assert 30 <= len(told) <= 60
    assert sum(gap.missing for gap in told) == 60 * SECOND // 3200 * 160
    assert all(gap.span.length < 1.5 * 8000 for gap in told)


def test_a_long_gap_is_told_at_once() -> None:
    noted, told = gaps()

    noted.add(0, 90 * SECOND, "not_sent")

    assert told == [gap("inbound", 0.0, 90.0, 90.0, "not_sent")]


def test_the_gravest_cause_names_the_record() -> None:
    for causes, named in (
        (("not_sent", "late"), "late"),
        (("late", "not_sent"), "late"),
        (("late", "lost"), "lost"),
        (("lost", "not_sent"), "lost"),
    ):
        noted, told = gaps()
        for index, why in enumerate(causes):
            noted.add(index * 1600, index * 1600 + 160, why)
        noted.tell()
        assert [gap.why for gap in told] == [named]


def test_a_cause_of_ones_own_has_a_record_of_its_own() -> None:
    noted, told = gaps()

    noted.add(0, 160, "lost")
    noted.add(320, 480, "carrier_reconnected")
    noted.add(640, 800, "lost")
    noted.tell()

    assert [(seconds(each.span.start), each.why) for each in told] == [
        (0.0, "lost"),
        (0.04, "carrier_reconnected"),
        (0.08, "lost"),
    ]


def test_nothing_noted_nothing_told() -> None:
    noted, told = gaps()
    noted.reached(10 * SECOND)
    noted.tell()

    assert told == []


def test_a_record_as_long_as_a_second_is_told_at_once() -> None:
    noted, told = gaps()
    noted.add(0, SECOND - 1, "late")
    assert told == []
    noted.add(SECOND - 1, SECOND, "late")

    assert told == [gap("inbound", 0.0, 1.0, 1.0, "late")]
