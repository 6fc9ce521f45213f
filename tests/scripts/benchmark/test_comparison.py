"""What is said of a measurement: ratios, and when it is worth nothing."""

from dataclasses import replace

import pytest
from rich.table import Table

from scripts.benchmark.comparison import Run, add_costs, best, doubts, highest, ratio
from scripts.benchmark.generator import Figures

GOOD = Figures(
    cpu=2.0,
    memory=100.0,
    reads=20.0,
    audio=[1.0, 2.0],
    finals=[3.0, 4.0],
    late=[0.1] * 100,
    own=30.0,
    stolen=0.5,
    foreign=1.0,
)
FLOOR, BRIDGE, SECURE = Run("json", False), Run("", False), Run("", True)


def rows(measured):
    table = Table("", *(run.title for run in measured), "goal")
    add_costs(table, measured)
    return {
        title.strip(): tuple(cells) for title, *cells in zip(*(column.cells for column in table.columns), strict=True)
    }


def test_a_ratio():
    measured = {FLOOR: GOOD, BRIDGE: replace(GOOD, cpu=3.0)}

    assert ratio(measured, BRIDGE, FLOOR) == "1.50"
    assert ratio(measured, BRIDGE, SECURE) == "–"


def test_each_is_shown_beside_the_floor_with_the_same_transport():
    measured = {FLOOR: GOOD, Run("json", True): replace(GOOD, cpu=4.0), SECURE: replace(GOOD, cpu=5.0)}

    assert rows(measured)["× the floor with json"][:3] == ("1.00", "1.00", "1.25")


def test_tls_is_shown_beside_plain():
    measured = {BRIDGE: GOOD, SECURE: replace(GOOD, cpu=2.5)}

    assert rows(measured)["× the same without TLS"] == ("", "1.25", "≤ 1.25")
    assert "× the floor with json" not in rows(measured)


def test_without_tls_nothing_is_said_of_it():
    assert not [title for title in rows({BRIDGE: GOOD}) if "TLS" in title]


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (GOOD, []),
        (replace(GOOD, stolen=2.5), ["The host took the core away too often: measure again."]),
        (replace(GOOD, foreign=9.0), ["Something else ran on the target's core"]),
        (replace(GOOD, late=[5.0] * 100), ["The load itself was late"]),
    ],
)
def test_when_to_measure_again(figures, said):
    found = doubts({BRIDGE: GOOD, SECURE: figures})

    assert len(found) == len(said)
    assert all(doubt.startswith(start) for doubt, start in zip(found, said, strict=True))


def test_a_doubt_is_told_once():
    disturbed = replace(GOOD, stolen=2.5)

    assert len(doubts({BRIDGE: disturbed, SECURE: disturbed})) == 1


def test_the_least_counts():
    assert best([replace(GOOD, cpu=3.0), GOOD, replace(GOOD, cpu=2.5)]) == GOOD


def test_a_disturbed_round_does_not_count_unless_all_are():
    disturbed = replace(GOOD, cpu=1.0, foreign=40.0)

    assert best([disturbed, GOOD]) == GOOD
    assert best([disturbed, replace(disturbed, cpu=0.9)]).cpu == 0.9


@pytest.mark.parametrize(("values", "expected"), [([], 0.0), ([7.0], 7.0), ([1.0] * 50 + [2.0] * 50, 2.0)])
def test_the_highest_of_nearly_all(values, expected):
    assert highest(values) == expected


def test_titles():
    assert [run.title for run in (FLOOR, BRIDGE, SECURE)] == ["floor, json", "bridge", "bridge, TLS"]
