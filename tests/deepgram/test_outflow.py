"""No faster than Deepgram takes it, never nothing for long, and not for a dead socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.outflow import Outflow
from bridge.standstill import READING, STOOD_STILL

SECOND = b"\x10" * 16_000
"""Of two channels, with something to hear."""


def outflow(**policy):
    machine = Outflow(SessionPolicy(**policy))
    machine.start(0.0)
    machine.answered(0.0)
    return machine


def test_audio_goes_out_no_faster_than_is_allowed():
    machine = outflow(speed=1.25, burst=1.0)
    machine.sent(SECOND, 0.0)
    assert machine.allows(0.0)
    machine.sent(SECOND, 0.0)

    assert not machine.allows(0.0)
    assert not machine.pass_on(SECOND, 0.0)
    assert machine.next_time() == pytest.approx(0.8, abs=0.01)
    assert machine.allows(machine.next_time())


@pytest.mark.parametrize("send", [lambda machine: machine.sent(SECOND, 7.0), lambda machine: machine.said(7.0)])
def test_whatever_was_sent_keeps_the_socket_open_for_a_while(send):
    machine = outflow(keep_alive=4.0)
    send(machine)

    assert machine.keep_alive_at == 11.0


def test_a_socket_that_answers_is_in_no_doubt():
    machine = outflow(deaf=10.0)

    assert machine.pass_on(SECOND, 5.0)
    assert not machine.pass_on(SECOND, 5.1)
    machine.answered(5.1)
    assert machine.pass_on(SECOND, 10.0)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), max_size=30))
def test_what_passes_on_goes_out_as_any_other_chunk(chunks):
    """The short way against the long one: while it is open, both are at the same point."""
    short, long, now = outflow(deaf=10.0, burst=1.0), outflow(deaf=10.0, burst=1.0), 0.0
    for pause, tenths in chunks:
        now, chunk = now + pause, SECOND[: 1600 * tenths]
        if not long.allows(now) or now > 5.0:
            assert not short.pass_on(chunk, now)
            return
        assert short.pass_on(chunk, now)
        long.sent(chunk, now)
        assert (short.next_time(), short.keep_alive_at, short.is_deaf(now)) == (
            long.next_time(),
            long.keep_alive_at,
            long.is_deaf(now),
        )


def test_a_socket_that_answers_no_speech_is_deaf():
    machine = outflow(deaf=10.0)
    for second in range(1, 11):
        machine.sent(SECOND, float(second))
        assert not machine.is_deaf(float(second))

    assert machine.is_deaf(10.1)
    machine.answered(10.1)
    assert not machine.is_deaf(10.1)


def doubtful(now):
    """A machine that has heard nothing for nearly as long as it bears."""
    machine = outflow(deaf=10.0)
    for tenth in range(1, round(10 * now) + 1):
        machine.sent(SECOND[:1600], tenth / 10)
    assert not machine.is_deaf(now)
    return machine


@pytest.mark.parametrize(
    "first", [lambda machine, now: machine.sent(SECOND, now), lambda machine, now: machine.said(now)]
)
def test_after_the_process_stood_still_what_came_is_read_before_a_socket_is_deaf(first):
    """Whether audio has its turn first, or the KeepAlive that is due."""
    machine = doubtful(9.9)
    assert not machine.is_deaf(30.0)
    first(machine, 30.0)
    assert not machine.is_deaf(30.0)
    machine.sent(SECOND, 30.0 + READING)
    assert not machine.is_deaf(30.0 + READING)
    assert machine.is_deaf(30.0 + READING + 0.01), "nothing had come"

    machine.answered(30.0 + READING + 0.01)
    assert machine.pass_on(SECOND, 30.0 + READING + 5.0)


def test_a_moment_in_which_nothing_is_sent_puts_nothing_off():
    machine = doubtful(9.9)
    machine.sent(SECOND, 9.9 + STOOD_STILL)
    assert machine.is_deaf(9.9 + STOOD_STILL)


def test_the_first_audio_comes_after_no_standstill():
    machine = Outflow(SessionPolicy(deaf=0.2))
    machine.start(1000.0)
    machine.answered(1000.0)
    machine.sent(SECOND, 1000.15)
    machine.sent(SECOND, 1000.25)

    assert machine.is_deaf(1000.25)
