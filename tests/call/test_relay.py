"""A stream's way to the process that has its call, with the clock in hand."""

import pytest

from bridge.call.relay import Begin, Close, CloseCarrier, Ping, Relay, RelayPolicy, Said, Send, State
from bridge.errors import LocalProtocolError

POLICY = RelayPolicy(pause=1.0, patience=10.0, most=5)
HEAD = [Said(b"connected", False, 0.0), Said(b"start", False, 0.1)]


def frame(number, at=None):
    return Said(b"media %d" % number, False, 1.0 + number * 0.02 if at is None else at)


def sends(*said):
    return [Send(each) for each in said]


def opened(*waiting, now=2.0):
    relay = Relay(HEAD, waiting, POLICY)
    relay.opened(now)
    return relay


def going_on(now=2.0):
    relay = opened(now=now)
    relay.data_to_send()
    return relay


def ping(relay):
    """The next, at its time; its number."""
    relay.handle_timer(relay.get_timer())
    return relay.data_to_send()[-1].number


def test_what_came_before_goes_first_and_says_since_when_it_waits():
    relay = Relay(HEAD, [frame(0)], POLICY)
    assert (relay.state, relay.get_timer(), relay.data_to_send()) == (State.DIALING, None, [])
    relay.receive(frame(1))
    assert relay.data_to_send() == []
    relay.opened(3.5)

    assert relay.data_to_send() == [Begin(2.5), *sends(*HEAD, frame(0), frame(1))]
    relay.receive(frame(2))
    assert relay.data_to_send() == sends(frame(2))


def test_a_stream_of_which_no_frame_has_come_has_waited_for_nothing():
    assert opened().data_to_send() == [Begin(None), *sends(*HEAD)]


def test_what_is_not_known_to_be_read_comes_back_behind_the_head():
    relay = going_on()
    relay.receive(frame(0))
    first = ping(relay)
    relay.receive(frame(1))
    second = ping(relay)
    relay.receive(frame(2))
    assert relay.left() == [*HEAD, frame(0), frame(1), frame(2)]
    relay.answered(first)
    assert relay.left() == [*HEAD, frame(1), frame(2)]
    relay.answered(first)
    relay.answered(second)
    relay.broken("gone", 9.0)

    assert (relay.state, relay.left(), relay.failed, relay.reason) == (State.BACK, [*HEAD, frame(2)], False, "gone")
    assert (relay.data_to_send(), relay.get_timer(), relay.is_done) == ([], None, True)


def test_an_answer_to_a_later_ping_answers_those_before():
    relay = going_on()
    relay.receive(frame(0))
    ping(relay)
    relay.receive(frame(1))
    relay.answered(ping(relay))
    assert relay.left() == HEAD


def test_a_process_that_does_not_answer_is_given_up_after_its_patience():
    relay = going_on(now=2.0)
    relay.receive(frame(0))
    assert ping(relay) == 1
    asked = 3.0
    while relay.get_timer() < asked + POLICY.patience:
        assert ping(relay) > 1
    relay.handle_timer(asked + POLICY.patience)

    assert (relay.state, relay.reason, relay.left()) == (State.BACK, "it does not answer", [*HEAD, frame(0)])
    assert not relay.failed
    relay.handle_timer(99.0)
    assert relay.data_to_send() == []


@pytest.mark.parametrize(("after", "failed"), [(4.9, True), (5.1, False)])
def test_one_that_breaks_off_at_once_is_not_asked_again(after, failed):
    relay = going_on(now=2.0)
    relay.broken("gone", 2.0 + after)
    assert relay.failed is failed


def test_one_that_does_not_take_the_stream_is_not_asked_again():
    relay = Relay(HEAD, [frame(0)], POLICY)
    relay.refused("409")
    relay.refused("and again")
    assert (relay.state, relay.failed, relay.reason) == (State.BACK, True, "409")
    assert relay.left() == [*HEAD, frame(0)]


@pytest.mark.parametrize("code", [1000, 1008, 1013])
def test_an_end_for_good_is_the_carriers_too(code):
    relay = going_on()
    relay.closed(code, "too many streams of this call at once", 3.0)
    assert relay.state is State.OVER
    assert relay.data_to_send() == [CloseCarrier(code, "too many streams of this call at once")]


@pytest.mark.parametrize("code", [1001, 1006, 1011])
def test_a_process_that_lets_go_of_the_call_gives_the_stream_back(code):
    relay = going_on()
    relay.receive(frame(0))
    relay.data_to_send()
    relay.closed(code, "", 30.0)
    assert (relay.state, relay.failed, relay.left()) == (State.BACK, False, [*HEAD, frame(0)])
    assert relay.reason


@pytest.mark.parametrize("code", [1000, None])
def test_the_carriers_end_goes_on_after_all_it_has_sent_and_is_answered(code):
    relay = going_on()
    relay.receive(frame(0))
    relay.end(code, 4.0)
    assert relay.data_to_send() == [*sends(frame(0)), Close(code)]
    assert relay.state is State.ENDED
    relay.closed(1000, "", 4.1)
    assert (relay.state, relay.data_to_send()) == (State.OVER, [])


def test_an_end_that_is_not_answered_comes_back_with_what_may_not_have_been_read():
    relay = going_on()
    relay.receive(frame(0))
    relay.end(1000, 4.0)
    assert relay.get_timer() == 14.0
    relay.handle_timer(14.0)
    assert (relay.state, relay.left()) == (State.BACK, [*HEAD, frame(0)])


def test_a_carrier_that_has_closed_meanwhile_is_heard_to_its_end():
    relay = Relay(HEAD, [frame(0)], POLICY)
    relay.end(1000, 1.5)
    assert relay.data_to_send() == []
    relay.opened(2.0)
    assert relay.data_to_send() == [Begin(1.0), *sends(*HEAD, frame(0)), Close(1000)]
    assert relay.state is State.ENDED


def test_no_more_is_read_than_can_be_kept():
    relay = going_on()
    for number in range(POLICY.most):
        assert not relay.is_full
        relay.receive(frame(number))
    assert relay.is_full
    relay.answered(ping(relay))
    assert not relay.is_full


def test_pings_go_out_while_it_is_open():
    relay = going_on(now=2.0)
    assert relay.get_timer() == 3.0
    relay.handle_timer(2.9)
    assert relay.data_to_send() == []
    relay.handle_timer(3.0)
    assert relay.data_to_send() == [Ping(1)]
    assert relay.get_timer() == 4.0


def test_it_is_opened_once():
    relay = going_on()
    with pytest.raises(LocalProtocolError, match="OPEN"):
        relay.opened(3.0)
    assert repr(relay) == "<Relay OPEN 0 unread>"
