"""Bad days at Deepgram's, with the test's clock: against the same call without the fault, no word is missing, none
comes twice, none is on another channel, and every time is right to the millisecond."""

import pytest

from bridge.audio import seconds
from bridge.deepgram.exchange import SessionPolicy
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.script import random_script
from tests.fakes.line import Line

SCRIPT = random_script(7, 60.0)
LONG = random_script(8, 420.0)
KEPT = SessionPolicy(kept=True, window=20.0)


def between(start, end, status=503):
    return lambda now: status if start <= now < end else None


def only(index, faults):
    return lambda at: faults if at == index else NO_FAULTS


def whole(line):
    """Everything that was spoken was heard, once, and nothing had to be given up."""
    return line.words == line.spoken and line.lost == [] and line.uncovered == ()


def test_without_a_fault_everything_is_heard():
    assert whole(Line(SCRIPT, 60.0, KEPT).run())


@pytest.mark.parametrize("word", range(0, 40, 4))
def test_a_drop_in_the_middle_of_a_word(word):
    middle = (SCRIPT.words[word].start + SCRIPT.words[word].end) / 2
    line = Line(SCRIPT, 60.0, KEPT, faults=only(0, Faults(drop_after=middle))).run()

    assert whole(line)
    assert len(line.sockets) == 2
    assert len(line.interruptions) == len(line.waited) == 1


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_socket_that_takes_over_in_the_middle_of_a_word(share):
    words = SCRIPT.words[2::9]
    moves = [word.start + share * (word.end - word.start) for word in words]
    line = Line(SCRIPT, 60.0, KEPT, moves=moves).run()

    assert whole(line)
    assert len(line.sockets) == len(line.waited) + 1 > 8
    assert line.interruptions == []
    assert max(line.waited) < 10.0


def test_a_drop_of_every_socket_after_ten_seconds_of_audio():
    line = Line(SCRIPT, 60.0, KEPT, faults=lambda index: Faults(drop_after=10.0)).run()

    assert len(line.sockets) > 5
    heard = [word for words in line.words for word in words]
    left = [
        word for channel, words in enumerate(line.spoken) for word in words if lies_in(line.uncovered, channel, word)
    ]
    assert sorted(heard + left) == sorted(word for words in line.spoken for word in words)
    assert line.lost == []


def test_an_outage_of_half_a_minute_is_caught_up_in_the_call():
    script = random_script(9, 200.0)
    line = Line(script, 200.0, KEPT, refuse=between(20.0, 50.0), faults=only(0, Faults(drop_after=20.0))).run()

    assert whole(line)
    assert line.waited[-1] == pytest.approx(30.0, abs=12.0)


def lies_in(uncovered, channel, word):
    return any(on == channel and start <= (word[1] + word[2]) / 2 < end for on, start, end in uncovered)


def test_an_outage_of_five_minutes_is_heard_or_left_to_the_kept_audio():
    line = Line(LONG, 420.0, KEPT, refuse=between(60.0, 360.0), faults=only(0, Faults(drop_after=60.0))).run()
    left = [
        [word for word in words if lies_in(line.uncovered, channel, word)] for channel, words in enumerate(line.spoken)
    ]

    assert line.lost == []
    assert line.waited[-1] > 300.0
    assert [heard + rest for heard, rest in zip(line.words, left, strict=True)] == line.spoken
    assert all(end == 420.0 for _, _, end in line.uncovered)
    assert all(socket.too_fast == 0 for socket in line.sockets)


@pytest.mark.parametrize("status", [401, 402, 429, 503])
def test_a_refusal_that_heals(status):
    line = Line(SCRIPT, 60.0, KEPT, refuse=between(0.0, 15.0, status)).run()
    left = line.uncovered

    assert [event.status for event in line.interruptions] == [status]
    assert line.lost == []
    for channel, words in enumerate(line.spoken):
        assert line.words[channel] == [word for word in words if not lies_in(left, channel, word)]
    assert sum(len(words) for words in line.words) > 0


def test_a_stall_is_noticed_and_what_was_not_answered_is_sent_again():
    line = Line(SCRIPT, 60.0, KEPT, faults=only(0, Faults(stop_answering_after=10.0))).run()

    assert line.words[0] + line.words[1]
    assert [event.reason for event in line.interruptions] in (["no results"], ["NET-0000"])
    for channel, words in enumerate(line.spoken):
        assert line.words[channel] == [word for word in words if not lies_in(line.uncovered, channel, word)]


def test_a_half_open_connection_is_noticed():
    line = Line(SCRIPT, 60.0, KEPT, cut=[12.0]).run()

    assert [event.reason for event in line.interruptions] == ["no results"]
    assert len(line.sockets) == 2
    for channel, words in enumerate(line.spoken):
        assert line.words[channel] == [word for word in words if not lies_in(line.uncovered, channel, word)]


def test_a_close_without_metadata():
    assert whole(Line(SCRIPT, 60.0, KEPT, faults=lambda index: Faults(metadata=False)).run())


def test_an_end_that_is_never_answered_leaves_only_what_has_no_final():
    line = Line(SCRIPT, 60.0, KEPT, faults=lambda index: Faults(metadata=False, close=False)).run()

    for channel, words in enumerate(line.spoken):
        assert line.words[channel] == [word for word in words if not lies_in(line.uncovered, channel, word)]


def test_slow_finals():
    assert whole(Line(SCRIPT, 60.0, KEPT, faults=lambda index: Faults(final_delay=3.0)).run())


def test_slow_finals_and_a_drop():
    faults = [Faults(final_delay=3.0, drop_after=31.0), Faults(final_delay=3.0)]
    assert whole(Line(SCRIPT, 60.0, KEPT, faults=lambda index: faults[min(index, 1)]).run())


def test_duplicate_finals():
    assert whole(Line(SCRIPT, 60.0, KEPT, faults=lambda index: Faults(duplicate_finals=True)).run())


def test_duplicate_finals_and_a_drop():
    line = Line(SCRIPT, 60.0, KEPT, faults=lambda index: Faults(duplicate_finals=True, drop_after=25.0 + index * 30))
    assert whole(line.run())


def test_a_close_with_deepgrams_own_error():
    line = Line(SCRIPT, 60.0, KEPT, faults=only(0, Faults(close_after=22.0, close_code=1011))).run()

    assert whole(line)
    assert line.interruptions[0].status == 1011


def test_without_kept_audio_what_falls_off_the_window_is_said_aloud():
    line = Line(
        SCRIPT, 60.0, SessionPolicy(window=5.0), refuse=between(20.0, 40.0), faults=only(0, Faults(drop_after=20.0))
    ).run()
    gaps = [(gap.channel, *map(seconds, gap.span)) for gap in line.lost]

    assert gaps
    for channel, words in enumerate(line.spoken):
        heard = set(line.words[channel])
        assert len(heard) == len(line.words[channel])
        for word in words:
            cut = any(on == channel and start < word[2] and word[1] < end for on, start, end in gaps)
            assert (word in heard) or cut
