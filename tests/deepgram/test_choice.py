"""Where a call's next socket is opened. The clock is the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.breaker import CircuitBreakerPolicy
from bridge.deepgram.choice import Choice
from bridge.deepgram.messages import Refusal
from tests.fakes.origins import at

AWAY = Refusal(503, "away", None)
NO_KEY = Refusal(401, "no such key", None)
BAD = Refusal(400, "no such model", None)
URLS = ("wss://one", "wss://two", "wss://three")


def choice(count=2, **policy):
    return Choice(at(*URLS[:count], **policy), "CA1")


def connected(one, now=0.0):
    """Where the next socket is."""
    assert one.next(now) is None
    return one.place


def recover(origins, now):
    """What has failed has not failed since for long, and is probed."""
    for place in origins.to_probe(now):
        origins.probed(place, None, now)


def test_the_preferred_one_is_asked_first():
    one = choice()

    assert connected(one) == 0
    assert one.origin.url == "wss://one"
    assert repr(one).startswith("<Choice 0 of <Origins WELL")


@pytest.mark.parametrize("refusal", [AWAY, NO_KEY, BAD, Refusal(None, "timeout", None)])
def test_after_a_refusal_the_next_one_is_asked_at_once(refusal):
    one = choice(3)
    connected(one)
    one.refused(0, refusal, 0.0)

    assert one.is_fresh(0.0)
    assert one.is_elsewhere
    assert connected(one) == 1


@pytest.mark.parametrize("deaf", [True, False])
def test_after_a_loss_too(deaf):
    one = choice()
    connected(one)
    one.lost(5.0, deaf=deaf)

    assert one.is_fresh(5.0)
    assert connected(one, 5.0) == 1


def test_when_all_have_failed_none_is_tried_at_once_and_the_one_that_failed_first_comes_first():
    one = choice(3)
    for place, now in ((0, 0.0), (1, 0.1), (2, 0.2)):
        assert connected(one, now) == place
        one.refused(place, AWAY, now)

    assert not one.is_fresh(0.2)
    assert [connected(one, 1.0), one.place] == [0, 0]
    one.refused(0, AWAY, 1.0)
    assert connected(one, 2.0) == 1


def test_one_alone_is_never_fresh_after_it_has_failed():
    one = choice(1)
    connected(one)
    one.lost(0.0)

    assert not one.is_fresh(0.0)
    assert not one.is_elsewhere
    assert connected(one, 0.3) == 0


def test_one_that_fails_everyone_comes_last():
    one = choice()
    other = Choice(one._origins, "CA2")
    connected(one)
    one.refused(0, AWAY, 0.0)

    assert connected(other) == 1
    other.lost(0.0)  # dropped, once
    assert not other.is_fresh(0.0)  # the first is known to fail: it is not asked in the place of a short wait
    assert connected(other, 0.3) == 1


def test_a_call_whose_audio_cannot_be_decoded_harms_no_other():
    one = choice()
    connected(one)
    one.lost(0.0, 1008)

    assert one._origins.is_well(0)
    assert connected(one) == 1


def test_an_origin_that_will_never_take_the_request_is_not_asked_again():
    one = choice()
    connected(one)
    one.refused(0, BAD, 0.0)
    connected(one)
    one.refused(1, AWAY, 0.0)

    assert not one.is_hopeless
    assert [connected(one, now) for now in (1.0, 100.0)] == [1, 1]
    assert one.better(100.0, quiet=True) is None


def test_when_none_ever_will_that_is_the_end_of_it():
    one = choice()
    for place in (0, 1):
        connected(one)
        one.refused(place, BAD, 0.0)

    assert one.is_hopeless
    assert not one.is_elsewhere
    assert not one.is_left


def test_one_that_only_a_person_can_mend_is_left():
    one = choice()
    connected(one)
    one.refused(0, NO_KEY, 0.0)
    connected(one)
    one.refused(1, BAD, 0.0)

    assert one.is_left
    assert not one.is_elsewhere
    assert connected(one, 20.0) == 0


def test_what_is_refused_over_options_of_the_calls_own_may_be_taken_with_others():
    one = choice(1)
    connected(one)
    one.refused(0, BAD, 0.0, own_options=True)

    assert not one.is_hopeless
    assert one._origins.is_well(0)


def test_what_does_not_count_is_this_calls_alone():
    one = choice()
    connected(one)
    one.refused(0, AWAY, 0.0, counts=False)

    assert one._origins.is_well(0)
    assert connected(one) == 1


def test_accounts_that_all_must_be_mended_are_nowhere_else_to_go():
    one = choice()
    connected(one)
    one.refused(0, NO_KEY, 0.0)
    assert one.is_elsewhere
    connected(one)
    one.refused(1, NO_KEY, 0.0)

    assert not one.is_elsewhere


def test_while_all_breakers_are_open_it_is_turned_away_in_the_words_of_the_preferred_one():
    one = Choice(at(*URLS[:2], breaker=CircuitBreakerPolicy(failures=1)), "CA1")
    connected(one)
    one.refused(0, AWAY, 0.0)
    connected(one)
    one.refused(1, Refusal(429, "too many", None), 0.0)

    assert one.next(0.1) == AWAY
    assert one.place == 0
    assert not one.is_fresh(0.1)


def away(**policy):
    """A call at the second origin, since the first has refused it at 0."""
    one = choice(**policy)
    connected(one)
    one.refused(0, AWAY, 0.0)
    connected(one)
    return one


def test_it_goes_back_once_a_probe_has_found_the_better_one_well():
    one = away()
    assert one.better(20.0, quiet=True) is None
    recover(one._origins, 20.0)

    assert one.better(20.0, quiet=True) == 0
    one.returned(0)
    assert one.place == 0
    assert one.better(21.0, quiet=True) is None
    assert one._origins.returns == {"one": 1, "two": 0}


def test_it_waits_for_a_quiet_moment_but_not_for_ever():
    one = away()
    recover(one._origins, 20.0)

    assert [one.better(now, quiet=False) for now in (20.0, 49.9, 50.0)] == [None, None, 0]


def test_that_wait_begins_again_when_the_better_one_fails_again():
    one = away()
    recover(one._origins, 20.0)
    assert one.better(20.0, quiet=False) is None
    one._origins.dropped(0, "CA2", 30.0)
    assert one.better(31.0, quiet=True) is None
    recover(one._origins, 60.0)

    assert one.better(60.0, quiet=False) is None
    assert one.better(90.0, quiet=False) == 0


def test_one_that_this_call_has_just_lost_is_no_better():
    one = away(recovery=0.0, first_probe=1.0)
    recover(one._origins, 1.0)

    assert one._origins.is_well(0)
    assert one.better(9.9, quiet=True) is None
    assert one.better(10.0, quiet=True) == 0


def test_not_all_go_back_at_once():
    origins = at(*URLS[:2], moves=2.0)
    calls = [Choice(origins, f"CA{number}") for number in range(20)]
    origins.refused(0, AWAY, 0.0)
    for each in calls:
        connected(each)
    recover(origins, 20.0)

    assert sum(each.better(20.0, quiet=True) == 0 for each in calls) == 2


@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(
            st.sampled_from([None, AWAY, NO_KEY, BAD, "lost", "deaf", "recover"]), st.floats(0.0, 15.0), st.booleans()
        ),
        max_size=40,
    ),
)
def test_whatever_happens_a_call_is_never_left_without_a_way_that_may_work(count, happened):
    origins = at(*URLS[:count], breaker=CircuitBreakerPolicy(failures=2))
    one, other, now, hopeless = Choice(origins, "CA1"), Choice(origins, "CA2"), 0.0, set()
    for what, later, others in happened:
        now += later
        call = other if others else one
        if what == "recover":
            recover(origins, now)
            continue
        fresh = call.is_fresh(now)
        before = dict(call._lost)
        if call.next(now) is not None:
            assert not fresh, "told to try at once, and turned away"
            continue
        place = call.place
        assert 0 <= place < count
        if fresh:
            assert place not in before or now - before[place] >= origins.policy.rest, "tried at once where it failed"
        match what:
            case "lost" | "deaf":
                call.lost(now, deaf=what == "deaf")
            case Refusal():
                call.refused(place, what, now)
                if what is BAD and call is one:
                    hopeless.add(place)
        assert one.is_hopeless == (len(hopeless) == count)
        if place in call._hopeless and not call.is_hopeless:
            assert call.is_left
        better = call.better(now, quiet=True)
        assert better is None or (better < call.place and origins.is_well(better))
