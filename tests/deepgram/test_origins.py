"""How origins are doing, by what calls and probes have met there. The clock is the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.breaker import CircuitBreakerPolicy
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.messages import Refusal
from bridge.deepgram.origins import TRANSITIONS, Origin, OriginsPolicy, State, Trigger
from bridge.egress import DIRECT
from tests.fakes.origins import at

AWAY = Refusal(503, "away", None)
NO_KEY = Refusal(401, "no such key", None)
BAD = Refusal(400, "no such model", None)
POLICY = OriginsPolicy()


def two(**policy):
    return at("wss://one", "wss://two", **policy)


def used(origins):
    return [name for name, is_used in origins.in_use.items() if is_used]


def probe(origins, until, refusal=None, now=0.0):
    """Every probe of the first origin that is due by then, with this outcome; when they were."""
    probed = []
    while (due := origins.get_timer()) is not None and due <= until:
        now = max(now, due)
        for place in origins.to_probe(now):
            origins.probed(place, refusal, now)
            probed.append(now)
    return probed


def test_every_state_knows_every_trigger():
    assert {state: set(table) for state, table in TRANSITIONS.items()} == dict.fromkeys(State, set(Trigger))


def test_at_first_all_are_well_and_the_first_is_used():
    origins = two()

    assert used(origins) == ["one"]
    assert [origins.is_well(place) for place in (0, 1)] == [True, True]
    assert origins.get_timer() is None


def test_an_origin_is_named_without_its_scheme_and_shows_no_key():
    origin = Origin("wss://api.eu.deepgram.com:443", "sesame", DIRECT)

    assert origin.name == "api.eu.deepgram.com:443"
    assert "sesame" not in repr(origin)


@pytest.mark.parametrize(
    ("what", "aside"),
    [
        (lambda origins: origins.refused(0, AWAY, 0.0), True),
        (lambda origins: origins.refused(0, NO_KEY, 0.0), True),
        (lambda origins: origins.refused(0, BAD, 0.0), True),  # everybody's request
        (lambda origins: origins.dropped(0, "CA1", 0.0, deaf=True), True),
        (lambda origins: origins.dropped(0, "CA1", 0.0), False),
    ],
)
def test_what_others_would_meet_too_sends_them_elsewhere(what, aside):
    origins = two()
    what(origins)

    assert used(origins) == (["two"] if aside else ["one"])
    assert not origins.is_well(0)
    assert origins.is_well(1)
    assert origins.failures == {"one": 1, "two": 0}


def test_a_second_drop_is_no_accident():
    origins = two()
    origins.dropped(0, "CA1", 0.0)
    origins.dropped(0, "CA2", 3.0)

    assert used(origins) == ["two"]


def test_two_sockets_that_one_call_loses_say_as_little_as_one():
    """Flux has one for each channel."""
    origins = two()
    for now in (0.0, 0.1):
        origins.dropped(0, "CA1", now)

    assert used(origins) == ["one"]
    assert not origins.is_well(0)
    assert origins.failures["one"] == 2
    origins.dropped(0, "CA2", 0.2)
    assert used(origins) == ["two"]


@pytest.mark.parametrize("refusal", [BAD, Refusal(403, "no access to the model", None)])
def test_what_a_call_alone_has_asked_for_says_nothing_of_the_origin(refusal):
    origins = two()
    origins.refused(0, refusal, 0.0, own_options=True)

    assert origins.is_well(0)
    assert origins.failures["one"] == 0


def test_where_all_fail_the_first_is_used():
    origins = two()
    for place in (0, 1):
        origins.refused(place, AWAY, 0.0)

    assert used(origins) == ["one"]


@pytest.mark.parametrize("dropped", [True, False])
def test_it_is_well_once_nothing_has_failed_for_a_while(dropped):
    origins = two()
    origins.dropped(0, "CA1", 1.0, deaf=not dropped)

    assert probe(origins, POLICY.recovery) == [6.0, 11.0]
    assert not origins.is_well(0)
    assert probe(origins, 1.0 + POLICY.recovery) == [1.0 + POLICY.recovery]
    assert origins.is_well(0)
    assert origins.get_timer() is None


def test_a_failure_begins_that_while_again():
    origins = two()
    origins.refused(0, AWAY, 0.0)
    probe(origins, 10.0)
    origins.dropped(0, "CA1", 10.0)  # of a call that was there still
    probe(origins, 24.9)
    assert not origins.is_well(0)
    probe(origins, 25.0, now=24.9)
    assert origins.is_well(0)


def test_probes_that_fail_grow_rarer():
    origins = two()
    origins.refused(0, AWAY, 0.0)

    assert probe(origins, 100.0, AWAY) == [5.0, 15.0, 35.0, 65.0, 95.0]
    assert used(origins) == ["two"]
    assert origins.failures["one"] == 6


def test_a_probe_that_is_under_way_is_not_sent_again():
    origins = two()
    origins.refused(0, AWAY, 0.0)

    assert origins.to_probe(4.9) == []
    assert origins.to_probe(5.0) == [0]
    assert origins.to_probe(500.0) == []
    assert origins.get_timer() is None


def test_a_probe_that_goes_well_closes_the_breaker():
    origins = at("wss://one", "wss://two", breaker=CircuitBreakerPolicy(failures=1, first_probe=600.0))
    origins.refused(0, AWAY, 0.0)
    assert origins.is_probing(0)
    assert origins.ask(0, 1.0) == AWAY
    assert not origins.passes(0, 1.0)
    assert origins.is_closed  # the other one's
    probe(origins, 5.0)

    assert origins.ask(0, 5.0) is None
    assert not origins.is_probing(0)


@pytest.mark.parametrize("outcome", [None, AWAY])
def test_an_account_is_for_a_person_until_it_is_something_else(outcome):
    origins = two()
    origins.refused(0, NO_KEY, 0.0)
    assert origins.needs_person(0)
    probe(origins, 5.0, outcome)

    assert not origins.needs_person(0)


def test_one_that_fails_soon_after_it_was_well_is_trusted_later():
    origins, now, waits = two(), 0.0, []
    for _ in range(9):
        origins.dropped(0, "CA1", now, deaf=True)
        while not origins.is_well(0):
            now = origins.get_timer()
            probe(origins, now)
        waits.append(now - origins._health[0].failed_at)

    assert waits == [15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0]
    origins.dropped(0, "CA1", now + POLICY.longest_recovery, deaf=True)
    assert origins._health[0].recovery == POLICY.recovery


def test_where_there_is_another_a_deaf_one_is_left_sooner():
    usual, brief = SessionPolicy(), SessionPolicy(deaf=1.0)

    assert at("wss://one").patience(usual) == usual
    assert two().patience(usual).deaf == POLICY.deaf < usual.deaf
    assert two().patience(brief) == brief


def test_one_origin_alone_is_never_probed():
    origins = at("wss://one")
    origins.refused(0, AWAY, 0.0)

    assert origins.get_timer() is None
    assert used(origins) == ["one"]


def test_calls_come_back_one_after_the_other():
    origins = two(moves=2.0)
    back = [now / 10 for now in range(30) if origins.may_return(now / 10)]

    assert back == [0.0, 0.1, 0.6, 1.1, 1.6, 2.1, 2.6]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["refused", "dropped", "deaf", "probed"]), st.floats(0.0, 20.0)),
        max_size=60,
    )
)
def test_whatever_happens_one_origin_is_used_and_each_that_is_not_well_is_probed(happened):
    origins, now, failed = at("wss://one", "wss://two", "wss://three"), 0.0, {}
    for place, what, later in happened:
        now += later
        match what:
            case "probed":
                for due in origins.to_probe(now):
                    origins.probed(due, None, now)
            case "refused":
                origins.refused(place, AWAY, now)
            case _:
                origins.dropped(place, "CA1", now, deaf=what == "deaf")
        if what != "probed":
            failed[place] = now
        assert len(used(origins)) == 1
        for each, health in enumerate(origins._health):
            if health.state is State.WELL:
                assert each not in failed or now - failed[each] >= POLICY.recovery, "trusted too soon"
            else:
                assert health.probe_at is not None
                assert health.probe_at <= now + POLICY.longest_probe
    assert sum(origins.failures.values()) == sum(what != "probed" for _, what, _ in happened)


@pytest.mark.parametrize(
    ("refusal", "stands"),
    [(NO_KEY, True), (BAD, True), (AWAY, False), (Refusal(413, "too large", None), False)],
)
def test_what_a_person_must_mend_stands_until_it_is_mended(refusal, stands):
    origins = two()
    origins.refused(0, refusal, 0.0)
    assert origins.standing == ({"one": refusal} if stands else {})

    origins.refused(0, AWAY, 1.0)  # which says nothing of the account
    assert origins.standing == ({"one": refusal} if stands else {})

    origins.succeeded(0)
    assert origins.standing == {}


def test_what_one_call_has_asked_for_does_not_stand():
    origins = two()
    origins.refused(0, BAD, 0.0, own_options=True)

    assert origins.standing == {}
