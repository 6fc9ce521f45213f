"""The session machine, with the test holding the clock. Audio is counted in seconds of both channels."""

import json
from random import Random

import pytest

from bridge.audio import seconds
from bridge.deepgram.exchange import (
    AudioLost,
    Close,
    Connect,
    Fetch,
    Finished,
    Interrupted,
    Resumed,
    Send,
    SessionPolicy,
)
from bridge.deepgram.messages import (
    CLOSE_STREAM,
    KEEP_ALIVE,
    DeepgramError,
    Refusal,
)
from bridge.deepgram.session import Session
from bridge.deepgram.states import State
from bridge.errors import LocalProtocolError
from bridge.recognition import Result, SpeechStart, TurnEnd
from tests.fakes.speech import span

CHUNK = 0.1


def audio(seconds=CHUNK, fill=b"\x10"):
    return fill * round(seconds * 16000)


def session(**policy):
    return Session(SessionPolicy(**{"burst": 1.0, **policy}), Random(1))


def opened(now=0.0, **policy):
    machine = session(**policy)
    machine.start(now)
    machine.connected("r1", now)
    machine.data_to_send()
    return machine


def feed(machine, seconds, now=0.0):
    """Audio in real time, in chunks; the time afterwards."""
    for index in range(round(seconds / CHUNK)):
        machine.receive_audio(audio(), now + (index + 1) * CHUNK)
    return now + seconds


def sent(machine):
    """Seconds of audio and the texts among the commands."""
    commands = machine.data_to_send()
    octets = sum(len(c.data) for c in commands if isinstance(c, Send) and isinstance(c.data, bytes))
    texts = [c.data for c in commands if isinstance(c, Send) and isinstance(c.data, str)]
    return round(octets / 16000, 6), texts


def results(channel, start, end, *words, final=True, speech_final=False):
    spoken = [
        {"word": text.lower(), "punctuated_word": text, "start": at, "end": at + 0.2, "confidence": 1.0}
        for text, at in words
    ]
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [channel, 2],
            "start": start,
            "duration": end - start,
            "is_final": final,
            "speech_final": speech_final,
            "channel": {
                "alternatives": [
                    {"transcript": " ".join(text for text, _ in words), "confidence": 1.0, "words": spoken}
                ]
            },
        }
    )


def words(events):
    said = [event for event in events if isinstance(event, Result)]
    return [(word.text, seconds(word.span.start)) for result in said for word in result.words]


def lost(channel, start, end):
    return AudioLost(channel, span(start, end), "overflow")


def finished(*uncovered):
    """`uncovered` as (channel, from, to) in seconds."""
    return Finished(tuple((channel, span(start, end)) for channel, start, end in uncovered))


def test_it_connects_at_the_start_and_keeps_the_first_words():
    machine = session()
    machine.start(0.0)

    assert machine.data_to_send() == [Connect()]

    machine.receive_audio(audio(0.5), 0.5)
    assert machine.data_to_send() == []

    machine.connected("r1", 0.6)
    assert sent(machine) == (0.5, [])


def test_audio_goes_out_as_it_comes():
    machine = opened()
    machine.receive_audio(audio(), 0.1)

    assert machine.data_to_send() == [Send(audio())]


@pytest.mark.parametrize("now", [-100.0, 0.0, 1e6])
def test_any_steady_clock_will_do(now):
    machine = opened(now)
    machine.receive_audio(audio(), now)
    assert machine.data_to_send() == [Send(audio())]

    machine.handle_timer(now + 4.0)
    assert machine.data_to_send() == [Send(KEEP_ALIVE)]


def test_nothing_empty_is_ever_sent():
    machine = opened()
    machine.receive_audio(b"", 0.1)

    assert machine.data_to_send() == []


def test_keep_alive_goes_out_as_text_after_four_seconds_without_audio():
    machine = opened()
    now = feed(machine, 1.0)
    machine.data_to_send()

    assert machine.get_timer() == pytest.approx(now + 4.0)
    machine.handle_timer(now + 3.9)
    assert sent(machine) == (0, [])
    machine.handle_timer(now + 4.0)
    assert sent(machine) == (0, [KEEP_ALIVE])
    assert machine.get_timer() == pytest.approx(now + 8.0)


def test_no_keep_alive_before_the_first_audio():
    machine = opened()

    assert machine.get_timer() is None
    machine.handle_timer(60.0)
    assert machine.data_to_send() == []


def test_results_come_in_seconds_of_the_call():
    machine = opened()
    feed(machine, 3.0)
    machine.receive_text(results(1, 0.0, 2.0, ("Hello", 0.5)), 3.0)

    (event,) = machine.events_received()
    assert (event.channel, event.span, event.text) == (1, span(0.0, 2.0), "Hello")


def test_bad_and_unknown_messages_change_nothing():
    machine = opened()
    for text in ("", "{}", '{"type":"New"}', results(2, 0, 1, ("x", 0.1))):
        machine.receive_text(text, 0.0)

    assert machine.events_received() == []
    assert (machine.journal.bad_messages, machine.journal.messages) == (3, 2)
    assert machine.state is State.OPEN


@pytest.mark.parametrize(
    "odd", [{"speech_final": "no"}, {"speech_final": "no", "from_finalize": "no"}], ids=["a field", "two fields"]
)
def test_a_message_with_odd_fields_is_heard_and_counts_as_a_bad_one(odd):
    machine = opened()
    now = feed(machine, 1.0)
    machine.receive_text(json.dumps({**json.loads(results(0, 0.0, 1.0, ("good", 0.2))), **odd}), now)

    assert words(machine.events_received()) == [("good", 0.2)]
    assert machine.journal.bad_messages == 1


def test_the_counts_have_the_names_that_the_end_of_the_call_tells():
    machine = opened()
    feed(machine, 1.0)
    machine.receive_text("rubbish", 1.0)
    machine.receive_text(results(0, 0.0, 1.0, ("odd", -1.0)), 1.0)

    assert machine.journal.counts == {"deepgram_sockets": 1, "deepgram_bad_messages": 1, "deepgram_bad_words": 1}


def test_an_error_is_told_and_counted_and_changes_nothing_else():
    machine = opened()
    machine.receive_text('{"type":"Error","variant":"x","description":"bad"}', 0.0)

    assert machine.events_received() == [DeepgramError("x", "bad")]
    assert machine.journal.bad_messages == 1
    assert machine.state is State.OPEN


def test_speech_starts_and_utterance_ends_pass():
    machine = opened()
    machine.receive_text('{"type":"SpeechStarted","channel":[1,2],"timestamp":0.4}', 1.0)
    machine.receive_text('{"type":"UtteranceEnd","channel":[0,2],"last_word_end":0.9}', 1.0)
    machine.receive_text('{"type":"UtteranceEnd","channel":[0,2],"last_word_end":-1}', 1.0)

    assert machine.events_received() == [SpeechStart(1, 3200), TurnEnd(0, 7200), TurnEnd(0, None)]


def test_the_end_flushes_and_waits_for_metadata():
    machine = opened()
    now = feed(machine, 1.0)
    machine.data_to_send()
    machine.finish(now)

    assert sent(machine) == (0, [CLOSE_STREAM])
    machine.receive_text(results(0, 0.0, 1.0, ("Bye", 0.7)), now)
    machine.receive_text('{"type":"Metadata","request_id":"r1","duration":1.0}', now)
    assert words(machine.events_received()) == [("Bye", 0.7)]
    assert machine.state is State.ENDED


def test_the_end_says_that_the_flush_completed():
    machine = opened()
    now = feed(machine, 1.0)
    machine.finish(now)
    for channel in (0, 1):
        machine.receive_text(results(channel, 0.0, 0.9), now)
    machine.receive_text('{"type":"Metadata","request_id":"r1","duration":1.0}', now)

    # The last tenth of a second is too short for a word.
    assert machine.events_received()[-1] == Finished()
    assert machine.data_to_send()[-1] == Close()
    assert machine.get_timer() is None


def test_metadata_is_no_final_for_what_was_sent_and_not_answered():
    machine = opened()
    now = feed(machine, 3.0)
    machine.finish(now)
    machine.receive_text(results(0, 0.0, 1.0, ("one", 0.5)), now)
    machine.receive_text(results(0, 2.0, 3.0, ("three", 2.5)), now)
    machine.receive_text(results(1, 0.0, 2.7), now)
    assert machine.holes == [(0, span(1.0, 2.0))]
    machine.receive_text('{"type":"Metadata","request_id":"r1","duration":3.0}', now)

    assert machine.events_received()[-1] == finished((0, 1.0, 2.0), (1, 2.7, 3.0))


def test_a_hole_keeps_what_it_needs_of_kept_audio_but_not_the_window():
    machine = opened(kept=True, burst=600.0, deaf=600.0)
    now = feed(machine, 60.0)
    for second in range(60):
        for channel in (0, 1):
            if (second, channel) != (5, 0):
                machine.receive_text(results(channel, second, second + 1), now)

    assert machine.settled == 5 * 8000
    assert machine._backlog._window.start >= 59 * 8000


def lose_one_message(machine, now, seconds):
    """A call of so many seconds in which one final of the second to last second does not come, and the socket drops."""
    for second in range(seconds):
        for channel in (0, 1):
            if (second, channel) != (seconds - 2, 0):
                machine.receive_text(results(channel, second, second + 1), now)
    machine.closed(1011, "internal error", now)
    machine.handle_timer(machine.get_timer())
    machine.connected("r", now)
    machine.data_to_send()
    return machine._backlog._timeline.start(0) / 8000


@pytest.mark.parametrize("kept", [True, False])
def test_a_hole_is_sent_once_more_and_then_left(kept):
    machine = opened(kept=kept, burst=600.0, deaf=60.0)
    now = feed(machine, 5.0)

    assert lose_one_message(machine, now, 5) == 3.0
    for channel in (0, 1):
        machine.receive_text(results(channel, 1.0, 2.0), now)  # the final of what was sent again is lost again
    machine.closed(1011, "internal error", now)
    assert machine.state is State.IDLE
    machine.finish(now)
    assert machine.events_received()[-1] == finished((0, 3.0, 4.0))


def test_a_hole_that_is_long_ago_is_not_worth_hearing_everything_again():
    machine = opened(kept=True, burst=600.0, deaf=600.0)
    now = feed(machine, 60.0)
    machine.receive_text(results(0, 0.0, 5.0), now)
    machine.receive_text(results(0, 6.0, 60.0), now)
    machine.receive_text(results(1, 0.0, 60.0), now)
    machine.closed(1011, "internal error", now)
    assert machine.state is State.IDLE

    machine.finish(now)
    assert machine.events_received()[-1] == finished((0, 5.0, 6.0))


def test_a_message_that_cannot_be_read_leaves_its_audio_uncovered():
    machine = opened()
    now = feed(machine, 2.0)
    machine.receive_text(results(0, 0.0, 1.0, ("one", 0.5))[:-5], now)
    machine.receive_text(results(7, 0.0, 1.0, ("one", 0.5)), now)
    machine.receive_text(results(0, 1.0, 2.0, ("two", 1.5)), now)
    machine.receive_text(results(1, 0.0, 2.0), now)
    machine.finish(now)
    machine.receive_text('{"type":"Metadata"}', now)

    said = machine.events_received()
    assert words(said) == [("two", 1.5)]
    assert said[-1] == finished((0, 0.0, 1.0))
    assert machine.journal.bad_messages == 2


def test_finals_out_of_order_are_all_taken():
    machine = opened()
    now = feed(machine, 3.0)
    for second in (0, 2, 1, 1):
        machine.receive_text(results(0, second, second + 1, (str(second), second + 0.5)), now)

    assert words(machine.events_received()) == [("0", 0.5), ("2", 2.5), ("1", 1.5)]


def test_a_result_about_audio_that_was_never_sent_is_shown_and_covers_nothing():
    machine = opened()
    now = feed(machine, 1.0)
    machine.receive_text(results(0, 500.0, 501.0, ("soon", 500.5)), now)
    machine.receive_text(results(1, 0.0, 1.0), now)
    machine.finish(now)
    machine.receive_text('{"type":"Metadata"}', now)

    said = machine.events_received()
    assert words(said) == [("soon", 1.0)]
    assert said[-1] == finished((0, 0.0, 1.0))


def test_odd_words_are_counted_and_their_sentence_is_heard():
    machine = opened()
    now = feed(machine, 1.0)
    message = json.loads(results(0, 0.0, 1.0, ("good", 0.2), ("odd", 0.6)))
    message["channel"]["alternatives"][0]["words"][1]["end"] = None
    machine.receive_text(json.dumps(message), now)

    assert words(machine.events_received()) == [("good", 0.2), ("odd", 0.6)]
    assert (machine.journal.bad_words, machine.journal.bad_messages) == (1, 0)


def test_a_message_in_a_binary_frame_is_a_message():
    machine = opened()
    now = feed(machine, 1.0)
    machine.receive_text(results(0, 0.0, 1.0, ("good", 0.2)).encode(), now)

    assert words(machine.events_received()) == [("good", 0.2)]


def test_an_end_that_never_comes_is_bounded_and_says_what_is_missing():
    machine = opened()
    now = feed(machine, 2.0)
    machine.receive_text(results(0, 0.0, 1.5), now)
    machine.receive_text(results(1, 0.0, 2.0), now)
    machine.events_received()
    machine.finish(now)

    assert machine.get_timer() == pytest.approx(now + 5.0)
    machine.handle_timer(now + 5.0)
    assert machine.events_received() == [finished((0, 1.5, 2.0))]


def test_a_close_without_metadata_is_complete_where_finals_cover_everything():
    machine = opened()
    now = feed(machine, 1.0)
    machine.finish(now)
    machine.receive_text(results(0, 0.0, 1.0), now)
    machine.receive_text(results(1, 0.0, 1.0), now)
    machine.closed(1000, "", now)

    assert machine.events_received()[-1] == Finished()


def test_a_drop_in_the_flush_is_tried_again_within_the_bound():
    machine = opened()
    now = feed(machine, 1.0)
    machine.finish(now)
    machine.data_to_send()
    machine.closed(None, "", now)
    machine.handle_timer(machine.get_timer())
    assert machine.data_to_send() == [Connect()]

    machine.connected("r2", now + 0.5)
    assert sent(machine) == (1.0, [CLOSE_STREAM])


def test_a_flush_that_is_dropped_every_time_is_bounded():
    machine = opened()
    now = finished_at = feed(machine, 10.0)
    machine.finish(now)
    while machine.state is not State.ENDED:
        for command in machine.data_to_send():
            if command == Connect():
                machine.connected("r", now)
            elif command == Send(CLOSE_STREAM):
                machine.receive_text(results(0, 0.0, 1.0, ("yes", 0.5), final=False), now)
                machine.closed(1011, "internal error", now)
        if (timer := machine.get_timer()) is not None:
            now = timer
            machine.handle_timer(now)

    assert now - finished_at == pytest.approx(5.0 + 10.0 / 1.25)  # the flush, and sending all of it once more
    assert machine.events_received()[-1] == finished((0, 0.0, 10.0), (1, 0.0, 10.0))


def test_a_drop_is_said_aloud_and_healed_from_the_first_uncovered_moment():
    machine = opened()
    now = feed(machine, 4.0)
    machine.receive_text(results(0, 0.0, 3.0, ("One", 1.0)), now)
    machine.receive_text(results(1, 0.0, 2.0, ("Two", 1.5)), now)
    machine.events_received(), machine.data_to_send()
    machine.closed(1011, "NET-0000", now)

    assert machine.events_received() == [Interrupted("NET-0000", 1011, "r1", 1, 2.0, True)]
    machine.handle_timer(machine.get_timer())
    assert machine.data_to_send() == [Connect()]

    machine.connected("r2", now + 1)
    length, _ = sent(machine)
    assert 0.9 <= length <= 1.2  # a burst; the rest at the ceiling
    assert machine.events_received() == []
    machine.receive_text(results(1, 0.0, 0.5), now + 1.2)
    assert machine.events_received()[0] == Resumed(1, 2.0, "r2")
    machine.receive_text(results(1, 0.5, 1.0), now + 1.7)
    assert not any(isinstance(event, Resumed) for event in machine.events_received())


def test_a_socket_that_is_taken_and_closed_at_once_is_one_interruption_however_often():
    machine = opened()
    now = feed(machine, 4.0)
    told = []
    for attempt in range(6):
        reason = "NET-0001" if attempt % 2 else "NET-0000"
        machine.closed(1011, reason, now)
        now = machine.get_timer()
        machine.handle_timer(now)
        machine.connected(f"r{attempt}", now)
        told += machine.events_received()
    assert [event.reason for event in told] == ["NET-0000", "NET-0001"], "each reason once"

    machine.receive_text(results(0, 0.0, 0.5, final=False), now)
    (resumed, _) = machine.events_received()
    assert (resumed.attempt, resumed.request_id) == (6, "r5")
    assert machine.interruption is None
    machine.closed(1011, "NET-0000", now)
    assert [event.reason for event in machine.events_received()] == ["NET-0000"], "news again"


@pytest.mark.parametrize("fill", [b"\xff", b"\x10"])
def test_an_interim_that_stands_while_nothing_more_is_said_is_asked_for(fill):
    machine = opened(finalize=3.0)
    now = feed(machine, 2.0)
    machine.receive_text(results(1, 0.0, 2.0, ("five", 1.5), ("five", 1.8), final=False), now)
    sent(machine)
    asked = {}
    for _ in range(80):
        now += CHUNK
        machine.receive_audio(audio(fill=fill), now)
        for text in sent(machine)[1]:
            asked[text] = [*asked.get(text, []), round(now, 1)]

    assert asked == {'{"type":"Finalize","channel":1}': [5.1, 8.1]}, "again after twice the time"


def test_an_interim_that_grows_or_has_its_final_is_not_asked_for():
    machine = opened(finalize=3.0)
    now = 0.0
    for second in range(1, 12):
        now = feed(machine, 1.0, now)
        machine.receive_text(results(0, 0.0, second, ("and", second - 0.5), final=False), now)
        if second == 2:
            machine.receive_text(results(1, 0.0, 2.0, ("yes", 1.0), final=False), now)
            machine.receive_text(results(1, 0.0, 2.0, ("yes", 1.0)), now)

    assert sent(machine)[1] == []


def test_in_a_pause_of_the_carrier_what_stands_is_asked_for_once():
    machine = opened()
    now = feed(machine, 2.0)
    machine.receive_text(results(0, 0.0, 2.0, ("bye", 1.5), final=False), now)
    machine.pause(now + 0.5)
    machine.pause(now + 0.75)
    _, texts = sent(machine)
    assert texts == ['{"type":"Finalize","channel":0}']
    assert machine.get_timer() == now + 0.5 + machine.policy.keep_alive


def test_another_socket_is_not_asked_for_what_the_lost_one_had_shown():
    machine = opened(burst=60.0)
    now = feed(machine, 2.0)
    machine.receive_text(results(0, 0.0, 2.0, ("bye", 1.5), final=False), now)
    machine.closed(1011, "NET-0000", now)
    machine.pause(now)
    machine.handle_timer(machine.get_timer())
    machine.connected("r2", now + 1.0)
    machine.pause(now + 1.0)

    assert sent(machine)[1] == []


@pytest.mark.parametrize(
    ("fill", "kept", "again", "left"),
    [
        (b"\xff", False, 5.0, 36.0),  # silent: it lacks nothing
        (b"\x10", True, 5.0, 0.0),  # noise: transcribed later
        (b"\x10", False, 40.0, 0.0),  # noise: there is no later
    ],
)
def test_a_channel_on_which_no_word_was_heard_holds_back_no_replay_of_the_other(fill, kept, again, left):
    machine = opened(burst=100.0, kept=kept)
    chunk = bytes(octet for pair in zip(b"\x10" * 800, fill * 800, strict=True) for octet in pair)
    for second in range(1, 41):
        for step in range(10):
            machine.receive_audio(chunk, second - 1 + 0.1 * step)
        if second < 40:
            machine.receive_text(results(0, second - 1.0, second, ("word", second - 0.5)), second)
            machine.receive_text(results(1, 0.0, second, final=False), second)
    sent(machine)
    machine.closed(1011, "NET-0000", 40.0)
    machine.handle_timer(machine.get_timer())
    machine.connected("r2", 41.0)

    assert sent(machine)[0] == pytest.approx(again, abs=1.1)
    machine.abort()
    uncovered = machine.events_received()[-1].uncovered
    assert [seconds(lacking.start) for channel, lacking in uncovered if channel == 1] == [left]


def test_where_an_interim_had_words_the_replay_begins_before_them():
    machine = opened(burst=100.0)
    now = feed(machine, 20.0)
    machine.receive_text(results(0, 0.0, 20.0), now)
    machine.receive_text(results(1, 0.0, 10.0, final=False), now)
    machine.receive_text(results(1, 0.0, 20.0, ("oh", 4.0), final=False), now)
    sent(machine)
    machine.closed(1011, "NET-0000", now)
    machine.handle_timer(machine.get_timer())
    machine.connected("r2", now)

    assert sent(machine)[0] == 20.0


def test_the_same_trouble_is_told_again_after_it_was_over():
    machine = opened()
    now = feed(machine, 1.0)
    for _ in range(2):
        machine.closed(1011, "NET-0000", now)
        assert machine.interruption == (1011, "NET-0000")
        now = machine.get_timer()
        machine.handle_timer(now)
        machine.connected("r2", now)
        machine.receive_text(results(0, 0.0, 0.5, final=False), now)
        assert machine.interruption is None

    told = [type(event) for event in machine.events_received() if not isinstance(event, Result)]
    assert told == 2 * [Interrupted, Resumed]


def test_times_go_on_after_a_drop_and_nothing_comes_twice():
    machine = opened(burst=60.0)
    now = feed(machine, 4.0)
    machine.receive_text(results(0, 0.0, 3.0, ("yes", 2.0), ("yes", 2.5)), now)
    machine.receive_text(results(1, 0.0, 2.0), now)
    machine.closed(None, "", now)
    machine.handle_timer(machine.get_timer())
    machine.connected("r2", now)
    machine.events_received()

    # The new socket's second 0 is second 2 of the call. Channel 0 has had everything up to second 3.
    machine.receive_text(results(0, 0.0, 1.0, ("yes", 0.0), ("yes", 0.5)), now)
    machine.receive_text(results(0, 1.0, 2.0, ("no", 1.2)), now)
    machine.receive_text(results(1, 0.0, 2.0, ("well", 0.1)), now)

    assert words(machine.events_received()) == [("no", 3.2), ("well", 2.1)]


def test_a_result_across_the_seam_keeps_only_what_is_new():
    machine = opened(burst=60.0)
    now = feed(machine, 4.0)
    machine.receive_text(results(0, 0.0, 3.0, ("old", 2.6)), now)
    machine.receive_text(results(1, 0.0, 2.0), now)
    machine.closed(None, "", now)
    machine.handle_timer(machine.get_timer())
    machine.connected("r2", now)
    machine.events_received()
    machine.receive_text(results(0, 0.0, 2.0, ("old", 0.6), ("new", 1.4)), now)

    _, event = machine.events_received()
    assert (event.text, event.span.start) == ("new", 24_000)
    assert words([event]) == [("new", 3.4)]


def test_a_backlog_goes_out_at_the_ceiling():
    machine = session()
    machine.start(0.0)
    now = feed(machine, 20.0)
    machine.data_to_send()
    machine.connected("r1", now)
    total, _ = sent(machine)
    began = now
    while machine.get_timer() is not None and total < 20.0:
        now = machine.get_timer()
        machine.handle_timer(now)
        total += sent(machine)[0]

    assert total == pytest.approx(20.0)
    assert now - began == pytest.approx((20.0 - 1.0) / 1.25, abs=0.3)


def test_refusals_that_may_heal_are_tried_with_growing_pauses():
    machine = session()
    machine.start(0.0)
    now, pauses = 0.0, []
    for _ in range(8):
        machine.refused(Refusal(429, "TOO_MANY_REQUESTS", "r"), now)
        pauses.append(machine.get_timer() - now)
        now = machine.get_timer()
        machine.handle_timer(now)

    longest = [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    # One trouble is one event, not one a try.
    assert machine.events_received() == [Interrupted("TOO_MANY_REQUESTS", 429, "r", 1, 0.0, True)]


def drops(machine, now, times, final):
    """Sockets that open, say one thing about a second of each channel, and are lost; the pauses after them."""
    pauses = []
    for _ in range(times):
        machine.connected("r", now)
        for channel in (0, 1):
            machine.receive_text(results(channel, 0.0, 1.0, final=final), now)
        machine.closed(1011, "internal error", now)
        pauses.append(machine.get_timer() - now)
        now = machine.get_timer()
        machine.handle_timer(now)
    return pauses


def test_sockets_that_open_and_settle_nothing_come_with_growing_pauses():
    machine = session()
    machine.start(0.0)
    pauses = drops(machine, feed(machine, 20.0), 8, final=False)

    assert pauses[-1] >= 2.0 > 1.0 > pauses[0]


def test_a_final_that_settles_something_makes_the_pauses_short_again():
    machine = session(burst=60.0)
    machine.start(0.0)
    drops(machine, feed(machine, 20.0), 8, final=False)

    assert max(drops(machine, 100.0, 8, final=True)) <= 0.25


def test_a_new_reason_is_a_new_event():
    machine = session()
    machine.start(0.0)
    machine.refused(Refusal(429, "slow down", None), 0.0)
    machine.handle_timer(machine.get_timer())
    machine.refused(Refusal(503, "down", None), 1.0)

    assert [event.status for event in machine.events_received()] == [429, 503]


@pytest.mark.parametrize("status", [400, 404])
def test_refusals_for_good_are_never_tried_again(status):
    machine = session()
    machine.start(0.0)
    machine.data_to_send()
    machine.receive_audio(audio(1.0), 0.5)
    machine.refused(Refusal(status, "INVALID_AUTH: Invalid credentials.", "r9"), 1.0)

    assert machine.events_received() == [Interrupted("INVALID_AUTH: Invalid credentials.", status, "r9", 1, 1.0, False)]
    assert machine.get_timer() is None
    machine.receive_audio(audio(1.0), 2.0)
    assert machine.data_to_send() == []

    machine.finish(3.0)
    assert machine.events_received() == [finished((0, 0.0, 2.0), (1, 0.0, 2.0))]


def test_a_refusal_for_good_ends_what_waits_for_its_socket():
    machine = session()
    machine.start(0.0)
    machine.receive_audio(audio(1.0), 0.5)
    machine.finish(0.6)
    machine.refused(Refusal(400, "no such model", "r9"), 0.7)

    assert machine.events_received()[-1] == finished((0, 0.0, 1.0), (1, 0.0, 1.0))


@pytest.mark.parametrize("status", [401, 402, 403])
def test_an_account_that_must_be_mended_is_asked_about_seldom(status):
    machine = session()
    machine.start(0.0)
    machine.refused(Refusal(status, "INVALID_AUTH: Invalid credentials.", "r9"), 0.0)

    assert machine.events_received() == [Interrupted("INVALID_AUTH: Invalid credentials.", status, "r9", 1, 0.0, False)]
    assert machine.get_timer() >= 2.0


def test_audio_that_falls_off_the_window_is_said_aloud_once():
    machine = session(window=5.0)
    machine.start(0.0)
    now = feed(machine, 8.0)
    assert machine.events_received() == []
    machine.connected("r1", now)

    assert machine.events_received() == [
        lost(0, 0.0, 3.0),
        lost(1, 0.0, 3.0),
    ]


def test_the_clock_of_the_call_survives_an_overflow():
    machine = session(window=5.0)
    machine.start(0.0)
    now = feed(machine, 8.0)
    machine.connected("r1", now)
    machine.events_received()
    machine.receive_text(results(0, 0.0, 1.0, ("late", 0.5)), now)

    assert words(machine.events_received()) == [("late", 3.5)]


def test_a_socket_that_closes_without_having_had_audio_waits_for_some():
    machine = opened()
    machine.closed(1011, "NET-0001", 10.0)
    assert machine.state is State.IDLE
    assert machine.events_received() == []

    machine.receive_audio(audio(), 20.0)
    assert machine.data_to_send() == [Connect()]


def test_finishing_while_connecting_waits_for_the_socket():
    machine = session()
    machine.start(0.0)
    machine.receive_audio(audio(1.0), 0.5)
    machine.data_to_send()
    machine.finish(0.6)
    machine.connected("r1", 0.8)

    assert sent(machine) == (1.0, [CLOSE_STREAM])
    assert machine.get_timer() == pytest.approx(5.8)  # only the last results are waited for


def test_finishing_while_deepgram_is_away_is_bounded():
    machine = session()
    machine.start(0.0)
    machine.receive_audio(audio(1.0), 0.5)
    machine.finish(0.6)
    machine.handle_timer(0.6 + 5.0 + 1.0 / 1.25)

    assert machine.events_received()[-1] == finished((0, 0.0, 1.0), (1, 0.0, 1.0))
    assert Close() in machine.data_to_send()


def test_a_handshake_that_succeeds_too_late_changes_nothing():
    machine = session()
    machine.start(0.0)
    machine.finish(0.1)
    machine.handle_timer(machine.get_timer())
    machine.connected("r1", 60.1)

    assert machine.state is State.ENDED


def test_finishing_twice_is_finishing_once():
    machine = opened()
    machine.finish(1.0)
    machine.finish(2.0)

    assert sent(machine)[1] == [CLOSE_STREAM]


def test_after_the_end_audio_is_ignored():
    machine = opened()
    machine.finish(1.0)
    machine.data_to_send()
    machine.receive_audio(audio(), 2.0)

    assert machine.data_to_send() == []
    machine.abort()
    assert machine.events_received() == [Finished()]


def test_an_illegal_transition_is_our_bug():
    machine = opened()

    with pytest.raises(LocalProtocolError):
        machine.connected("again", 0.0)
    with pytest.raises(LocalProtocolError):
        machine.start(0.0)
    with pytest.raises(LocalProtocolError):
        machine.refused(Refusal(400, "no", None), 0.0)
    with pytest.raises(LocalProtocolError):
        session().receive_text("{}", 0.0)


def test_audio_that_was_not_asked_for_is_our_bug():
    machine = opened()

    with pytest.raises(LocalProtocolError):
        machine.receive_fetched(0, 0, audio(1.0), 0.0)


@pytest.mark.parametrize("connecting", [False, True])
def test_a_socket_that_fails_is_lost_once_however_often_it_is_told(connecting):
    """The shell may tell an error of the socket and its end apart."""
    machine = opened()
    now = feed(machine, 2.0)
    if connecting:
        machine.closed(1011, "away", now)
        now = machine.get_timer()
        machine.handle_timer(now)
        machine.events_received()
    machine.refused(Refusal(None, "OSError", None), now)
    due = machine.get_timer()
    machine.closed(None, "OSError", now + 0.01)

    assert (machine.state, machine.get_timer()) == (State.WAITING, due)
    assert [type(event) for event in machine.events_received()] == [Interrupted]


def test_a_socket_that_closes_before_it_was_open_is_lost_and_has_no_request_id():
    machine = opened()
    now = feed(machine, 2.0)
    machine.closed(1011, "away", now)
    now = machine.get_timer()
    machine.handle_timer(now)
    machine.events_received()
    machine.closed(None, "OSError", now)

    assert machine.state is State.WAITING
    assert machine.events_received()[0].request_id is None


@pytest.mark.parametrize(
    ("how", "flushed", "left"), [({}, True, False), ({"cut": True}, True, True), ({}, False, True)]
)
def test_the_tail_is_settled_by_deepgrams_last_word_and_only_where_the_call_ends(how, flushed, left):
    machine = opened(kept=True)
    now = feed(machine, 1.2)
    for channel in (0, 1):
        machine.receive_text(results(channel, 0.0, 1.1), now)
    machine.finish(now, **how)
    if flushed:
        machine.receive_text('{"type":"Metadata"}', now)
    machine.handle_timer(machine.get_timer() or now)

    rest = [(0, 1.1, 1.2), (1, 1.1, 1.2)] if left else []
    assert machine.events_received()[-1] == finished(*rest)


def test_after_it_was_given_up_a_call_may_still_end_and_nothing_wakes_for_it():
    machine = opened()
    machine.abort()
    machine.data_to_send()
    machine.finish(1.0)
    machine.abort()

    assert (machine.get_timer(), machine.data_to_send()) == (None, [])
    assert len(machine.events_received()) == 1


def test_what_is_given_up_between_two_tries_is_not_tried_again():
    machine = opened()
    machine.closed(1011, "NET-0000", feed(machine, 1.0))
    machine.abort()

    assert machine.get_timer() is None


def test_repr_shows_state_and_counters():
    machine = opened()
    machine.receive_text("rubbish", 0.0)

    assert repr(machine).startswith("<Session OPEN GOING_ON <Backlog <AudioWindow 0..0 sent 0")
    assert repr(machine).endswith("fetching None <Journal sockets 1 messages 0 bad 1>>")


def kept_session(**policy):
    machine = session(window=5.0, kept=True, speed=1000.0, burst=600.0, **policy)
    machine.start(0.0)
    return machine


def fetches(machine):
    return [command for command in machine.data_to_send() if isinstance(command, Fetch)]


def test_what_the_window_no_longer_holds_is_fetched_and_sent_first():
    machine = kept_session()
    now = feed(machine, 8.0)
    machine.data_to_send()
    machine.connected("r1", now)

    assert fetches(machine) == [Fetch(0, 24_000)]
    machine.receive_fetched(0, 0, audio(3.0, b"\x20"), now)
    commands = machine.data_to_send()
    assert b"".join(command.data for command in commands) == audio(3.0, b"\x20") + audio(5.0)
    assert machine.events_received() == []


def test_a_long_stretch_is_fetched_in_parts():
    machine = kept_session()
    now = feed(machine, 30.0)
    machine.connected("r1", now)
    asked = []
    while found := fetches(machine):
        asked += found
        machine.receive_fetched(found[0].start, found[0].start, audio(found[0].samples / 8000), now)

    assert [(fetch.start, fetch.samples) for fetch in asked] == [(0, 80_000), (80_000, 80_000), (160_000, 40_000)]


def test_what_is_kept_no_longer_is_given_up_aloud():
    machine = kept_session()
    now = feed(machine, 8.0)
    machine.connected("r1", now)
    machine.data_to_send()
    machine.receive_fetched(0, 0, b"", now)

    assert machine.events_received() == [lost(0, 0.0, 3.0), lost(1, 0.0, 3.0)]
    assert sent(machine)[0] == 5.0


def test_what_was_fetched_for_a_lost_socket_is_not_sent_on_the_next():
    machine = kept_session()
    now = feed(machine, 8.0)
    machine.connected("r1", now)
    machine.data_to_send()
    machine.receive_fetched(0, 0, audio(1.0), now)
    machine.data_to_send()
    machine.closed(None, "", now)
    machine.handle_timer(machine.get_timer())
    machine.connected("r2", now)
    machine.receive_fetched(8000, 8000, audio(1.0, b"\x33"), now)

    assert machine.data_to_send()[-1] == Fetch(0, 24_000)


def test_while_a_slow_disk_is_waited_for_the_socket_is_kept_alive():
    machine = kept_session()
    now = feed(machine, 8.0)
    machine.connected("r1", now)
    machine.receive_fetched(0, 0, audio(1.0), now)
    machine.data_to_send()
    machine.handle_timer(now + 4.0)

    assert sent(machine) == (0.0, [KEEP_ALIVE])
    assert machine.get_timer() == now + 8.0


def test_what_is_kept_only_from_later_on_is_sent_from_there():
    machine = kept_session()
    now = feed(machine, 8.0)
    machine.connected("r1", now)
    machine.data_to_send()
    machine.receive_fetched(0, 16_000, audio(1.0), now)

    assert machine.events_received() == [lost(0, 0.0, 2.0), lost(1, 0.0, 2.0)]
    assert sent(machine)[0] == 6.0
    machine.receive_text(results(0, 0.0, 1.0, ("kept", 0.5)), now)
    machine.receive_text(results(0, 1.0, 6.0, ("held", 1.5)), now)
    assert words(machine.events_received()) == [("kept", 2.5), ("held", 3.5)]


def test_a_hole_in_what_is_kept_does_not_move_what_comes_behind_it():
    machine = kept_session()
    now = feed(machine, 8.0)
    machine.connected("r1", now)
    machine.data_to_send()
    machine.receive_fetched(0, 0, audio(1.0), now)
    machine.data_to_send()
    machine.receive_fetched(8000, 16_000, audio(1.0), now)
    machine.receive_text(results(0, 0.0, 2.0, ("before", 0.5), ("behind", 1.5)), now)

    assert words(machine.events_received()) == [("before", 0.5), ("behind", 2.5)]


def test_an_end_while_deepgram_is_away_leaves_what_is_kept_to_later():
    machine = session(window=5.0, kept=True)
    machine.start(0.0)
    feed(machine, 100.0)
    machine.finish(100.0)

    assert machine.get_timer() == 105.0
    machine.handle_timer(105.0)
    assert machine.events_received() == [finished((0, 0.0, 100.0), (1, 0.0, 100.0))]


def test_a_backlog_at_the_end_is_left_to_later_but_for_what_was_sent():
    machine = session(kept=True, burst=1.0)
    machine.start(0.0)
    now = feed(machine, 30.0)
    machine.connected("r1", now)
    machine.finish(now)

    length, texts = sent(machine)
    assert length == pytest.approx(1.0, abs=0.2)
    assert texts == [CLOSE_STREAM]
    machine.receive_text(results(0, 0.0, length, ("hello", 0.2), ("cu", 0.8)), now)
    machine.receive_text(results(1, 0.0, length), now)
    machine.receive_text('{"type": "Metadata"}', now)
    said = machine.events_received()
    assert words(said) == [("hello", 0.2)]  # nobody knows what "cu" would have become
    assert said[-1] == finished((0, 0.6, 30.0), (1, 0.6, 30.0))


def test_a_backlog_at_the_end_that_is_kept_nowhere_is_sent_to_its_end():
    machine = session(burst=1.0, deaf=60.0)
    machine.start(0.0)
    now = feed(machine, 30.0)
    machine.connected("r1", now)
    machine.finish(now)
    while machine.state is State.OPEN:
        machine.handle_timer(machine.get_timer())

    assert sent(machine) == (30.0, [CLOSE_STREAM])


def test_a_socket_that_opens_after_the_end_is_not_sent_a_long_backlog():
    machine = session(kept=True)
    machine.start(0.0)
    now = feed(machine, 30.0)
    machine.finish(now)
    machine.connected("r1", now)

    assert sent(machine) == (0.0, [CLOSE_STREAM])
    machine.closed(1000, "", now)
    assert machine.events_received()[-1] == finished((0, 0.0, 30.0), (1, 0.0, 30.0))


def test_a_call_that_another_process_began_goes_on_where_its_audio_does():
    machine = Session(SessionPolicy(speed=1000.0, burst=60.0), Random(1), start=80_000)
    machine.start(0.0)
    machine.receive_audio(audio(1.0), 0.0)
    machine.data_to_send()
    machine.connected("r1", 0.0)
    assert sent(machine) == (1.0, [])

    machine.receive_text(results(0, 0.0, 1.0, ("new", 0.5)), 0.0)
    assert words(machine.events_received()) == [("new", 10.5)]
    machine.finish(1.0)
    machine.handle_timer(machine.get_timer())
    assert machine.events_received() == [finished((1, 10.0, 11.0))]


def test_a_socket_that_says_nothing_to_speech_is_given_up():
    machine = opened(deaf=5.0)
    now = feed(machine, 5.0)
    assert machine.state is State.OPEN
    now = feed(machine, 0.3, now)

    assert machine.state is State.WAITING
    assert machine.data_to_send()[-1] == Close()
    assert machine.events_received()[0].reason == "no results"


def test_a_backlog_is_given_time_to_be_answered():
    machine = opened(deaf=5.0, speed=1000.0, burst=600.0)
    for _ in range(200):
        machine.receive_audio(audio(), 0.0)

    assert machine.state is State.OPEN


def test_a_process_that_stood_still_reads_what_deepgram_said_before_it_gives_the_socket_up():
    machine = opened(deaf=5.0)
    now = feed(machine, 4.9) + 20.0
    machine.handle_timer(now)
    machine.receive_audio(audio(0.1), now)
    assert machine.state is State.OPEN
    machine.receive_text(results(0, 0.0, 4.9, ("read", 0.5)), now)
    feed(machine, 4.0, now)
    assert machine.state is State.OPEN


def test_nor_does_it_end_before_it_has_read_the_last_results():
    machine = opened()
    now = feed(machine, 1.0)
    machine.finish(now)
    now += 60.0
    machine.handle_timer(now)
    for channel in (0, 1):
        machine.receive_text(results(channel, 0.0, 1.0), now)
    machine.receive_text('{"type":"Metadata"}', now)
    assert machine.events_received()[-1] == finished()


def test_and_gives_it_up_if_there_was_nothing():
    machine = opened(deaf=5.0)
    now = feed(machine, 4.9) + 20.0
    machine.handle_timer(now)
    feed(machine, 0.8, now)
    assert machine.state is State.WAITING


def catch_up(machine, seconds, now, answer=None):
    """So long a backlog is being sent, and Deepgram says `answer` after each chunk."""
    until = now + seconds
    while machine.state is State.OPEN and now < until:
        now = machine.get_timer()
        machine.handle_timer(now)
        if answer:
            machine.receive_text(answer, now)
    return now


@pytest.mark.parametrize("finishing", [False, True])
def test_a_socket_that_says_nothing_to_a_backlog_is_given_up_too(finishing):
    machine = session()
    machine.start(0.0)
    opened_at = feed(machine, 100.0)
    machine.connected("r1", opened_at)
    if finishing:
        machine.finish(opened_at)
    now = catch_up(machine, 60.0, opened_at)

    assert machine.state is State.WAITING
    assert now - opened_at == pytest.approx(20.0, abs=0.2)
    assert machine.events_received()[0].reason == "no results"


def test_while_a_backlog_is_answered_it_goes_on():
    machine = session()
    machine.start(0.0)
    now = feed(machine, 100.0)
    machine.connected("r1", now)
    catch_up(machine, 60.0, now, results(0, 0.0, 0.0, final=False))

    assert machine.state is State.OPEN


def test_a_backlog_of_silence_needs_no_answer():
    machine = session()
    machine.start(0.0)
    for index in range(1000):
        machine.receive_audio(audio(fill=b"\xff"), index * CHUNK)
    machine.connected("r1", 100.0)
    catch_up(machine, 60.0, 100.0)

    assert machine.state is State.OPEN


def test_silence_needs_no_answer():
    machine = opened(deaf=1.0)
    for index in range(100):
        machine.receive_audio(audio(fill=b"\xff"), index * CHUNK)

    assert machine.state is State.OPEN


def test_any_answer_is_a_sign_of_life():
    machine = opened(deaf=2.0)
    now = 0.0
    for _ in range(5):
        now = feed(machine, 1.5, now)
        machine.receive_text(results(0, 0.0, 0.0, final=False), now)

    assert machine.state is State.OPEN


def test_a_socket_that_was_given_up_is_not_listened_to():
    machine = opened(deaf=1.0)
    now = feed(machine, 2.0)
    machine.receive_text(results(0, 0.0, 1.0, ("late", 0.5)), now)

    assert words(machine.events_received()) == []


def test_a_refusal_that_another_origin_may_not_repeat_is_not_the_end():
    machine = session()
    machine.start(0.0)
    machine.origin = "one"
    machine.refused(Refusal(400, "no such model", "r1"), 0.0, elsewhere=True)
    machine.retries.hasten(0.0)

    assert machine.state is State.WAITING
    assert machine.get_timer() == 0.0
    (told,) = machine.events_received()
    assert (told.status, told.retry, told.origin) == (400, True, "one")


def test_an_account_that_another_origin_may_accept_is_not_waited_for():
    machine = session()
    machine.start(0.0)
    machine.refused(Refusal(401, "bad key", None), 0.0, elsewhere=True)

    assert machine.get_timer() <= 0.25
    assert machine.events_received()[0].retry


def test_only_a_session_that_waits_can_be_hastened():
    machine = opened()
    feed(machine, 1.0)
    timer = machine.get_timer()
    machine.retries.hasten(0.5)

    assert machine.get_timer() == timer


def moving(now):
    """A session that has been heard up to `now`, with a word that waits for its final."""
    machine = opened()
    feed(machine, now)
    for channel in (0, 1):
        machine.receive_text(results(channel, 0.0, now - 1.0, ("One", 0.5)), now)
    machine.receive_text(results(0, now - 1.0, now, ("Two", now - 0.6), final=False), now)
    machine.data_to_send()
    machine.events_received()
    return machine


def test_a_socket_that_takes_over_is_sent_what_no_final_covers():
    machine = moving(5.0)
    assert machine.movable
    machine.origin = "better"
    machine.moved("r2", 5.0)

    assert sent(machine) == (1.0, [])
    assert machine.events_received() == []
    assert (machine.request_id, machine.state) == ("r2", State.OPEN)
    machine.receive_text(results(0, 0.0, 1.0, ("Two", 0.4)), 5.5)
    resumed, heard = machine.events_received()
    assert resumed == Resumed(0, 1.0, "r2", "better")
    assert [(word.word, seconds(word.span.start)) for word in heard.words] == [("two", 4.4)]
    assert [(each.request_id, seconds(each.start), each.origin) for each in machine.journal.requests] == [
        ("r1", 0.0, None),
        ("r2", 4.0, "better"),
    ]


def test_a_move_is_no_end_of_an_interruption_that_is_over():
    machine = opened()
    now = feed(machine, 1.0)
    machine.closed(1011, "gone", now)
    machine.handle_timer(now + 1.0)
    machine.connected("r2", now + 1.0)
    machine.receive_text(results(0, 0.0, 0.5, ("One", 0.2), final=False), now + 1.0)
    assert machine.retries.attempt == 1  # nothing is settled there yet
    machine.moved("r3", now + 1.0)
    machine.receive_text(results(0, 0.0, 0.5, ("One", 0.2), final=False), now + 1.0)

    resumed = [event for event in machine.events_received() if isinstance(event, Resumed)]
    assert [(event.request_id, event.attempt) for event in resumed] == [("r2", 1), ("r3", 0)]


def test_a_call_is_quiet_once_no_word_waits_and_none_is_said():
    machine = moving(5.0)
    assert not machine.quiet
    machine.receive_text(results(0, 4.0, 5.0, ("Two", 4.4)), 5.0)
    assert not machine.quiet  # there is sound where the audio ends
    for index in range(3):
        machine.receive_audio(audio(fill=b"\xff"), 5.1 + index / 10)
    machine.data_to_send()

    assert machine.quiet


@pytest.mark.parametrize("how", ["owing", "finishing", "lost", "connecting"])
def test_a_session_that_owes_much_or_nothing_is_not_moved(how):
    machine = opened(again=3.0, speed=1000.0)
    match how:
        case "owing":
            feed(machine, 3.5)
        case "finishing":
            machine.finish(0.0)
        case "lost":
            feed(machine, 1.0)
            machine.closed(1011, "", 1.0)
        case "connecting":
            machine = session()
            machine.start(0.0)

    assert not machine.movable
    with pytest.raises(LocalProtocolError, match="not moved"):
        machine.moved("r2", 4.0)
