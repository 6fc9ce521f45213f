"""Turns, the test holding the audio's clock: when they begin, are resumed and end, and what is told meanwhile."""

import pytest

from bridge.audio import samples
from bridge.local.deepgram.flux.request import Thresholds
from bridge.local.deepgram.flux.turns import TRANSITIONS, State, Turns, confidence_after, silence_for
from bridge.local.recognition import result
from bridge.recognition import Result, SpeechStart, Word
from bridge.spans import Span


def words(text: str, start: float, end: float) -> tuple[Word, ...]:
    """The words of a text, one behind the other."""
    parts = text.split()
    step = (end - start) / len(parts)
    return tuple(
        Word(
            part.lower().strip(".,?"),
            part,
            Span(samples(start + step * place), samples(start + step * (place + 1))),
            0.9,
        )
        for place, part in enumerate(parts)
    )


def interim(text: str, start: float, end: float, now: float) -> Result:
    return result(0, Span(0, samples(now)), words(text, start, end), is_final=False)


def final(text: str, start: float, end: float, now: float, *, pause: bool = True) -> Result:
    heard = words(text, start, end) if text else ()
    return result(0, Span(0, samples(now)), heard, is_final=True, ends_turn=pause)


class Heard:
    """Feeds turns, and keeps what they tell."""

    def __init__(self, **thresholds: float) -> None:
        self.turns = Turns(Thresholds(**thresholds))
        self.told: list[object] = []

    def hear(self, *items: Result | SpeechStart) -> "Heard":
        for item in items:
            self.told += self.turns.hear(item)
        return self

    def until(self, seconds: float) -> "Heard":
        self.told += self.turns.pass_time(samples(seconds))
        return self

    def events(self, *, updates: bool = False) -> list[tuple[str, float]]:
        return [(info.event, info.window.end / 8000) for info in self.told if updates or info.event != "Update"]


def test_silence_is_told_every_quarter_second():
    heard = Heard().until(0.9)
    assert heard.events(updates=True) == [("Update", 0.25), ("Update", 0.5), ("Update", 0.75)]
    assert {(info.words, info.confidence, info.index) for info in heard.told} == {((), 0.0, 0)}


def test_a_turn_from_beginning_to_end():
    heard = Heard().hear(
        SpeechStart(0, samples(0.4)),
        interim("Hello", 0.5, 0.7, 0.75),
        interim("Hello there", 0.5, 1.0, 1.0),
        final("Hello there.", 0.5, 1.0, 1.3),
    )
    assert heard.until(2.0).events() == [("StartOfTurn", 0.75), ("EndOfTurn", 1.521125)]
    start, end = (info for info in heard.told if info.event != "Update")
    assert [word.text for word in start.words] == ["Hello"]
    assert [word.text for word in end.words] == ["Hello", "there."]
    assert (end.trigger, end.index, end.window.start) == ("model", 0, 0)
    assert end.confidence >= 0.7
    # The next turn begins where this one ended.
    heard.hear(final("Bye.", 2.0, 2.2, 2.5)).until(3.0)
    assert [(info.event, info.index, info.window.start) for info in heard.told[-3:] if info.event != "Update"] == [
        ("StartOfTurn", 1, 12169),
        ("EndOfTurn", 1, 12169),
    ]


def test_a_change_puts_off_the_next_update():
    heard = Heard().hear(interim("Hello", 0.2, 0.4, 0.4)).until(0.7)
    assert heard.events(updates=True) == [("Update", 0.25), ("StartOfTurn", 0.4), ("Update", 0.65)]


def test_an_early_end_comes_before_the_end():
    heard = Heard(eager=0.6, eot=0.8).hear(final("Hello.", 0.5, 1.0, 1.3)).until(2.0)
    assert [event for event, _ in heard.events()] == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    eager, end = (info for info in heard.told if info.event.endswith("EndOfTurn"))
    assert eager.words == end.words
    assert (eager.trigger, end.trigger) == (None, "model")
    assert 0.6 <= eager.confidence < 0.8 <= end.confidence


def test_equal_thresholds_tell_both_at_once():
    heard = Heard(eager=0.7, eot=0.7).hear(final("Hello.", 0.5, 1.0, 1.3)).until(2.0)
    assert heard.events()[1:] == [("EagerEndOfTurn", 1.521125), ("EndOfTurn", 1.521125)]


def test_speech_after_an_early_end_resumes_the_turn():
    heard = Heard(eager=0.5, eot=0.9).hear(
        final("I need", 0.5, 1.0, 1.3),
        SpeechStart(0, samples(1.5)),
        interim("help", 1.5, 1.7, 1.75),
        final("help.", 1.5, 1.8, 2.1),
    )
    heard.until(3.0)
    assert [event for event, _ in heard.events()] == [
        "StartOfTurn",
        "EagerEndOfTurn",
        "TurnResumed",
        "EagerEndOfTurn",
        "EndOfTurn",
    ]
    end = next(info for info in heard.told if info.event == "EndOfTurn")
    assert [word.text for word in end.words] == ["I", "need", "help."]


def test_a_voice_without_words_holds_the_end_off_but_not_for_ever():
    noise = Heard(timeout_ms=1000).hear(final("Hello.", 0.5, 1.0, 1.3), SpeechStart(0, samples(1.4)))
    assert noise.until(3.0).events()[-1] == ("EndOfTurn", 2.0)
    assert next(info for info in noise.told if info.event == "EndOfTurn").trigger == "timeout"
    # When it was nothing, the silence counts from the last word.
    nothing = Heard(timeout_ms=5000).hear(
        final("Hello.", 0.5, 1.0, 1.3), SpeechStart(0, samples(1.4)), final("", 0, 0, 1.9)
    )
    assert nothing.until(3.0).events()[-1] == ("EndOfTurn", 1.9)


def test_words_that_may_be_taken_back_end_no_turn():
    heard = Heard(timeout_ms=500).hear(interim("Hello", 0.2, 0.4, 0.5)).until(3.0)
    assert heard.events() == [("StartOfTurn", 0.5)]


def test_a_final_without_a_pause_leaves_time_for_the_next_words():
    heard = Heard(eot=0.5).hear(final("one two", 0.0, 5.0, 5.3, pause=False)).until(5.4)
    assert [event for event, _ in heard.events()] == ["StartOfTurn"]
    heard.hear(interim("three", 5.3, 5.5, 5.5)).until(5.6)
    assert [event for event, _ in heard.events()] == ["StartOfTurn"]
    alone = Heard(eot=0.5).hear(final("one two", 0.0, 5.0, 5.3, pause=False)).until(6.0)
    assert alone.events()[-1] == ("EndOfTurn", 5.55)


def test_at_one_only_the_timeout_or_the_client_ends_a_turn():
    heard = Heard(eot=1.0).hear(final("Hello.", 0.5, 1.0, 1.3)).until(5.9)
    assert [event for event, _ in heard.events()] == ["StartOfTurn"]
    (end,) = heard.turns.end()
    assert (end.event, end.trigger) == ("EndOfTurn", "manual")
    assert heard.turns.end() == []


def test_thresholds_can_change_on_the_way():
    heard = Heard(eot=1.0).hear(final("Hello.", 0.5, 1.0, 1.3)).until(2.0)
    heard.turns.thresholds = Thresholds(eot=0.7)
    heard.until(2.1)
    assert heard.events()[-1] == ("EndOfTurn", 2.0)


def test_a_close_tells_what_was_heard_and_ends_no_turn():
    heard = Heard().hear(final("Hello", 0.5, 1.0, 1.1, pause=False))
    (update,) = heard.turns.close()
    assert (update.event, [word.text for word in update.words]) == ("Update", ["Hello"])
    assert Heard().turns.close() == []
    assert [info.event for info in Heard().until(0.3).turns.close()] == ["Update"]


def test_every_decision_falls_at_the_same_sample_however_the_audio_is_cut():
    def play(step: float) -> list[object]:
        heard = Heard(eager=0.6).hear(final("Hello.", 0.5, 1.0, 1.3))
        for place in range(1, round(1.7 / step) + 1):
            heard.until(1.3 + place * step)
        return heard.told

    assert play(0.02) == play(0.1) == play(1.7)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 0.95])
def test_the_confidence_reaches_a_threshold_after_its_silence(threshold):
    assert confidence_after(silence_for(threshold)) == pytest.approx(threshold)
    assert confidence_after(silence_for(threshold) - 0.01) < threshold


def test_every_state_can_be_left():
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS.values())
    assert "initial" in repr(Turns(Thresholds()))
