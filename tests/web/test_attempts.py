from bridge.web import attempts
from bridge.web.attempts import Attempts


def test_the_wait_doubles_with_each_failure_up_to_a_bound():
    failures = Attempts(first=0.1, longest=1.0)

    assert [failures.fail("a", float(now)) for now in range(6)] == [
        (1, 0.1),
        (2, 0.2),
        (3, 0.4),
        (4, 0.8),
        (5, 1.0),
        (6, 1.0),
    ]
    assert failures.fail("b", 6.0) == (1, 0.1)


def test_any_number_of_failures_has_a_wait():
    failures = Attempts(longest=5.0)

    assert [failures.fail("a", 0.0) for _ in range(3000)][-1] == (3000, 5.0)


def test_failures_are_forgotten_after_a_while():
    failures = Attempts(first=0.1, forgotten=600.0)
    failures.fail("a", 0.0)

    assert failures.fail("a", 599.9) == (2, 0.2)
    assert failures.fail("a", 1199.9) == (1, 0.1)


def test_of_too_many_addresses_the_one_that_failed_first_is_forgotten(monkeypatch):
    monkeypatch.setattr(attempts, "_MOST_ADDRESSES", 2)
    failures = Attempts(first=0.1)
    for address in ("a", "b", "a", "c"):
        failures.fail(address, 0.0)

    assert failures.fail("a", 1.0)[0] == 3
    assert failures.fail("b", 1.0)[0] == 1
