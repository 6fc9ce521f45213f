"""The lease of a process, with the clock in hand."""

from bridge.store.postgres.lease import Lease


def test_it_holds_from_when_it_was_asked_for() -> None:
    lease = Lease(9.0)
    assert not lease.holds(0.0)
    lease.renewed(asked=100.0)
    assert lease.holds(108.9)
    assert not lease.holds(109.0)
    assert lease.pause == 3.0


def test_an_answer_that_comes_late_shortens_nothing() -> None:
    lease = Lease(9.0)
    lease.renewed(asked=103.0)
    lease.renewed(asked=100.0)
    assert lease.holds(111.0)


def test_that_it_has_run_out_is_said_once() -> None:
    lease = Lease(9.0)
    assert not lease.is_lost(50.0), "it never was"
    lease.renewed(asked=100.0)
    assert [lease.is_lost(now) for now in (108.0, 109.0, 110.0)] == [False, True, False]
    lease.renewed(asked=120.0)
    assert [lease.is_lost(now) for now in (121.0, 130.0)] == [False, True]
    assert repr(lease) == "<Lease 9.0 s until 129.0>"
