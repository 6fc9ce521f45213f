"""The rows of the table of capacity, and how they are shown."""

import pytest

from scripts.benchmark import capacity
from scripts.benchmark.capacity import Row, cells, markdown, measured, rows
from tests.scripts.benchmark.test_comparison import GOOD


def test_every_feature_is_measured_with_as_many_calls():
    features = [row for row in rows(100, 250) if row.title.startswith("+") or row.title == "no webhook"]

    assert {row.calls for row in features} == {100}
    assert [row.title for row in features if row.tls] == ["+ Deepgram over TLS", "+ all of these"]


def test_steps_go_up_to_the_most_on_one_core():
    plain = [row for row in rows(100, 250) if row.title == "webhook"]

    assert sorted(row.calls for row in plain) == [50, 100, 150, 200, 250]
    assert {row.cores for row in plain} == {1}
    assert [row.calls for row in rows(100, 250) if row.cores == 2] == [100, 200, 200]


def test_a_row_shows_cpu_of_a_core_and_the_delays_that_few_exceed():
    assert cells(Row("webhook", 100), GOOD) == ["100", "webhook", "20", "100", "2.0", "4.0"]
    assert cells(Row("webhook", 400), "too many")[2:] == ["too many", "–", "–", "–"]


def test_the_page_gets_a_table():
    lines = markdown([["100", "webhook", "20", "100", "2.0", "4.0"]]).splitlines()

    assert lines[0].startswith("| calls | set-up |") and lines[1].count("---") == 6
    assert lines[2] == "| 100 | webhook | 20 | 100 | 2.0 | 4.0 |"


class Instantly:
    def measure(self, row):
        return f"measured {row.calls}"


@pytest.mark.parametrize(("longest", "said"), [(60.0, "measured 5"), (-1.0, "left out: there was no time")])
def test_no_row_is_begun_when_time_is_over(longest, said, monkeypatch, capsys):
    monkeypatch.setattr(capacity, "LONGEST", longest)

    assert [figures for _, figures in measured(Instantly(), [Row("webhook", 5)])] == [said]
