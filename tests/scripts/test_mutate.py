"""Which tests a fault meets."""

import pytest

from scripts.mutants import Mutant
from scripts.mutate import ROOT, Reach, _modules, _tests_of

REACH = Reach({"slow": 2.0, "quick": 0.1, "other": 0.2}, {3: {"slow", "quick"}, 4: {"other"}, 9: {"other"}})


def fault(lines: range | None) -> Mutant:
    return Mutant(3, "a fault", lines, lambda: None)


@pytest.mark.parametrize(
    ("lines", "tests"),
    [
        (range(3, 4), ["quick", "slow"]),
        (range(3, 5), ["quick", "other", "slow"]),
        (range(5, 9), []),
        (None, ["quick", "other", "slow"]),
    ],
)
def test_a_fault_meets_the_tests_that_reach_its_statement_the_quickest_first(
    lines: range | None, tests: list[str]
) -> None:
    assert REACH.tests(fault(lines)) == tests


def test_tests_that_take_far_longer_than_without_the_fault_hang() -> None:
    assert REACH.limit(fault(range(4, 5))) == pytest.approx(11.0)


def test_a_module_is_tried_by_the_tests_of_its_package() -> None:
    assert _tests_of(ROOT / "bridge/store/audio/file.py") == str(ROOT / "tests/store")
    assert _tests_of(ROOT / "bridge/text.py") == str(ROOT / "tests/test_text.py")
    assert ROOT / "bridge/align/clock.py" in _modules(["bridge/align"])
    assert list(_modules(["bridge/text.py"])) == [ROOT / "bridge/text.py"]
