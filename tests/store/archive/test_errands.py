"""Which errand is begun when: a few at once, none forgotten, and a store that fails is asked now and then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError
from bridge.store.archive.errands import TRANSITIONS, ErrandPolicy, Errands, State, Trigger


@pytest.fixture
def errands():
    return Errands(ErrandPolicy(at_once=2, first_pause=1.0, longest_pause=4.0))


def begun(errands):
    return [each.call_id for each in errands.data_to_send()]


def test_every_state_has_its_row():
    assert set(TRANSITIONS) == set(State)
    assert all(set(row) <= set(Trigger) for row in TRANSITIONS.values())


def test_what_is_asked_for_is_begun_in_order_a_few_at_once(errands):
    for now, call in enumerate(["CA1", "CA2", "CA3"]):
        errands.ask(call, float(now))

    assert begun(errands) == ["CA1", "CA2"]
    assert errands.get_timer() is None, "only the end of one makes room"
    errands.done("CA1", 3.0)
    assert begun(errands) == ["CA3"]
    assert repr(errands) == "<Errands 2 waiting, 2 running>"


def test_what_is_due_later_waits_until_then(errands):
    errands.ask("CA1", 0.0, after=10.0)

    assert (begun(errands), errands.get_timer()) == ([], 10.0)
    errands.ask("CA1", 5.0, after=10.0)
    assert errands.get_timer() == 10.0, "asking again puts nothing off"
    errands.ask("CA1", 6.0, after=1.0)
    errands.handle_timer(7.0)
    assert begun(errands) == ["CA1"]


def test_what_is_due_since_long_goes_first(errands):
    for call in ("CA1", "CA2", "CA3"):
        errands.ask(call, 0.0)
    errands.ask("CA4", 0.0, after=-60.0)
    begun(errands)
    errands.done("CA1", 1.0)

    assert begun(errands) == ["CA4"]


def test_asked_for_while_it_is_under_way_it_is_done_again(errands):
    errands.ask("CA1", 0.0)
    errands.ask("CA1", 1.0)
    assert begun(errands) == ["CA1"]
    errands.done("CA1", 2.0)

    assert begun(errands) == ["CA1"]
    errands.done("CA1", 3.0)
    assert (begun(errands), errands.waiting) == ([], 0)


def test_a_store_that_fails_is_asked_by_one_at_a_time_and_ever_more_seldom(errands):
    for call in ("CA1", "CA2", "CA3"):
        errands.ask(call, 0.0)
    begun(errands)
    errands.failed("CA1", 0.0, alone=False)
    errands.failed("CA2", 0.5, alone=False)

    assert errands.fails and errands.get_timer() == 1.0, "two that failed of one trouble are one failure"
    assert repr(errands) == "<Errands 3 waiting, 0 running, the store fails>"
    for now, pause in ((1.0, 2.0), (3.0, 4.0), (7.0, 4.0)):
        errands.handle_timer(now - 0.1)
        assert begun(errands) == []
        errands.handle_timer(now)
        (probe,) = begun(errands)
        errands.failed(probe, now, alone=False)
        assert errands.get_timer() == now + pause


def test_each_is_the_probe_in_turn_so_that_none_holds_up_all_by_its_own_fault(errands):
    for call in ("CA1", "CA2", "CA3"):
        errands.ask(call, 0.0, after=-1.0)
    (first, _), probes = begun(errands), []
    errands.failed("CA2", 0.0, alone=False)
    errands.failed(first, 0.0, alone=False)
    for _ in range(3):
        now = errands.get_timer()
        errands.handle_timer(now)
        (probe,) = begun(errands)
        probes.append(probe)
        errands.failed(probe, now, alone=False)

    assert sorted(probes) == ["CA1", "CA2", "CA3"]


def test_one_success_lets_all_go_on(errands):
    for call in ("CA1", "CA2", "CA3"):
        errands.ask(call, 0.0)
    begun(errands)
    errands.failed("CA1", 0.0, alone=False)
    errands.done("CA2", 0.5)

    assert not errands.fails
    assert begun(errands) == ["CA1", "CA3"]


def test_an_errand_that_asked_for_nothing_says_nothing_about_the_store(errands):
    errands.ask("CA1", 0.0)
    errands.ask("CA2", 0.0)
    begun(errands)
    errands.failed("CA1", 0.0, alone=False)
    errands.done("CA2", 0.5, asked=False)

    assert errands.fails and begun(errands) == []


def test_an_errand_that_fails_by_itself_waits_alone(errands):
    errands.ask("CA1", 0.0)
    for now, pause in ((0.0, 1.0), (1.0, 2.0), (3.0, 4.0), (7.0, 4.0)):
        assert begun(errands) == ["CA1"]
        errands.failed("CA1", now, alone=True)
        errands.ask("CA1", now)
        assert begun(errands) == [], "asking does not hurry it"
        assert errands.get_timer() == now + pause
        errands.handle_timer(now + pause)
    errands.ask("CA2", 9.0)
    assert begun(errands) == ["CA1", "CA2"]
    assert not errands.fails


def test_what_is_dropped_is_not_begun_and_not_done_again(errands):
    errands.ask("CA1", 0.0, after=5.0)
    errands.drop("CA1")
    errands.drop("CA9")
    errands.ask("CA2", 0.0)
    errands.ask("CA2", 0.0)
    errands.drop("CA2")
    assert begun(errands) == ["CA2"]
    errands.done("CA2", 1.0)

    assert (errands.waiting, errands.get_timer()) == (0, None)


def test_the_end_of_what_was_not_begun_is_a_fault_of_ours(errands):
    errands.ask("CA1", 0.0, after=5.0)
    with pytest.raises(LocalProtocolError):
        errands.done("CA1", 1.0)
    with pytest.raises(LocalProtocolError):
        errands.failed("CA2", 1.0, alone=True)


STEPS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["ask", "done", "alone", "store"])), max_size=60)


@given(STEPS)
def test_nothing_that_was_asked_for_is_forgotten(steps):
    """Whatever happens, at the end of a store that works everything has been begun after it was asked for."""
    errands, now, lacking, running = Errands(ErrandPolicy(at_once=2)), 0.0, set(), set()

    def look():
        for call in begun(errands):
            running.add(call)
            lacking.discard(call)
        assert len(running) <= 2

    for number, what in steps:
        now += 1.0
        call = f"CA{number}"
        if what == "ask":
            lacking.add(call)
            errands.ask(call, now, after=float(number))
        elif call in running:
            running.remove(call)
            if what != "done":
                lacking.add(call)
            errands.done(call, now) if what == "done" else errands.failed(call, now, alone=what == "alone")
        errands.handle_timer(now)
        look()
    while running or errands.get_timer() is not None:
        now = max(now, errands.get_timer() or now)
        errands.handle_timer(now)
        look()
        for call in sorted(running):
            running.remove(call)
            errands.done(call, now)
            look()
    assert not lacking and not errands.waiting
