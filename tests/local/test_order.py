"""The oracle that the delivery tests rest on, tested with wrong orders."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.local.order import OrderOracle


def feed(oracle: OrderOracle, *seqs: int, call_id: str = "CA1") -> list[str]:
    return [oracle.receive(call_id, seq, f"{call_id}-{seq}") for seq in seqs]


def test_dense_and_increasing_from_one() -> None:
    oracle = OrderOracle()
    assert feed(oracle, 1, 2, 3) == ["new"] * 3
    assert feed(oracle, 1, call_id="CA2") == ["new"]
    assert oracle.violations == []


def test_the_same_again_is_no_fault() -> None:
    oracle = OrderOracle()
    assert feed(oracle, 1, 2, 1, 2, 3, 2) == ["new", "new", "duplicate", "duplicate", "new", "duplicate"]
    assert oracle.violations == []


def test_a_hole_is_said_once() -> None:
    oracle = OrderOracle()
    assert feed(oracle, 1, 3, 4) == ["new", "violation", "new"]
    assert oracle.violations == ["call CA1: number 3 came after 1, expected 2"]


def test_too_late_is_a_violation_too() -> None:
    oracle = OrderOracle()
    assert feed(oracle, 1, 3, 2, 4) == ["new", "violation", "violation", "new"]


def test_a_call_that_does_not_begin_at_its_beginning() -> None:
    assert feed(OrderOracle(), 2) == ["violation"]
    assert feed(OrderOracle(from_start=False), 7, 8, 10) == ["new", "new", "violation"]


def test_another_event_under_the_same_number() -> None:
    oracle = OrderOracle()
    oracle.receive("CA1", 1, "one")
    assert oracle.receive("CA1", 1, "another") == "violation"
    assert oracle.violations == ["call CA1: number 1 came again as another event"]


def test_what_was_skipped_in_sight_is_no_hole() -> None:
    oracle = OrderOracle()
    feed(oracle, 1)
    oracle.skip("CA1", [2, 3])
    assert feed(oracle, 4, 6) == ["new", "violation"]


def test_what_was_skipped_may_come_after_all() -> None:
    oracle = OrderOracle()
    oracle.skip("CA1", [1])
    assert feed(oracle, 1, 2) == ["new", "new"], "a replay"


def test_the_oldest_calls_are_forgotten() -> None:
    oracle = OrderOracle(keep=2)
    for call_id in ("CA1", "CA2", "CA3"):
        feed(oracle, 1, call_id=call_id)
    assert feed(oracle, 1, call_id="CA1") == ["new"]


@given(st.permutations(range(1, 8)))
def test_only_the_one_order_is_right(order: list[int]) -> None:
    oracle = OrderOracle()
    feed(oracle, *order)
    assert (oracle.violations == []) == (order == sorted(order))
