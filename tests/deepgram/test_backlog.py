"""What is still owed of a call's audio, over its sockets. Times are seconds here, samples there."""

import pytest

from bridge.audio import CHANNELS
from bridge.deepgram.backlog import Backlog
from bridge.deepgram.exchange import AudioLost, Fetch, SessionPolicy
from bridge.deepgram.latency import LatencyMeter
from bridge.recognition import Result, SpeechStart
from tests.fakes.speech import span

SECOND = 8000
SILENCE = b"\xff"
SOFT = b"\xe0"  # loud enough to be heard, and lost in the mean of a second


def sound(seconds, fill=b"\x10"):
    return fill * round(seconds * SECOND * CHANNELS)


def backlog(seconds=0, start=0, **policy):
    """So many seconds have come, in chunks of one, and a socket has begun."""
    log = Backlog(SessionPolicy(**policy), start)
    for _ in range(seconds):
        log.append(sound(1.0), 0.0)
    log.rewind()
    return log


def send(log):
    """All that can be sent now; how many seconds that is."""
    octets = 0
    while log.ready:
        octets += len(log.next_chunk(0.0))
    return octets / CHANNELS / SECOND


def final(channel, start, end):
    return Result(channel, span(start, end), "", 1.0, (), True)


def settle(log, start, end):
    """Finals of both channels, in the socket's time."""
    for channel in range(CHANNELS):
        log.hear(final(channel, start, end), partial=False)


def test_what_is_not_sent_is_told_from_what_is_not_covered():
    log = backlog(3)
    assert (log.unsent, log.waiting, log.uncovered, log.begun) == (3.0, 3.0, True, False)

    assert send(log) == 3.0
    assert (log.unsent, log.waiting, log.uncovered, log.begun) == (0.0, 3.0, True, True)
    settle(log, 0.0, 3.0)
    assert (log.waiting, log.uncovered, log.settled) == (0.0, False, 3 * SECOND)


def test_before_the_first_socket_nothing_has_been_sent():
    log = Backlog(SessionPolicy(), 0)
    log.append(sound(1.0), 0.0)

    assert (log.begun, log.unsent) == (False, 1.0)


def test_a_single_sample_is_sent_as_any_chunk_is():
    log = backlog()
    log.append(b"\x10\x10", 0.0)
    assert log.ready

    send(log)
    assert (log.begun, log.unsent) == (True, 0.0)


def test_what_finals_have_passed_over_is_a_hole():
    log = backlog(3)
    send(log)
    settle(log, 0.0, 1.0)
    settle(log, 2.0, 3.0)

    assert log.holes == [(channel, span(1.0, 2.0)) for channel in range(CHANNELS)]


@pytest.mark.parametrize(("latest", "begins"), [(11.0, 1.0), (12.0, 12.0)])
def test_a_hole_is_sent_once_more_where_it_is_kept_and_no_more_than_ten_seconds_back(latest, begins):
    log = backlog(12, kept=True)
    send(log)
    settle(log, 0.0, 1.0)
    settle(log, 2.0, latest)
    log.rewind()

    assert log.waiting == 12.0 - begins


def test_another_socket_begins_at_what_is_not_covered_and_its_times_are_the_calls():
    log = backlog(5, start=10 * SECOND)
    send(log)
    settle(log, 0.0, 2.0)

    assert log.rewind() == []
    assert send(log) == 3.0
    assert log.hear(SpeechStart(0, SECOND), partial=False) == SpeechStart(0, 13 * SECOND)
    assert log.hear(final(0, 0.0, 1.0), partial=False).span == span(12.0, 13.0)


def test_what_a_final_says_again_is_nothing_new():
    log = backlog(2)
    send(log)

    assert log.hear(final(0, 0.0, 2.0), partial=False)
    assert log.hear(final(0, 0.0, 2.0), partial=False) is None


def test_where_audio_follows_the_edge_is_left_uncovered():
    log = backlog(2)
    send(log)

    assert log.hear(final(0, 0.0, 2.0), partial=True).span.end < 2 * SECOND
    assert log.give_up() == tuple((channel, span(edge, 2.0)) for channel, edge in ((0, 1.5), (1, 0.0)))


def test_what_falls_off_the_window_is_told_with_the_next_socket():
    log = Backlog(SessionPolicy(window=2.0), 0)
    for _ in range(5):
        log.append(sound(1.0), 0.0)

    assert log.rewind() == [AudioLost(channel, span(0.0, 3.0), "overflow") for channel in range(CHANNELS)]
    assert log.rewind() == []
    assert (log.missing(), log.waiting) == (None, 2.0)


def test_what_is_kept_is_fetched_and_no_more_than_ten_seconds_at_once():
    log = backlog(15, window=2.0, kept=True)
    assert (log.missing(), log.ready, log.waiting) == (Fetch(0, 10 * SECOND), False, 15.0)

    assert log.refill(0, 0, sound(10.0)) == []
    assert send(log) == 10.0
    assert log.missing() == Fetch(10 * SECOND, 3 * SECOND)


def test_fetched_audio_goes_out_in_messages_of_sixty_milliseconds():
    log = backlog(5, window=2.0, kept=True)
    log.refill(0, 0, sound(0.15))

    sent = []
    while log.ready:
        sent.append(log.next_chunk(0.0))
    assert sent == [sound(0.06), sound(0.06), sound(0.03)]


@pytest.mark.parametrize(("start", "audio", "until"), [(2.0, sound(1.0), 2.0), (0.0, b"", 3.0)])
def test_what_is_not_kept_any_more_is_lost_and_what_follows_is_placed_after_it(start, audio, until):
    log = backlog(5, window=2.0, kept=True)

    lost = log.refill(0, round(start * SECOND), audio)
    assert lost == [AudioLost(channel, span(0.0, until), "overflow") for channel in range(CHANNELS)]
    send(log)
    assert log.hear(SpeechStart(0, 0), partial=False) == SpeechStart(0, round(until * SECOND))


def test_what_was_fetched_for_a_socket_that_is_gone_is_let_go():
    log = backlog(5, window=2.0, kept=True)

    assert log.refill(SECOND, SECOND, sound(1.0)) == []
    assert (log.ready, log.missing()) == (False, Fetch(0, 3 * SECOND))


@pytest.mark.parametrize(("pause", "goes_on"), [(0.0, True), (0.19, True), (0.2, False)])
def test_speech_goes_on_until_there_is_a_pause_of_a_fifth_of_a_second(pause, goes_on):
    log = backlog(1)
    log.append(sound(pause, SILENCE), 0.0)

    assert log.mid_speech is goes_on


def test_only_deepgrams_last_word_settles_the_tail():
    log = backlog(2)
    send(log)
    settle(log, 0.0, 1.9)
    assert log.settled == round(1.9 * SECOND)

    log.settle_tail()
    assert log.settled == 2 * SECOND


@pytest.mark.parametrize(("channel", "at", "settled"), [(None, 0.0, 5.0), (0, 0.0, 2.0), (1, 1.0, 2.0), (0, 2.9, 2.0)])
def test_a_long_tail_lacks_nothing_where_it_is_silent(channel, at, settled):
    """A recognizer need not give a final for the silence in which a call ends; a short, soft word breaks it."""
    log = backlog(2)
    tail = bytearray(sound(3.0, SILENCE))
    if channel is not None:
        begins = round(at * SECOND) * CHANNELS
        tail[begins + channel : begins + SECOND // 10 * CHANNELS : CHANNELS] = SOFT * (SECOND // 10)
    log.append(bytes(tail), 0.0)
    send(log)
    settle(log, 0.0, 2.0)
    log.settle_tail()

    assert log.settled == round(settled * SECOND)


def test_of_what_is_kept_memory_holds_the_newest_seconds():
    log = backlog(10, kept=True, held=4.0)
    send(log)
    log.spare(9 * SECOND)
    log.rewind()
    assert log.missing() == Fetch(0, 6 * SECOND)

    log.spare(5 * SECOND)
    assert log.missing() == Fetch(0, 6 * SECOND), "never more of it"
    log.refill(0, 0, sound(6.0))
    assert send(log) == 10.0


def test_what_has_not_been_sent_falls_off_too():
    log = backlog(10, kept=True, held=4.0)
    log.spare(10 * SECOND)
    assert (log.ready, log.missing(), log.unsent) == (False, Fetch(0, 6 * SECOND), 10.0)


@pytest.mark.parametrize(("channel", "at", "settled"), [(None, 0.0, 12.0), (0, 0.0, 2.0), (1, 6.0, 2.0), (0, 9.9, 2.0)])
def test_whether_a_tail_is_silent_is_known_of_what_memory_holds_no_more(channel, at, settled):
    log = backlog(2, kept=True, held=4.0)
    tail = bytearray(sound(10.0, SILENCE))
    if channel is not None:
        begins = round(at * SECOND) * CHANNELS
        tail[begins + channel : begins + SECOND // 10 * CHANNELS : CHANNELS] = SOFT * (SECOND // 10)
    for second in range(10):
        log.append(bytes(tail[2 * SECOND * second : 2 * SECOND * (second + 1)]), 0.0)
        send(log)
        log.spare((second + 2) * SECOND)
    settle(log, 0.0, 2.0)
    log.settle_tail()

    assert log.settled == round(settled * SECOND)


def test_of_what_fell_off_the_window_by_itself_nothing_is_known():
    log = backlog(2, kept=True, held=4.0, window=4.0)
    for _ in range(8):
        log.append(sound(1.0, SILENCE), 0.0)
    send(log)
    log.refill(0, 0, sound(2.0) + sound(4.0, SILENCE))
    send(log)
    settle(log, 0.0, 2.0)
    log.settle_tail()

    assert log.settled == 2 * SECOND


def test_interims_are_measured_against_what_their_socket_was_sent():
    meter = LatencyMeter()
    log = Backlog(SessionPolicy(), 0, meter)
    for _ in range(4):
        log.append(sound(1.0), 0.0)
    log.rewind()
    send(log)

    log.hear(interim(0, 0.0, 3.5), partial=False)
    log.hear(interim(1, 0.0, 3.0), partial=False)
    settle(log, 0.0, 1.0)
    assert (meter.measured, meter.longest) == (2, SECOND)

    log.rewind()
    log.hear(interim(0, 0.0, 0.0), partial=False)
    send(log)
    log.hear(interim(0, 0.0, 2.75), partial=False)
    assert (meter.measured, meter.longest, meter.total) == (4, SECOND, 1.75 * SECOND)


def interim(channel, start, end):
    return Result(channel, span(start, end), "", 0.0, (), False)


def test_what_another_process_had_no_final_for_is_fetched_and_heard_again():
    backlog = Backlog(SessionPolicy(kept=True, covered=(9000, 8200)), 10_000)
    assert backlog.settled == 8200
    assert backlog.rewind() == []
    assert (backlog.sent, backlog.missing()) == (8200, Fetch(8200, 1800))
    backlog.append(bytes(2 * 480), 1.0)
    assert not backlog.ready
    assert backlog.refill(8200, 8200, bytes(2 * 1800)) == []

    assert backlog.ready
    assert backlog.unsent == (1800 + 480) / 8000
