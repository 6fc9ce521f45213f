"""The machine of one connection, the test holding the clock: messages, order, timers, the end, and faults."""

import hashlib
import json
from typing import Any

import pytest

from bridge.audio import interleave, mulaw_to_pcm, silence, wav_header
from bridge.errors import LocalProtocolError
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.deepgram.messages import DATA_0000, NET_0000, NET_0001
from bridge.local.deepgram.outputs import Abort, Close
from bridge.local.deepgram.request import ListenRequest, parse_request
from bridge.local.deepgram.session import TRANSITIONS, Limits, Session, State
from bridge.local.script import CodedRecognizers, Script, ScriptWord, encode

SCRIPT = Script(
    channels=(
        (
            ScriptWord(word="hello", text="Hello,", start=0.2, end=0.6),
            ScriptWord(word="there", text="there.", start=0.6, end=1.0),
            ScriptWord(word="bye", text="Bye.", start=4.0, end=4.3),
        ),
        (ScriptWord(word="hi", text="Hi.", start=1.5, end=1.9),),
    )
)
SECONDS = 6.0
AUDIO = interleave(*encode(SCRIPT, SECONDS))
CHUNK = 640
"""Octets of 40 ms."""

KEEP_ALIVE = '{"type":"KeepAlive"}'
FINALIZE = '{"type":"Finalize"}'
CLOSE_STREAM = '{"type":"CloseStream"}'


def request(**parameters: str) -> ListenRequest:
    defaults = {
        "model": "nova-3",
        "encoding": "mulaw",
        "sample_rate": "8000",
        "channels": "2",
        "multichannel": "true",
        "interim_results": "true",
        "endpointing": "300",
    }
    parsed = parse_request((defaults | parameters).items())
    assert isinstance(parsed, ListenRequest), parsed
    return parsed


def open_session(
    faults: Faults = NO_FAULTS, *, limits: Limits | None = None, notices: bool = False, **parameters: str
) -> Session:
    return Session(
        request(**parameters),
        CodedRecognizers(SCRIPT),
        request_id="the-id",
        created="2026-01-01T00:00:00.000Z",
        now=0.0,
        faults=faults,
        limits=limits or Limits(),
        with_notices=notices,
        filename="data/call.wav" if notices else None,
    )


def play(session: Session, seconds: float = SECONDS, start: float = 0.0) -> list[Any]:
    """The audio from `start`, in real time: what is sent meanwhile."""
    sent: list[Any] = []
    for at in range(round(start * 16000), round((start + seconds) * 16000), CHUNK):
        now = (at + CHUNK) / 16000
        session.handle_timer(now)
        session.receive_binary(AUDIO[at : at + CHUNK], now)
        sent += opened(session.data_to_send(now))
    return sent


def opened(outputs: list[Any]) -> list[Any]:
    """Outputs with their JSON read."""
    return [json.loads(output) if isinstance(output, str) else output for output in outputs]


def say(session: Session, text: str, now: float) -> list[Any]:
    session.receive_text(text, now)
    return opened(session.data_to_send(now))


def transcripts(sent: list[Any], *, final: bool = True) -> list[tuple[int, str]]:
    return [
        (message["channel_index"][0], message["channel"]["alternatives"][0]["transcript"])
        for message in sent
        if isinstance(message, dict) and message["type"] == "Results" and message["is_final"] is final
    ]


def types(sent: list[Any]) -> list[str]:
    return [message["type"] if isinstance(message, dict) else type(message).__name__ for message in sent]


# Results


def test_each_channel_is_transcribed_on_its_own():
    sent = play(open_session())
    assert [said for said in transcripts(sent) if said[1]] == [(0, "hello there"), (1, "hi"), (0, "bye")]
    assert {tuple(message["channel_index"]) for message in sent} == {(0, 2), (1, 2)}


def test_finals_of_a_channel_join_without_gap():
    sent = play(open_session())
    for channel in (0, 1):
        finals = [m for m in sent if m["channel_index"][0] == channel and m["is_final"]]
        assert finals[0]["start"] == 0
        for one, other in zip(finals, finals[1:], strict=False):
            assert one["start"] + one["duration"] == pytest.approx(other["start"])


def test_a_silent_channel_has_empty_finals():
    session = open_session()
    play(session)
    session.receive_binary(silence(32000), SECONDS + 2)
    assert transcripts(opened(session.data_to_send(SECONDS + 2))) == [(1, "")]


def test_interims_only_if_asked_for():
    assert transcripts(play(open_session()), final=False) != []
    assert transcripts(play(open_session(interim_results="false")), final=False) == []


def test_the_pause_makes_a_speech_final():
    (first,) = [m for m in play(open_session(), 1.4) if m["is_final"]]
    assert (first["speech_final"], first["from_finalize"]) == (True, False)
    assert first["start"] + first["duration"] == pytest.approx(1.3)


def test_linear16_says_the_same():
    pcm = open_session(encoding="linear16")
    pcm.receive_binary(mulaw_to_pcm(AUDIO), 0.0)
    assert [t for t in transcripts(opened(pcm.data_to_send(0.0))) if t[1]] == [
        (0, "hello there"),
        (0, "bye"),
        (1, "hi"),
    ]


def test_an_odd_octet_waits_for_its_frame():
    session = open_session()
    for at in range(0, len(AUDIO), 333):
        session.receive_binary(AUDIO[at : at + 333], 0.0)
    assert (0, "hello there") in transcripts(opened(session.data_to_send(0.0)))


# KeepAlive, Finalize, Configure, rubbish


def test_keep_alive_has_no_answer():
    session = open_session()
    play(session, 1.0)
    assert say(session, KEEP_ALIVE, 1.0) == []


def test_keep_alive_as_binary_is_audio():
    session = open_session()
    session.receive_binary(KEEP_ALIVE.encode(), 0.0)
    assert session.octets == len(KEEP_ALIVE)
    assert session.duration > 0


def test_one_zero_octet_is_audio_and_no_close():
    session = open_session()
    session.receive_binary(b"\0", 0.0)
    assert (session.state, session.octets) == (State.OPEN, 1)


def test_finalize_settles_every_channel():
    session = open_session()
    play(session, 0.8)
    sent = say(session, FINALIZE, 0.8)
    assert [(m["channel_index"], m["is_final"], m["from_finalize"]) for m in sent] == [
        ([0, 2], True, True),
        ([1, 2], True, True),
    ]
    assert transcripts(sent) == [(0, "hello there"), (1, "")]
    assert session.state is State.OPEN


def test_finalize_settles_one_channel():
    session = open_session()
    play(session, 0.8)
    sent = say(session, '{"type":"Finalize","channel":1}', 0.8)
    assert [m["channel_index"] for m in sent] == [[1, 2]]


def test_finalize_has_no_answer_where_nothing_is_pending():
    session = open_session()
    play(session, 0.8)
    say(session, FINALIZE, 0.8)
    assert say(session, FINALIZE, 0.8) == []
    assert say(session, '{"type":"Finalize","channel":7}', 0.8) == []
    assert session.ignored == 1


def test_after_finalize_the_stream_goes_on():
    session = open_session()
    play(session, 0.8)
    say(session, FINALIZE, 0.8)
    rest = transcripts(play(session, SECONDS - 0.8, start=0.8))
    assert [said for said in rest if said[1]] == [(0, "there"), (1, "hi"), (0, "bye")]


def test_configure_is_answered():
    session = open_session()
    (answer,) = say(session, '{"type":"Configure","keyterms":["Acme"]}', 1.0)
    assert answer == {"type": "ConfigureSuccess", "request_id": "the-id", "keyterms": ["Acme"]}


def test_an_unreadable_text_is_answered_and_the_socket_stays_open():
    session = open_session()
    (error,) = say(session, "//7+/v7+", 1.0)
    assert (error["type"], error["variant"], error["message"]) == ("Error", "SchemaError", "//7+/v7+")
    assert error["description"].endswith("expected value at line 1 column 1")
    assert session.state is State.OPEN
    assert (0, "hello there") in transcripts(play(session))


# The end


def test_close_stream_brings_what_is_left_then_metadata_then_1000():
    session = open_session()
    play(session, 0.8)
    sent = say(session, CLOSE_STREAM, 0.8)
    assert types(sent) == ["Results", "Results", "Metadata", "Close"]
    assert transcripts(sent) == [(0, "hello there"), (1, "")]
    assert sent[-1] == Close(1000, "")
    assert [m["from_finalize"] for m in sent[:2]] == [False, False]


def test_an_empty_binary_message_is_the_old_close_stream():
    session = open_session()
    play(session, 0.8)
    session.receive_binary(b"", 0.8)
    assert types(opened(session.data_to_send(0.8))) == ["Results", "Results", "Metadata", "Close"]


def test_metadata_says_what_was_received():
    session = open_session()
    play(session, 2.0)
    metadata = say(session, CLOSE_STREAM, 2.0)[-2]
    assert metadata["sha256"] == hashlib.sha256(AUDIO[:32000]).hexdigest()
    assert (metadata["duration"], metadata["channels"]) == (2.0, 2)
    assert (metadata["created"], metadata["request_id"]) == ("2026-01-01T00:00:00.000Z", "the-id")


def test_metadata_without_audio():
    metadata, close = say(open_session(), CLOSE_STREAM, 1.0)
    assert metadata["sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (metadata["duration"], metadata["channels"]) == (0.0, 0)
    assert close == Close(1000)


def test_two_channels_without_multichannel_come_to_nothing():
    session = open_session(multichannel="false")
    assert play(session) == []
    metadata = say(session, CLOSE_STREAM, SECONDS)[0]
    assert (metadata["duration"], metadata["channels"]) == (0.0, 0)
    assert metadata["sha256"] == hashlib.sha256(AUDIO).hexdigest()


def test_what_comes_after_close_stream_is_not_processed():
    session = open_session()
    say(session, CLOSE_STREAM, 1.0)
    session.receive_binary(AUDIO, 1.0)
    session.receive_text(FINALIZE, 1.0)
    session.receive_binary(b"", 1.0)
    assert session.data_to_send(100.0) == []
    assert (session.octets, session.ignored) == (0, 3)


def unknown_audio(**parameters: str) -> Session:
    """Without an encoding: the audio says itself what it is."""
    raw = parse_request(({"model": "nova-3"} | parameters).items())
    assert isinstance(raw, ListenRequest)
    return Session(raw, CodedRecognizers(SCRIPT), request_id="i", created="c", now=0.0)


def test_what_is_no_audio_ends_the_connection():
    session = unknown_audio()
    session.receive_binary(b"no audio" * 3000, 0.0)
    assert session.data_to_send(0.0) == [Close(1008, DATA_0000)]


@pytest.mark.parametrize("octets", [b"", b"OggS"])
def test_audio_that_ends_before_it_is_recognized_has_no_duration(octets):
    session = unknown_audio()
    if octets:
        session.receive_binary(octets, 0.0)
    metadata, close = say(session, CLOSE_STREAM, 1.0)
    assert (metadata["duration"], metadata["channels"]) == (0.0, 0)
    assert metadata["sha256"] == hashlib.sha256(octets).hexdigest()
    assert close == Close(1000)
    session.release()


def test_a_file_is_heard_with_the_channels_it_has():
    body = wav_header(len(AUDIO)) + AUDIO
    session = unknown_audio(multichannel="true", interim_results="true")
    sent: list[Any] = []
    for at in range(0, len(body), 4000):
        session.receive_binary(body[at : at + 4000], at / 16000)
        sent += opened(session.data_to_send(at / 16000))
    sent += say(session, CLOSE_STREAM, SECONDS)
    assert [said for said in transcripts(sent) if said[1]] == [(0, "hello there"), (1, "hi"), (0, "bye")]
    assert (sent[-2]["duration"], sent[-2]["channels"]) == (SECONDS, 2)
    assert {tuple(message["channel_index"]) for message in sent[:-2]} == {(0, 2), (1, 2)}


# Features


def test_what_is_only_pretended_is_said_once_and_first():
    session = open_session(diarize="true", language="multi")
    sent = opened(session.data_to_send(0.0)) + play(session)
    assert types(sent).count("Warning") == 1
    assert sent[0]["code"] == "ONLY_PRETENDED"
    assert "diarize: every word is given to speaker 0." in sent[0]["description"]


def test_nothing_is_warned_of_where_nothing_is_pretended():
    assert open_session(numerals="true", search="bye", keyterm="Bye").data_to_send(0.0) == []


def test_features_are_changed_on_the_way():
    session = open_session(smart_format="true")
    before = play(session, 3.0)
    answer = say(session, '{"type":"Configure","keyterms":["BYE"]}', 3.0)
    after = play(session, 3.0, start=3.0)
    assert transcripts(before)[0] == (0, "Hello, there.")
    assert types(answer) == ["ConfigureSuccess"]
    assert [said for said in transcripts(after) if said[1]] == [(0, "BYE.")]


def test_the_states_are_a_table_and_nothing_else_is_possible():
    assert set(TRANSITIONS) == set(State)
    session = open_session()
    session.close(1011, "enough", 1.0)
    session.close(1011, "twice", 2.0)
    assert session.data_to_send(2.0) == [Close(1011, "enough")]
    with pytest.raises(LocalProtocolError):
        session._move(State.OPEN)


def test_repr_says_how_it_stands():
    session = open_session()
    play(session, 1.0)
    assert repr(session).startswith("<Session the-id open 1.00 s of audio, ")


# Timers


def expire(session: Session, until: float = 1000.0) -> tuple[float, Any]:
    """Let time pass, as the shell does, until something is said: when, and what."""
    while (timer := session.get_timer()) is not None and timer <= until:
        session.handle_timer(timer)
        if sent := opened(session.data_to_send(timer)):
            return timer, sent[0]
    raise AssertionError("nothing was said")


def test_net_0001_after_10_seconds_without_a_message():
    assert expire(open_session()) == (10.0, Close(1011, NET_0001))


def test_net_0001_counts_from_the_last_audio():
    session = open_session()
    play(session, 3.0)
    assert expire(session) == (13.0, Close(1011, NET_0001))


def test_a_keep_alive_counts_after_the_first_audio():
    session = open_session()
    play(session, 1.0)
    say(session, KEEP_ALIVE, 9.0)
    assert expire(session) == (19.0, Close(1011, NET_0001))


def test_a_keep_alive_alone_never_saves_a_stream_without_audio():
    session = open_session()
    say(session, KEEP_ALIVE, 5.0)
    say(session, FINALIZE, 6.0)
    assert expire(session) == (10.0, Close(1011, NET_0001))


def test_time_that_our_own_work_takes_is_not_the_clients_silence():
    session = open_session()
    play(session, 1.0)
    session.worked(8.0)
    assert expire(session)[0] == 18.0


def test_audio_waits_30_seconds_for_an_answer_at_most():
    """Two channels without multichannel are never answered."""
    session = open_session(multichannel="false")
    for second in range(40):
        session.handle_timer(float(second))
        session.receive_binary(AUDIO[:CHUNK], float(second))
        if sent := session.data_to_send(float(second)):
            break
    assert (second, sent) == (30, [Close(1011, NET_0000)])


def test_silence_is_answered_often_enough():
    session = open_session(interim_results="false")
    for second in range(60):
        session.handle_timer(second + 0.9)
        session.receive_binary(silence(16000), second + 1.0)
    assert session.state is State.OPEN


def test_after_the_end_there_is_no_timer():
    session = open_session()
    say(session, CLOSE_STREAM, 1.0)
    assert session.get_timer() is None
    session.handle_timer(1000.0)
    assert session.data_to_send(1000.0) == []


def test_limits_can_be_shorter():
    assert expire(open_session(limits=Limits(no_input=0.5)))[0] == 0.5


# Speed


def test_real_time_is_not_too_fast():
    session = open_session()
    play(session)
    assert session.too_fast == 0
    assert session.ahead(SECONDS) < 0


def test_faster_than_a_quarter_over_real_time_is_counted_and_measured():
    session = open_session()
    session.receive_binary(AUDIO[:16000], 0.0)
    assert session.too_fast == 0, "a second may come at once"
    session.receive_binary(AUDIO[16000:56000], 0.0)
    assert session.too_fast == 1
    assert session.ahead(0.0) == pytest.approx(2.0), "3.5 s came; 1 s and 2 * 1.25 s are allowed"
    assert session.ahead(2.0) == pytest.approx(0.0)


# Faults


def test_drop_after_so_much_audio():
    sent = play(open_session(Faults(drop_after=2.0)))
    assert sent[-1] == Abort()
    assert [t for t in transcripts(sent) if t[1]] == [(0, "hello there")]


def test_close_with_1011_after_so_much_audio():
    sent = play(open_session(Faults(close_after=2.0)))
    assert sent[-1] == Close(1011, NET_0000)
    assert play(open_session(Faults(close_after=2.0, close_code=1012, close_reason="restart")))[-1] == Close(
        1012, "restart"
    )


def test_stop_reading_after_so_much_audio():
    session = open_session(Faults(stop_reading_after=2.0))
    play(session, 1.96)
    assert session.reads
    play(session, 0.04, start=1.96)
    assert not session.reads
    session.handle_timer(100.0)
    assert session.state is State.OPEN


def test_stop_answering_after_so_much_audio_until_net_0000():
    session = open_session(Faults(stop_answering_after=2.0))
    last = transcripts(play(session))[-1]
    assert last == (0, "hello there")
    assert say(session, CLOSE_STREAM, SECONDS) == []
    stalled = open_session(Faults(stop_answering_after=2.0))
    play(stalled)
    say(stalled, KEEP_ALIVE, 29.0)
    at, close = expire(stalled)
    assert close == Close(1011, NET_0000)
    assert 31 <= at <= 32.1


def test_every_message_late():
    session = open_session(Faults(delay=3.0))
    assert play(session, 1.4) == []
    assert session.get_timer() == pytest.approx(4.0, abs=0.05)
    due = opened(session.data_to_send(4.5))
    assert transcripts(due) == [(0, "hello there")]


def test_late_finals_are_overtaken_by_interims():
    session = open_session(Faults(final_delay=2.0))
    sent = play(session)
    order = [(m["is_final"], m["start"]) for m in sent if m["channel_index"][0] == 0]
    final = order.index((True, 0.0))
    assert any(start > 1.0 and not is_final for is_final, start in order[:final])


def test_the_end_waits_for_late_finals():
    session = open_session(Faults(delay=1.0, final_delay=2.0))
    play(session, 0.8)
    assert say(session, CLOSE_STREAM, 0.8) == []
    sent = opened(session.data_to_send(3.8))
    assert types(sent) == ["Results", "Results", "Metadata", "Close"]


def test_finals_twice():
    sent = play(open_session(Faults(duplicate_finals=True)), 1.4)
    assert transcripts(sent) == [(0, "hello there")] * 2
    assert len(transcripts(sent, final=False)) == 2


def test_a_final_that_never_comes():
    sent = play(open_session(Faults(lose_finals=1)), 1.4)

    assert transcripts(sent) == []
    assert len(transcripts(sent, final=False)) == 2


def test_a_final_that_comes_late():
    sent = play(open_session(Faults(late_finals=1)), 1.4)
    in_time = play(open_session(), 1.4)

    assert len(transcripts(sent)) < len(transcripts(in_time))


def test_a_final_with_an_odd_word():
    (final,) = [message for message in play(open_session(Faults(odd_words=1)), 1.4) if message.get("is_final")]

    (alternative,) = final["channel"]["alternatives"]
    assert alternative["transcript"].endswith(" odd")
    assert alternative["words"][-1] == {"word": "odd", "start": None, "confidence": 0.5}


def test_no_metadata_at_the_end():
    session = open_session(Faults(metadata=False))
    play(session, 0.8)
    assert types(say(session, CLOSE_STREAM, 0.8)) == ["Results", "Results", "Close"]


def test_never_closing():
    session = open_session(Faults(close=False))
    play(session, 0.8)
    assert types(say(session, CLOSE_STREAM, 0.8)) == ["Results", "Results", "Metadata"]
    assert session.state is State.DRAINING
    assert session.get_timer() is None
    session.close(1001, "going away", 1.0)
    assert session.data_to_send(1.0) == [Close(1001, "going away")]


# Notices


def test_the_test_suites_notices_on_request():
    session = open_session(notices=True)
    first = opened(session.data_to_send(0.0))
    assert [list(message) for message in first] == [["msg"], ["msg"]]
    session.receive_binary(AUDIO[:CHUNK], 0.04)
    assert opened(session.data_to_send(0.04)) == [{"msg": "Received 640 bytes of data"}]
    end = say(session, CLOSE_STREAM, 0.04)
    assert end[2:4] == [{"filename": "data/call.wav"}, {"total_bytes": 640}]
    assert types(end[4:]) == ["Metadata", "Close"]
