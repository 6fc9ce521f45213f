"""What processes tell each other."""

import json

import pytest

from bridge.events import Event, SpeechStarted, Word
from bridge.store.postgres import telling
from bridge.store.postgres.telling import (
    FOLLOWS,
    FRESH,
    LARGEST,
    FarInterims,
    Followers,
    follows,
    hints,
    interim,
    read,
)
from tests.fakes import words


def test_hints_go_in_as_few_messages_as_will_hold_them() -> None:
    calls = [f"CA{number:032}" for number in range(600)]
    messages = hints("me", calls, ["CAx"])
    assert len(messages) == 4
    assert max(len(message.encode()) for message in messages) <= LARGEST
    told = [message for payload in messages if (message := read(payload))]
    assert [call for message in told for call in message.events] == calls
    assert [call for message in told for call in message.deletions] == ["CAx"]
    assert {message.node for message in told} == {"me"}
    assert hints("me") == []


def test_a_process_is_told_that_there_is_something_for_it() -> None:
    (payload,) = hints("me", wakes=["a", "b"])
    message = read(payload)
    assert message
    assert (message.node, message.wakes, message.events) == ("me", ("a", "b"), ())


def test_who_follows_too_many_calls_follows_all() -> None:
    def told(calls: list[str]) -> object:
        (payload,) = follows("me", calls)
        message = read(payload)
        assert message
        return message.follows

    assert told([]) == ()
    assert told(["CA1", "CA2"]) == ("CA1", "CA2")
    assert told([f"CA{number:032}" for number in range(600)]) == ("*",)


def test_an_interim_arrives_as_it_was() -> None:
    event = words.interim(revision=3)
    payload = interim("me", event)
    assert payload
    message = read(payload)
    assert message
    assert message.interim == event


def test_an_interim_that_is_too_long_comes_without_its_words_or_not_at_all() -> None:
    def long(letters: int) -> Event:
        short = words.interim()
        each = [Word(word="w" * 10, text="w" * 10, start=1.0, end=2.0, confidence=0.5)] * 200
        data = short.data.model_copy(update={"words": each, "text": "é" * letters})
        return Event(short.call_id, None, short.id, short.time, data)

    payload = interim("me", long(100))
    assert payload
    message = read(payload)
    assert message and message.interim
    said = json.loads(message.interim.to_json())["data"]
    assert (said["words"], said["text"]) == ([], "é" * 100)
    assert interim("me", long(5000)) is None


@pytest.mark.parametrize(
    "payload",
    ["", "{", "[]", "{}", '{"node": "a", "events": 3}', '{"node": "a", "interim": {}}', '{"node":"a","follows":1}'],
)
def test_what_is_not_to_be_understood_is_nothing(payload: str) -> None:
    assert read(payload) is None


def test_a_newer_versions_words_are_passed_over() -> None:
    message = read('{"node": "a", "later": 1, "interim": {"type": "later.thing"}}')
    assert message
    assert (message.node, message.interim) == ("a", None)


def test_what_others_follow_they_are_told_for_a_while() -> None:
    others = Followers()
    others.say("a", ["CA1"], now=100.0)
    others.say("b", ["*"], now=102.0)
    assert others.want("CA1", 103.0) and others.want("CA2", 103.0)
    others.say("b", [], now=104.0)
    assert not others.want("CA2", 104.0)
    assert others.want("CA1", 100.0 + FOLLOWS - 0.1)
    assert not others.want("CA1", 100.0 + FOLLOWS)


class TestFarInterims:
    def test_the_newest_of_a_slot_counts(self) -> None:
        far = FarInterims()
        newest = words.interim(segment_id="a", revision=2)
        assert far.put(words.interim(segment_id="a", revision=1), 0.0)
        assert far.put(newest, 0.0)
        assert not far.put(words.interim(segment_id="a", revision=2), 0.0)
        assert far.put(other := words.interim(segment_id="b", track="outbound"), 0.0)
        assert far.of("CA1", 1.0) == [newest, other]
        assert far.of("CA2", 1.0) == []
        assert (len(far), "CA1" in far) == (1, True)

    def test_none_comes_after_its_final(self) -> None:
        far = FarInterims()
        far.put(words.interim(segment_id="a", revision=1), 0.0)
        far.settle("CA1", "inbound", "a", 2.0)
        assert far.of("CA1", 0.0) == []
        assert not far.put(words.interim(segment_id="a", revision=2), 0.0)
        assert far.put(words.interim(segment_id="b", revision=1), 0.0)
        far.settle("CA9", "inbound", "a", 2.0)  # of which nothing is known

    def test_the_start_of_speech_gives_way_to_words(self) -> None:
        far = FarInterims()
        begun = SpeechStarted(track="inbound", channel=0, speaker="caller", at=1.0, at_time="")
        started = Event("CA1", None, "x", "", begun)
        assert far.put(started, 0.0)
        assert far.put(words.interim(), 0.0)
        assert not far.put(started, 0.0)

    def test_what_is_old_or_over_is_forgotten(self) -> None:
        far = FarInterims()
        far.put(words.interim(), 0.0)
        assert far.of("CA1", FRESH)
        assert not far.of("CA1", FRESH + 0.1)
        far.put(words.interim(), 0.0)
        far.end("CA1")
        assert len(far) == 0

    def test_it_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(telling, "MOST", 3)
        far = FarInterims()
        for number in range(4):
            far.put(words.interim(f"CA{number}"), 0.0)
        assert len(far) == 3
        assert "CA0" not in far


def test_that_a_call_is_handed_over_is_said_without_its_name() -> None:
    message = read(telling.handing("me"))
    assert message
    assert (message.node, message.handing, message.events) == ("me", True, ())
    others = read(hints("me", ["CA1"])[0])
    assert others and not others.handing
