"""What becomes of a call as its streams come, overlap, go and come back: every transition and every bound."""

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.call.continuity import (
    Ask,
    Begin,
    Continuity,
    ContinuityPolicy,
    Drop,
    End,
    Fill,
    Pause,
    Place,
)
from bridge.call.lull import LullPolicy
from bridge.call.states import OVER, State
from bridge.errors import LocalProtocolError

BOTH = ("inbound", "outbound")
NEVER = 10**6
"""Seconds: no test takes so long. What comes of looking at a stream is tested further down."""
POLICY = ContinuityPolicy(grace=15.0, tick=0.25, lag=0.1, ask_again=4.0, lull=LullPolicy(look=NEVER))
SECOND = 8000
FRAME = 160


def fresh(policy=POLICY):
    return Continuity(policy)


def streaming(at=100.0, policy=POLICY):
    """A call whose first stream, number 1, has sent its first frame at `at`."""
    call = fresh(policy)
    call.attach(1, BOTH)
    call.receive_first(1, FRAME, 0.0, at)
    call.data_to_send()
    return call


def lost(at=110.0, policy=POLICY):
    """A call that has lost its only stream at `at`, ten seconds after its start."""
    call = streaming(policy=policy)
    call.lose(1, "carrier_disconnected", 10 * SECOND, at)
    call.data_to_send()
    return call


def adopted(at=130.0, policy=POLICY):
    """A call that another process has begun 30 s ago, and whose audio ended after 20."""
    call = fresh(policy)
    call.adopt(100.0, 20 * SECOND, BOTH, at)
    return call


def wake(call, at, received=0):
    """What it asks for when its timer is handled at `at`."""
    call.handle_timer(at, received)
    return call.data_to_send()


# The clock starts


def test_the_clock_starts_with_the_first_sample_of_the_first_frame():
    call = fresh()
    call.attach(1, BOTH)
    assert call.elapsed(105.0) == 0
    call.receive_first(1, FRAME, 0.0, 100.0)

    assert call.data_to_send() == [Begin(0.02), Place(1, 0, None, None)]
    assert call.state is State.STREAMING
    assert call.elapsed(100.98) == SECOND


@pytest.mark.parametrize("late", [0.0, 0.3, 12.0])
def test_a_first_frame_that_had_to_wait_starts_the_clock_that_much_earlier(late):
    call = fresh()
    call.attach(1, BOTH)
    call.receive_first(1, 2 * FRAME, late, 100.0)

    assert call.data_to_send() == [Begin(pytest.approx(late + 0.04)), Place(1, 0, None, None)]
    assert call.elapsed(100.0) == round((late + 0.04) * SECOND)


def test_before_the_first_frame_nothing_is_filled_in_and_nothing_is_due():
    call = fresh()
    assert call.get_timer() is None
    call.attach(1, BOTH)

    assert call.get_timer() is None
    assert call.heard is None


# Several streams at once


def test_a_second_streams_first_frame_belongs_where_the_clock_stands():
    call = streaming()
    call.attach(2, ("outbound",))
    call.receive_first(2, FRAME, 0.0, 103.0)

    # The clock began 20 ms before 100.0, and the frame 20 ms before 103.0.
    assert call.data_to_send() == [Place(2, 3 * SECOND, None, None)]


def test_a_second_streams_first_frame_is_placed_by_when_it_came():
    call = streaming()
    call.attach(2, ("outbound",))
    call.receive_first(2, FRAME, 0.5, 103.0)

    assert call.data_to_send() == [Place(2, round(2.5 * SECOND), None, None)]


def test_no_frame_belongs_before_call_time_0():
    call = streaming()
    call.attach(2, ("outbound",))
    call.receive_first(2, FRAME, 9.0, 103.0)

    assert call.data_to_send() == [Place(2, 0, None, None)]


def test_the_call_ends_with_the_last_of_its_streams():
    call = streaming()
    call.attach(2, ("outbound",))
    call.receive_first(2, FRAME, 0.0, 101.0)
    call.data_to_send()
    call.stop(1)
    assert call.data_to_send() == [Drop(1)]
    assert call.state is State.STREAMING
    call.stop(2)

    assert call.data_to_send() == [End("stopped")]
    assert call.state is State.ENDED


def test_a_stream_that_stops_before_its_first_frame_ends_no_call_that_another_carries():
    call = streaming()
    call.attach(2, BOTH)
    call.stop(2)

    assert call.data_to_send() == [Drop(2)]
    assert call.state is State.STREAMING


def test_one_of_two_forks_may_be_lost_and_nothing_is_asked_for():
    call = streaming()
    call.attach(2, BOTH)
    call.receive_first(2, FRAME, 0.0, 101.0)
    call.data_to_send()
    call.lose(1, "carrier_silent", 3 * SECOND, 103.0)

    assert call.data_to_send() == [Drop(1)]
    assert call.state is State.STREAMING
    assert call.get_timer() > NEVER
    assert call.heard is None


def test_the_track_that_no_other_stream_carries_is_asked_for():
    call = fresh()
    for number, track in ((1, "inbound"), (2, "outbound")):
        call.attach(number, (track,))
        call.receive_first(number, FRAME, 0.0, 100.0)
    call.data_to_send()
    call.lose(2, "carrier_disconnected", 3 * SECOND, 103.0)
    assert call.data_to_send() == [Drop(2)]

    assert call.get_timer() == 103.0
    assert wake(call, 103.0) == [Ask(("outbound",))]
    assert not call.waiting


def test_a_track_is_no_longer_missing_once_a_stream_of_it_is_here():
    call = fresh()
    for number, track in ((1, "inbound"), (2, "outbound")):
        call.attach(number, (track,))
        call.receive_first(number, FRAME, 0.0, 100.0)
    call.lose(2, "carrier_disconnected", 3 * SECOND, 103.0)
    wake(call, 103.0)
    call.attach(3, ("outbound",))
    call.ask_refused(103.5)

    assert call.get_timer() > NEVER


def test_of_two_missing_tracks_the_one_that_is_not_here_is_still_asked_for():
    call = lost()
    call.attach(2, ("inbound",))

    assert wake(call, 110.0) == [Ask(("outbound",))]


def test_once_nothing_is_missing_the_carrier_is_not_asked():
    call = lost()
    call.attach(2, BOTH)

    assert not any(isinstance(command, Ask) for command in wake(call, 111.0))
    assert call.get_timer() == 111.25  # the next silence, until its first frame


def test_a_stream_without_named_tracks_may_carry_both():
    call = fresh()
    call.attach(1, ())
    call.receive_first(1, FRAME, 0.0, 100.0)
    call.lose(1, "carrier_disconnected", SECOND, 101.0)
    call.data_to_send()

    assert wake(call, 101.0) == [Ask(BOTH)]


def test_a_stream_that_is_unknown_changes_nothing():
    call = streaming()
    call.stop(7)
    call.lose(7, "carrier_disconnected", 0, 101.0)

    assert call.data_to_send() == []
    assert call.state is State.STREAMING


# Every stream is lost


def test_a_lost_stream_is_asked_for_at_once_with_the_tracks_it_had():
    call = fresh()
    call.attach(1, ("inbound",))
    call.receive_first(1, FRAME, 0.0, 100.0)
    call.data_to_send()
    call.lose(1, "carrier_disconnected", 10 * SECOND, 110.0)

    assert call.data_to_send() == [Drop(1), Pause()]
    assert (call.state, call.waiting) == (State.GRACE, True)
    assert call.heard == 10 * SECOND
    assert wake(call, 110.0) == [Ask(("inbound",))]


def test_a_carrier_that_would_not_is_asked_again_for_as_long_as_the_grace_lasts():
    call = lost()
    asked = []
    while (now := call.get_timer()) is not None:
        if any(isinstance(command, Ask) for command in wake(call, now)):
            asked.append(now)
            call.ask_refused(now)

    assert asked == [110.0, 114.0, 118.0, 122.0]
    assert call.state is State.ENDED


def test_a_carrier_that_agreed_is_not_asked_again():
    call = lost()
    assert wake(call, 110.0) == [Ask(BOTH)]

    assert not any(isinstance(command, Ask) for at in (111.0, 114.0, 118.0, 124.0) for command in wake(call, at))


def test_a_carrier_that_could_not_open_the_stream_is_asked_again_soon_and_then_ever_later():
    call = lost()
    asked = []
    while (now := call.get_timer()) is not None:
        if any(isinstance(command, Ask) for command in wake(call, now)):
            asked.append(now - 110.0)
            call.ask_failed(now)
            call.ask_failed(now)  # while it is to be asked already

    assert asked[:3] == [0.0, 0.25, 1.25]
    assert all(after - before <= 4.0 for before, after in pairwise(asked))
    assert 5 <= len(asked) <= 8 and asked[-1] < 15.0


def test_each_loss_begins_with_short_pauses_again():
    call = lost()
    wake(call, 110.0)
    for at in (110.1, 110.4, 111.0):
        call.ask_failed(at)
        wake(call, at + 2.0)
    call.attach(2, BOTH)
    call.receive_first(2, FRAME, 0.0, 114.0)
    call.lose(2, "carrier_disconnected", 5 * SECOND, 120.0)
    wake(call, 120.0)
    call.ask_failed(120.1)

    assert Ask(BOTH) not in wake(call, 120.34)
    assert Ask(BOTH) in wake(call, 120.36)


def test_where_nothing_is_missing_nothing_is_asked_for_again():
    call = streaming()
    call.ask_failed(101.0)
    assert not any(isinstance(command, Ask) for command in wake(call, 102.0))

    leaving = lost()
    leaving.leave()
    leaving.ask_failed(110.5)
    assert leaving.get_timer() is None


def test_a_refusal_near_the_end_of_the_grace_asks_no_more():
    call = lost(policy=ContinuityPolicy(tick=100.0))
    wake(call, 110.0)
    call.ask_refused(121.0)  # 121 + 4 is the end of the grace
    assert call.get_timer() == 125.0

    assert not any(isinstance(command, Ask) for command in wake(call, 124.9))


@pytest.mark.parametrize(("refused", "asked"), [(113.9, 117.9), (114.0, None)])
def test_a_track_that_is_missing_is_asked_for_as_long_as_a_lost_call_would_be(refused, asked):
    call = fresh()
    for number, track in ((1, "inbound"), (2, "outbound")):
        call.attach(number, (track,))
        call.receive_first(number, FRAME, 0.0, 100.0)
    call.lose(2, "carrier_disconnected", 3 * SECOND, 103.0)  # 15 s of grace: until 118
    wake(call, 103.0)
    call.ask_refused(refused)

    assert call.get_timer() == asked or (asked is None and call.get_timer() > NEVER)


@pytest.mark.parametrize(("grace", "state"), [(0.0, State.ENDED), (0.5, State.GRACE)])
def test_any_grace_is_a_grace(grace, state):
    call = streaming(policy=ContinuityPolicy(grace=grace, lull=LullPolicy(look=NEVER)))
    call.lose(1, "carrier_disconnected", SECOND, 101.0)

    assert call.state is state


def test_silence_takes_the_place_of_a_lost_stream_and_stays_behind_the_clock():
    call = lost()
    wake(call, 110.0)
    assert call.get_timer() == 110.25
    filled = [wake(call, at) for at in (110.25, 110.5, 112.0)]

    # 20 ms before 100.0 was call time 0.
    assert filled == [[Fill(round((at + 0.02 - 0.1 - 100.0) * SECOND))] for at in (110.25, 110.5, 112.0)]
    assert call.get_timer() == 112.25


def test_the_grace_ends_the_call_with_the_reason_of_the_loss():
    call = lost()
    wake(call, 110.0)
    assert not any(isinstance(command, End) for command in wake(call, 124.999))

    assert wake(call, 125.0) == [End("carrier_disconnected")]
    assert call.state is State.ENDED
    assert call.get_timer() is None
    assert call.heard == 10 * SECOND


def test_without_a_grace_the_loss_is_the_end():
    call = streaming(policy=ContinuityPolicy(grace=0.0))
    call.lose(1, "carrier_silent", 10 * SECOND, 110.0)

    assert call.data_to_send() == [Drop(1), End("carrier_silent")]
    assert call.heard == 10 * SECOND


def test_another_stream_goes_on_where_the_clock_stands():
    call = lost()
    wake(call, 112.0)
    call.attach(2, BOTH)
    assert (call.state, call.waiting) == (State.GRACE, False)
    call.receive_first(2, FRAME, 0.0, 115.0)

    assert call.data_to_send() == [Place(2, 15 * SECOND, "carrier_reconnected", 10 * SECOND)]
    assert call.state is State.STREAMING
    assert call.heard is None
    assert call.get_timer() > NEVER


def test_while_a_stream_is_here_and_sends_nothing_the_clock_goes_on_and_the_grace_does_not_end():
    call = lost()
    wake(call, 110.0)
    call.attach(2, BOTH)

    assert wake(call, 140.0) == [Fill(round((40.02 - 0.1) * SECOND))]


def test_a_stream_that_is_lost_before_its_first_frame_makes_the_call_no_longer():
    call = lost()
    call.attach(2, BOTH)
    call.lose(2, "carrier_silent", 13 * SECOND, 114.0)

    assert call.heard == 10 * SECOND
    assert call.state is State.GRACE
    wake(call, 128.9)
    assert call.state is State.GRACE
    assert wake(call, 129.0) == [End("carrier_silent")]


def test_a_first_stream_that_is_lost_before_its_first_frame_leaves_the_clock_to_the_next():
    call = fresh()
    call.attach(1, BOTH)
    call.lose(1, "carrier_disconnected", 0, 100.0)
    assert call.data_to_send() == [Drop(1)]
    assert (call.state, call.waiting, call.heard) == (State.STARTING, True, None)
    assert wake(call, 101.0) == [Ask(BOTH)]
    call.attach(2, BOTH)
    call.receive_first(2, FRAME, 0.0, 105.0)

    assert call.data_to_send() == [Begin(0.02), Place(2, 0, None, None)]


def test_a_first_stream_that_never_comes_back_ends_the_call():
    call = fresh()
    call.attach(1, BOTH)
    call.lose(1, "carrier_disconnected", 0, 100.0)
    call.data_to_send()

    assert wake(call, 115.0) == [End("carrier_disconnected")]


# Another process's call


def test_an_adopted_call_asks_for_its_stream_at_once():
    call = adopted()

    assert (call.state, call.waiting, call.heard) == (State.STARTING, True, 20 * SECOND)
    assert call.get_timer() == 130.0
    assert wake(call, 130.0) == [Ask(BOTH)]


def test_an_adopted_call_is_not_filled_with_silence_before_its_stream_is_here():
    call = adopted()
    wake(call, 130.0)

    assert call.get_timer() == 145.0


def test_an_adopted_call_goes_on_on_its_own_clock():
    call = adopted()
    call.attach(1, BOTH)
    call.receive_first(1, FRAME, 0.0, 135.0)

    assert call.data_to_send() == [Place(1, round(34.98 * SECOND), "bridge_restarted", 20 * SECOND)]
    assert call.heard is None


def test_an_adopted_call_whose_stream_does_not_come_ends():
    call = adopted()
    wake(call, 130.0)

    assert wake(call, 145.0) == [End("bridge_restarted")]
    assert call.heard == 20 * SECOND


def test_without_a_grace_an_adopted_call_ends_at_once():
    call = adopted(policy=ContinuityPolicy(grace=0.0))

    assert call.data_to_send() == [End("bridge_restarted")]


# The process stops


def test_a_call_that_is_left_is_heard_until_it_is_let_go():
    call = streaming()
    call.leave()
    assert (call.state, call.get_timer()) == (State.LEAVING, None)
    call.let_go(12 * SECOND)

    assert call.state is State.LEFT
    assert call.heard == 12 * SECOND
    assert call.data_to_send() == []


def test_a_call_that_is_left_in_its_grace_asks_and_waits_for_nothing():
    call = lost()
    call.leave()

    assert call.get_timer() is None
    call.let_go(13 * SECOND)
    assert call.heard == 10 * SECOND


def test_a_caller_who_hangs_up_while_the_process_stops_ends_the_call():
    call = streaming()
    call.leave()
    call.stop(1)

    assert call.data_to_send() == [End("stopped")]
    assert call.state is State.ENDED


def test_a_stream_that_is_lost_while_the_process_stops_is_the_next_ones_to_ask_for():
    call = streaming()
    call.leave()
    call.lose(1, "carrier_disconnected", 10 * SECOND, 110.0)

    assert call.data_to_send() == [Drop(1)]
    assert (call.state, call.get_timer()) == (State.LEAVING, None)


def test_one_of_two_streams_that_is_lost_while_the_process_stops_is_not_asked_for():
    call = fresh()
    call.attach(1, ("inbound",))
    call.attach(2, ("outbound",))
    call.leave()
    call.lose(1, "carrier_disconnected", 0, 100.0)

    assert call.data_to_send() == [Drop(1)]
    assert call.get_timer() is None


def test_a_first_frame_while_the_process_stops_is_placed():
    call = fresh()
    call.attach(1, BOTH)
    call.leave()
    call.receive_first(1, FRAME, 0.0, 100.0)

    assert call.data_to_send() == [Begin(0.02), Place(1, 0, None, None)]
    assert call.state is State.LEAVING


def test_a_refusal_of_the_carrier_after_the_end_changes_nothing():
    call = lost()
    wake(call, 110.0)
    call.leave()
    call.ask_refused(111.0)

    assert call.get_timer() is None


# The end


@pytest.mark.parametrize("made", [fresh, streaming, lost, adopted])
def test_a_call_ends_once(made):
    call = made()
    call.data_to_send()
    call.end("server_stopping")
    call.end("stopped")

    assert call.data_to_send() == [End("server_stopping")]
    assert (call.state, call.waiting, call.get_timer()) == (State.ENDED, False, None)


def test_a_stream_that_ends_after_the_call_changes_nothing():
    call = streaming()
    call.end("server_stopping")
    call.data_to_send()
    call.stop(1)
    call.lose(1, "carrier_disconnected", 0, 101.0)

    assert call.data_to_send() == []


def test_its_patience_is_what_the_readme_says():
    assert ContinuityPolicy() == ContinuityPolicy(grace=15.0, tick=0.25, lag=0.1, ask_again=4.0, longest=86_400.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda call: call.attach(2, BOTH),
        lambda call: call.receive_first(2, FRAME, 0.0, 100.0),
        lambda call: call.leave(),
        lambda call: call.let_go(0),
    ],
)
def test_what_cannot_be_after_the_end_is_our_bug(wrong):
    call = streaming()
    call.end("stopped")

    with pytest.raises(LocalProtocolError, match="ENDED"):
        wrong(call)


def test_a_call_that_was_not_left_cannot_be_let_go():
    with pytest.raises(LocalProtocolError, match="STREAMING"):
        streaming().let_go(0)


def test_repr_shows_where_it_stands():
    assert repr(streaming()) == "<Continuity STREAMING streams 1 heard None missing ()>"


# A call lasts so long and no longer


def begun(at=100.0):
    call = fresh(ContinuityPolicy(grace=15.0, longest=3600.0))
    call.begin(at)
    return call


def test_a_call_ends_when_it_has_lasted_as_long_as_it_may():
    call = begun()
    call.attach(1, BOTH)
    assert call.get_timer() == 3700.0
    call.receive_first(1, FRAME, 0.0, 130.0)
    call.data_to_send()

    assert wake(call, 3699.9, call.elapsed(3699.9)) == []
    assert wake(call, 3700.0, call.elapsed(3700.0)) == [End("max_duration")]
    assert call.get_timer() is None


def test_streams_that_come_and_go_without_audio_make_it_last_no_longer():
    call = begun()
    for number in range(1, 5):
        call.attach(number, BOTH)
        call.lose(number, "carrier_silent", 0, 3640.0 + number)
    call.attach(5, BOTH)

    assert wake(call, 3700.0)[-1] == End("max_duration")


def test_another_process_counts_from_call_time_0():
    call = fresh(ContinuityPolicy(grace=15.0, longest=3600.0))
    call.adopt(100.0, 20 * SECOND, BOTH, 3698.0)
    call.data_to_send()

    assert wake(call, 3700.0) == [End("max_duration")]


def test_a_call_that_is_left_is_the_next_process_own_to_end():
    call = begun()
    call.leave()

    assert call.get_timer() is None


# A stream that is there and sends nothing

LOOKED_AT = ContinuityPolicy(lull=LullPolicy(look=0.5, pause=2.0, tick=0.25, lag=0.5))


def test_a_process_that_stood_still_reads_what_came_before_it_takes_the_carrier_to_have_paused():
    call = streaming(policy=LOOKED_AT)
    call.handle_timer(116.5, SECOND, 100.5)
    assert (call.data_to_send(), call.get_timer()) == ([], 117.0)

    call.handle_timer(117.0, 17 * SECOND, 117.0)
    assert (call.data_to_send(), call.get_timer()) == ([], 117.5)


def test_nor_does_a_call_end_whose_stream_may_have_come_back_meanwhile():
    call = lost(at=110.0)
    call.handle_timer(140.0, 10 * SECOND, 110.25)
    assert (call.data_to_send(), call.get_timer(), call.waiting) == ([], 140.5, True)

    call.attach(2, BOTH)
    call.receive_first(2, FRAME, 0.0, 140.2)
    assert [type(command) for command in call.data_to_send()] == [Place]


def test_a_timer_that_is_late_as_timers_are_is_none_of_that():
    call = streaming(policy=LOOKED_AT)
    call.handle_timer(102.4, FRAME, 101.5)

    assert [type(command) for command in call.data_to_send()] == [Pause, Fill]


def test_while_a_stream_sends_nothing_the_call_goes_on_in_silence_behind_the_clock():
    call = streaming(policy=LOOKED_AT)
    told = []
    while (now := call.get_timer()) <= 103.0:
        told += [(now, command) for command in wake(call, now, FRAME)]

    # The frame ended at 100.0: so much later, but for half a second, the silence ends.
    assert told == [
        (102.0, Pause()),
        (102.0, Fill(FRAME + round(1.5 * SECOND))),
        (102.25, Fill(FRAME + round(1.75 * SECOND))),
        (102.5, Fill(FRAME + 2 * SECOND)),
        (102.75, Fill(FRAME + round(2.25 * SECOND))),
        (103.0, Fill(FRAME + round(2.5 * SECOND))),
    ]


def test_a_stream_that_sends_is_only_looked_at():
    call = streaming(policy=LOOKED_AT)
    received = FRAME
    while (now := call.get_timer()) <= 110.0:
        received += round(0.5 * SECOND)
        assert wake(call, now, received) == []


@pytest.mark.parametrize("how", ["lost", "stopped", "left"])
def test_a_stream_that_is_gone_is_not_looked_at(how):
    call = streaming(policy=LOOKED_AT)
    match how:
        case "lost":
            call.lose(1, "carrier_disconnected", FRAME, 100.1)
        case "stopped":
            call.stop(1)
        case "left":
            call.leave()
    call.data_to_send()

    assert not any(isinstance(command, Pause) for command in wake(call, 102.5, FRAME))


class AnyOrder(RuleBasedStateMachine):
    """Whatever the streams of a call do, in any order."""

    @initialize(grace=st.sampled_from([0.0, 5.0]))
    def begin(self, grace):
        self.now = 1000.0
        self.call = Continuity(ContinuityPolicy(grace=grace))
        self.here = {}  # number to whether it was placed
        self.numbers = 0
        self.commands = []

    def take(self):
        self.commands += self.call.data_to_send()
        if self.call.state in OVER:
            self.here.clear()

    @property
    def open(self):
        return self.call.state not in OVER

    @precondition(lambda self: self.open and self.call.state is not State.LEAVING)
    @rule(tracks=st.sampled_from([BOTH, ("inbound",), ("outbound",), ()]))
    def attach(self, tracks):
        self.numbers += 1
        self.here[self.numbers] = False
        self.call.attach(self.numbers, tracks)
        self.take()

    @precondition(lambda self: any(not placed for placed in self.here.values()))
    @rule(data=st.data(), late=st.floats(0, 3))
    def first_frame(self, data, late):
        number = data.draw(st.sampled_from([number for number, placed in self.here.items() if not placed]))
        self.here[number] = True
        self.call.receive_first(number, FRAME, late, self.now)
        self.take()

    @precondition(lambda self: self.here)
    @rule(data=st.data(), stops=st.booleans())
    def end_stream(self, data, stops):
        number = data.draw(st.sampled_from(sorted(self.here)))
        del self.here[number]
        if stops:
            self.call.stop(number)
        else:
            self.call.lose(number, "carrier_disconnected", self.call.elapsed(self.now), self.now)
        self.take()

    @rule(seconds=st.floats(0.01, 8.0), sends=st.booleans())
    def time_passes(self, seconds, sends):
        ends = self.now + seconds
        while (due := self.call.get_timer()) is not None and due <= ends:
            assert due >= self.now - 1e-9 or due <= self.now
            self.now = max(self.now, due)
            self.call.handle_timer(self.now, self.call.elapsed(self.now) if sends else 0)
            self.take()
        self.now = ends

    @rule()
    def refused(self):
        self.call.ask_refused(self.now)

    @rule()
    def failed(self):
        self.call.ask_failed(self.now)

    @precondition(lambda self: self.open and self.call.state is not State.LEAVING)
    @rule()
    def leave(self):
        self.call.leave()

    @precondition(lambda self: self.call.state is State.LEAVING)
    @rule()
    def let_go(self):
        self.call.let_go(0)
        self.take()

    @invariant()
    def a_call_that_is_open_has_a_stream_or_waits_for_one(self):
        if getattr(self, "call", None) and self.call.state in (State.STREAMING, State.GRACE):
            assert self.here or self.call.waiting

    @invariant()
    def it_ends_once_and_after_that_it_wants_nothing(self):
        if getattr(self, "call", None):
            ends = [command for command in self.commands if isinstance(command, End)]
            assert len(ends) == (self.call.state is State.ENDED)
            if not self.open:
                assert self.call.get_timer() is None

    @invariant()
    def the_clock_starts_once(self):
        assert sum(isinstance(command, Begin) for command in getattr(self, "commands", ())) <= 1

    @invariant()
    def silence_never_goes_back(self):
        fills = [command.position for command in getattr(self, "commands", ()) if isinstance(command, Fill)]
        assert fills == sorted(fills)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
