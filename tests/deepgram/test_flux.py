"""Flux's messages as one channel's turns; the local server's Flux at the other end of a line, with the test's clock."""

import json
from random import Random
from urllib.parse import parse_qsl

import pytest

from bridge.audio import AudioFormat, samples, seconds
from bridge.deepgram.exchange import Close, Connect, Finished, Interrupted, Send, SessionPolicy
from bridge.deepgram.extras import Model
from bridge.deepgram.flux import Flux
from bridge.deepgram.messages import DeepgramError, Metadata, Other
from bridge.deepgram.session import Session
from bridge.errors import RemoteProtocolError
from bridge.local.deepgram import session as theirs
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.deepgram.flux.request import FluxRequest, parse_flux_request
from bridge.local.deepgram.flux.session import FluxSession
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.recognition import EagerEnd, Result, SpeechStart, TurnEnd, TurnGoesOn
from bridge.spans import Span

MONO = AudioFormat("mulaw", 8000, 1)
WORDS = [
    {"word": "Hello,", "confidence": 0.9, "start": 1.0, "end": 1.4},
    {"word": "you.", "confidence": 0.7, "start": 1.5, "end": 1.9},
]


def told(event, end, transcript="Hello, you.", words=WORDS, **more):
    frame = {"type": "TurnInfo", "event": event, "turn_index": 0, "audio_window_start": 0.0, "audio_window_end": end}
    return json.dumps({**frame, "transcript": transcript, "words": words, "end_of_turn_confidence": 0.4, **more})


def silence(end):
    return told("Update", end, "", [])


def read(dialect, *frames):
    return [message for frame in frames for message in dialect.read(frame).messages]


def spans(messages, *, final=True):
    return [tuple(map(seconds, message.span)) for message in messages if message.is_final is final]


def test_a_turn_is_a_start_its_interims_and_a_final_that_ends_it():
    dialect = Flux("flux-general-en", MONO)
    started, first, interim, final = read(
        dialect, *(told(e, t) for e, t in turn(["StartOfTurn", "Update", "EndOfTurn"]))
    )

    assert started == SpeechStart(0, samples(1.0))
    assert (first.is_final, interim.is_final, final.is_final, final.ends_turn) == (False, False, True, True)
    assert interim.text == final.text == "Hello, you."
    assert [(word.word, word.text) for word in final.words] == [("hello", "Hello,"), ("you", "you.")]
    assert final.confidence == pytest.approx(0.8)
    assert tuple(map(seconds, interim.span)) == (0.0, 2.5)
    assert tuple(map(seconds, final.span)) == (0.0, 2.0), "the newest second is left to the next turn"


def turn(events):
    return [(event, 2.0 + index / 2) for index, event in enumerate(events)]


def test_an_early_end_is_told_after_what_was_said_and_so_is_what_undoes_it():
    dialect = Flux("flux-general-en", MONO)
    heard = read(dialect, told("EagerEndOfTurn", 2.25), told("TurnResumed", 2.5))

    assert [type(message) for message in heard] == [Result, EagerEnd, Result, TurnGoesOn]
    assert heard[1] == EagerEnd(0, 18_000, "Hello, you.", 0.4)
    assert heard[3] == TurnGoesOn(0, 20_000)


@pytest.mark.parametrize(
    ("trigger", "ends", "finalized"), [("model", True, False), ("manual", True, True), ("timeout", False, False)]
)
def test_why_a_turn_has_ended(trigger, ends, finalized):
    final, *rest = read(Flux("flux-general-en", MONO), told("EndOfTurn", 8.0, trigger=trigger))

    assert (final.ends_turn, final.from_finalize) == (ends, finalized)
    assert rest == ([] if ends else [TurnEnd(0, samples(1.9))])


def test_silence_is_settled_a_second_behind_and_the_next_turn_goes_on_from_there():
    dialect = Flux("flux-general-en", MONO)
    quiet = read(dialect, *(silence(quarter / 4) for quarter in range(1, 17)))
    final = read(dialect, told("EndOfTurn", 9.0))

    assert spans(quiet) == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert not any(message.text for message in quiet)
    assert spans(final) == [(3.0, 8.0)]


def test_a_turn_without_words_ends_as_others_do():
    (final,) = read(Flux("flux-general-en", MONO), told("EndOfTurn", 3.0, "", [], trigger="timeout"))

    assert (final.text, final.ends_turn) == ("", True)


def test_words_without_times_are_spread_over_the_turn_and_are_nothing_odd():
    reading = Flux("flux-general-en", MONO).read(
        told("EndOfTurn", 3.0, "a b", [{"word": "a", "confidence": 1.0}, {"word": "b", "confidence": 1.0}])
    )
    (final,) = reading.messages

    assert (reading.bad_words, reading.bad_fields) == (0, 0)
    assert [word.text for word in final.words] == ["a", "b"]
    assert 0 < final.words[0].span.start < final.words[1].span.start < samples(3.0)


def test_what_is_odd_costs_itself():
    odd = told("EndOfTurn", 3.0, None, [*WORDS, {"word": "so", "confidence": 0.5, "start": -1, "end": 2.9}, 5])
    reading = Flux("flux-general-multi", MONO).read(odd)

    assert reading.messages[0].text == "Hello, you. so"
    assert (reading.bad_words, reading.bad_fields) == (2, 1)
    assert Flux("flux-general-multi", MONO).read(told("Update", 2.0, languages=["es"])).messages[0].language == "es"


@pytest.mark.parametrize("frame", ["no JSON", "5", "{}", told("EndOfTurn", "soon"), told("EndOfTurn", -1)])
def test_what_cannot_be_understood_is_a_fault_of_the_peer(frame):
    with pytest.raises(RemoteProtocolError):
        Flux("flux-general-en", MONO).read(frame)


def test_what_says_nothing_of_the_audio():
    dialect = Flux("flux-general-en", MONO)
    error = '{"type":"Error","code":"UNPARSABLE_CLIENT_MESSAGE","description":"no"}'

    assert read(dialect, '{"type":"Connected"}', told("TurnBent", 1.0)) == [Other(), Other()]
    assert read(dialect, error) == [DeepgramError("UNPARSABLE_CLIENT_MESSAGE", "no")]
    assert dialect.closed(1005) == (), "a stream that a fault has ended has not said its last"
    assert (dialect.keep_alive, dialect.finalize(0)) == (None, None)
    assert dialect.settle(0) == '{"type":"ForceEndTurn"}'
    assert dialect.model("") == Model("flux-general-en", "")


@pytest.mark.parametrize(("code", "heard"), [(1000, 2), (1005, 2), (1006, 0), (1011, 0)])
def test_a_stream_that_is_closed_in_order_ends_with_its_turn_as_it_stood(code, heard):
    dialect = Flux("flux-general-en", MONO)
    dialect.opened()
    dialect.encode(b"\xff" * 20_000)
    read(dialect, told("Update", 2.25))
    said = dialect.closed(code)

    assert len(said) == heard
    if said:
        assert said[0].text == "Hello, you."
        assert said[0].span == Span(0, 20_000)
        assert said[1] == Metadata()


def test_what_it_has_not_heard_by_then_stays_uncovered():
    dialect = Flux("flux-general-en", MONO)
    dialect.encode(b"\xff" * 80_000)
    read(dialect, told("Update", 2.25))

    assert dialect.closed(1005)[0].span == Span(0, 18_000)


CHUNK = 640
SCRIPT = random_script(9, 40.0)
AUDIO = encode(SCRIPT, 40.0)[0]


class Line:
    """One channel of a call between our session and the local Flux; positions are samples."""

    def __init__(self, faults=(), eager=False, policy=None):
        asked = "model=flux-general-en&encoding=mulaw&sample_rate=8000" + "&eager_eot_threshold=0.4" * eager
        request = parse_flux_request(parse_qsl(asked))
        assert isinstance(request, FluxRequest)
        self._request = request
        self.faults = list(faults)
        policy = policy or SessionPolicy(format=MONO)
        self.ours = Session(policy, Random(1), dialect=Flux("flux-general-en", MONO))
        self.theirs = None
        self.texts, self.told, self.sockets, self.now = [], [], 0, 0.0

    def run(self, audio=AUDIO, *, pause=0.0):
        """The call in its own time, `pause` seconds without audio in the middle of it."""
        self.ours.start(0.0)
        for start in range(0, len(audio), CHUNK):
            self._pass(pause if start == len(audio) // CHUNK // 2 * CHUNK else CHUNK / 8000)
            self.ours.receive_audio(audio[start : start + CHUNK], self.now)
            self._pump()
        self.ours.finish(self.now)
        self._pump()
        while not any(isinstance(event, Finished) for event in self.told):
            self._pass(0.1)
        return self

    def _pass(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.05)
            due = self.ours.get_timer()
            if due is not None and due <= self.now:
                self.ours.handle_timer(self.now)
            if self.theirs:
                self.theirs.handle_timer(self.now)
            self._pump()

    def _pump(self):
        while commands := self.ours.data_to_send():
            for command in commands:
                self._obey(command)
            for output in self.theirs.data_to_send(self.now) if self.theirs else ():
                self._hear(output)
        for output in self.theirs.data_to_send(self.now) if self.theirs else ():
            self._hear(output)
        self.told += self.ours.events_received()

    def _obey(self, command):
        match command:
            case Connect():
                faults = self.faults.pop(0) if self.faults else NO_FAULTS
                self.theirs = FluxSession(
                    self._request, CodedRecognizers(SCRIPT), request_id="r", created="", now=self.now, faults=faults
                )
                self.sockets += 1
                self.ours.connected("r", self.now)
            case Send(bytes() as audio) if self.theirs:
                self.theirs.receive_binary(audio, self.now)
            case Send(str() as text) if self.theirs:
                self.texts.append(text)
                self.theirs.receive_text(text, self.now)
            case Close():
                self.theirs = None

    def _hear(self, output):
        match output:
            case theirs.Close(code, reason):
                self.theirs = None
                self.ours.closed(1005 if code is None else code, reason, self.now)
            case theirs.Abort():
                self.theirs = None
                self.ours.closed(None, "", self.now)
            case text:
                self.ours.receive_text(text, self.now)

    @property
    def words(self):
        finals = [event for event in self.told if isinstance(event, Result) and event.is_final]
        return [
            (word.word, seconds(word.span.start), seconds(word.span.end)) for final in finals for word in final.words
        ]


SPOKEN = [(word.word, word.start, word.end) for word in SCRIPT.channels[0]]


def test_every_word_of_a_call_is_heard_once_at_its_time_and_nothing_is_uncovered():
    line = Line().run()

    assert line.words == SPOKEN
    assert line.told[-1] == Finished()
    assert line.texts == ['{"type":"CloseStream"}'], "Flux takes any other text for a fault"
    assert sum(event.ends_turn for event in line.told if isinstance(event, Result)) > 2


@pytest.mark.parametrize("drop_after", [3.0, 11.3, 17.9])
def test_a_socket_that_is_lost_in_the_middle_of_a_turn_costs_and_doubles_no_word(drop_after):
    line = Line([Faults(drop_after=drop_after), Faults(drop_after=drop_after / 2)]).run()

    assert line.words == SPOKEN
    assert line.told[-1] == Finished()
    assert line.sockets == 3
    assert [type(event) for event in line.told].count(Interrupted) >= 1


def test_a_pause_needs_no_text_and_costs_no_word():
    line = Line().run(pause=45.0)

    assert line.words == SPOKEN
    assert (line.sockets, line.texts) == (1, ['{"type":"CloseStream"}'])


def test_early_ends_are_told_where_they_are_asked_for():
    kinds = {type(event) for event in Line(eager=True).run().told}

    assert EagerEnd in kinds
    assert EagerEnd not in {type(event) for event in Line().run().told}


def test_to_settle_by_hand_ends_the_turn():
    session = Session(SessionPolicy(format=MONO), Random(1), dialect=Flux("flux-general-en", MONO))
    session.start(0.0)
    session.connected("r", 0.0)
    session.receive_audio(b"\xff" * 640, 0.1)
    session.data_to_send()
    session.asking.finalize(640)
    session.ask(0.2)

    assert session.data_to_send() == [Send('{"type":"ForceEndTurn"}')]
