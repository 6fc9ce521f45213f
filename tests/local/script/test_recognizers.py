"""The coded and the timed recognizer: what is heard of audio that was cut, holed, replayed, crossed or shuffled."""

from itertools import accumulate, cycle, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import seconds, silence
from bridge.local.recognition import Abilities, Listening, Recognizer, abilities
from bridge.local.script import (
    CodedRecognizers,
    Script,
    ScriptWord,
    TimedRecognizers,
    encode,
    random_script,
)
from bridge.recognition import Result, Word
from tests.fakes.speech import span

SECONDS = 16.0
SCRIPT = random_script(3, SECONDS)
LEFT, RIGHT = encode(SCRIPT, SECONDS)
FACTORIES = [CodedRecognizers(SCRIPT), TimedRecognizers(SCRIPT)]

ONE = Script(channels=((ScriptWord(word="one", start=1, end=1.4), ScriptWord(word="two", start=1.4, end=1.8)),))
(ONE_AUDIO,) = encode(ONE, 5.0)


TOLD = Script(
    channels=(
        (
            ScriptWord(word="one", text="One", start=1, end=1.4, voice=1, language="en", instead="Won"),
            ScriptWord(word="two", text="two.", start=1.4, end=1.8, voice=0, instead="too."),
        ),
    )
)


@pytest.mark.parametrize("factory", [CodedRecognizers(TOLD), TimedRecognizers(TOLD)])
@pytest.mark.parametrize(("asked", "others"), [(1, []), (2, ["Won two."]), (5, ["Won two.", "One too."])])
def test_what_a_script_tells_of_its_words_is_told(factory, asked, others):
    (audio,) = encode(TOLD, 3.0)
    said = hear(factory(0, Listening(interim_results=False, alternatives=asked)), audio)
    (final,) = (item for item in said if isinstance(item, Result) and item.words)

    assert [(word.speaker, word.language) for word in final.words] == [(1, "en"), (0, None)]
    assert [(other.text, other.confidence) for other in final.alternatives] == [(text, 0.5) for text in others]


@pytest.mark.parametrize("factory", [CodedRecognizers, TimedRecognizers])
def test_they_can_do_what_their_script_tells(factory):
    assert abilities(factory(TOLD)) == Abilities(voices=True, languages=True, alternatives=True)
    assert abilities(factory(ONE)) == Abilities()


def coded(script: Script = SCRIPT, listening: Listening | None = None) -> Recognizer:
    return CodedRecognizers(script)(0, listening or Listening())


def hear(recognizer: Recognizer, audio: bytes, chunk: int = 160) -> list[Result]:
    """All that is said about the audio, to its end."""
    said = []
    for at in range(0, len(audio), chunk):
        said += recognizer.receive_audio(audio[at : at + chunk])
    said += recognizer.flush()
    return [item for item in said if isinstance(item, Result)]


def finals(said: list[Result]) -> list[Word]:
    return [word for item in said if item.is_final for word in item.words]


def names(words: list[Word]) -> list[tuple[str, float, float, float]]:
    return [(word.word, *map(seconds, word.span), round(word.confidence, 4)) for word in words]


@pytest.mark.parametrize("factory", FACTORIES, ids=["coded", "timed"])
@pytest.mark.parametrize("channel", [0, 1])
def test_the_finals_are_the_script(factory, channel):
    said = hear(factory(channel, Listening()), (LEFT, RIGHT)[channel])
    assert finals(said) == [
        Word(word.word, word.text, span(word.start, word.end), 1.0) for word in SCRIPT.channels[channel]
    ]


@pytest.mark.parametrize("factory", FACTORIES, ids=["coded", "timed"])
def test_finals_join_without_gap_or_overlap_and_hold_their_words(factory):
    said = [item for item in hear(factory(0, Listening()), LEFT) if item.is_final]
    assert said[0].span.start == 0
    assert said[-1].span.end == SECONDS * 8000
    for one, other in pairwise(said):
        assert one.span.end == other.span.start
    for item in said:
        assert all(item.span.start <= word.span.start < word.span.end <= item.span.end for word in item.words)


@pytest.mark.parametrize("factory", FACTORIES, ids=["coded", "timed"])
@settings(max_examples=6, deadline=None)
@given(chunks=st.lists(st.integers(1, 8000), min_size=3, max_size=20))
def test_what_is_said_does_not_depend_on_how_the_audio_is_cut(factory, chunks):
    audio = LEFT[: 8 * 8000]
    whole = list(factory(0, Listening()).receive_audio(audio))
    recognizer, said, at = factory(0, Listening()), [], 0
    for size in cycle(chunks):
        said += recognizer.receive_audio(audio[at : at + size])
        at += size
        if at >= len(audio):
            break
    assert said == whole


@pytest.mark.parametrize("factory", FACTORIES, ids=["coded", "timed"])
def test_interims_come_about_once_a_second(factory):
    ends = list(accumulate((item.span.end for item in hear(factory(0, Listening()), LEFT)), max))
    assert all(other - one <= 8000 for one, other in pairwise(ends))


def test_confidence_is_the_share_of_a_word_that_was_heard():
    holed = ONE_AUDIO[: 8 * 1100] + silence(8 * 100) + ONE_AUDIO[8 * 1200 :]
    assert names(finals(hear(coded(ONE), holed))) == [("one", 1.0, 1.4, 0.75), ("two", 1.4, 1.8, 1.0)]


def test_a_hole_longer_than_the_endpointing_does_not_cut_a_word_in_two():
    script = Script(channels=((ScriptWord(word="long", start=1, end=2),),))
    (audio,) = encode(script, 4.0)
    holed = audio[: 8 * 1100] + silence(8 * 500) + audio[8 * 1600 :]
    said = hear(coded(script), holed)
    assert names(finals(said)) == [("long", 1.0, 2.0, 0.5)]
    assert [seconds(item.span.end) for item in said if item.ends_turn] == [2.3]


def test_a_word_without_its_head_starts_where_it_was_heard():
    assert names(finals(hear(coded(ONE), ONE_AUDIO[8 * 1300 :]))) == [
        ("one", 0.0, 0.1, 0.25),
        ("two", 0.1, 0.5, 1.0),
    ]


def test_a_word_without_its_tail_ends_where_it_was_heard():
    cut = ONE_AUDIO[: 8 * 1500] + silence(8 * 2000)
    assert names(finals(hear(coded(ONE), cut))) == [("one", 1.0, 1.4, 1.0), ("two", 1.4, 1.5, 0.25)]


def test_a_half_heard_word_is_settled_by_a_flush_and_its_rest_is_heard_after_it():
    recognizer = coded(ONE)
    before = hear(recognizer, ONE_AUDIO[: 8 * 1300])
    after = hear(recognizer, ONE_AUDIO[8 * 1300 :])
    assert names(finals(before)) == [("one", 1.0, 1.3, 0.75)]
    assert names(finals(after)) == [("one", 1.3, 1.4, 0.25), ("two", 1.4, 1.8, 1.0)]


def test_a_replay_on_a_new_connection_is_heard_from_its_own_zero():
    """Whatever octet it begins at."""
    word = SCRIPT.channels[0][0]
    start = word.start_ms * 8 - 1003
    heard = finals(hear(coded(), LEFT[start:]))
    assert heard[0].word == word.word
    assert heard[0].span.start == 1003


def test_audio_that_comes_again_is_heard_again():
    spoken = ONE_AUDIO[8 * 900 : 8 * 1900]
    assert [word.word for word in finals(hear(coded(ONE), spoken + spoken))] == ["one", "two"] * 2


def test_a_word_repeated_without_a_pause_is_two_words():
    word = ONE_AUDIO[8 * 1000 : 8 * 1400]
    assert names(finals(hear(coded(ONE), word + word))) == [("one", 0.0, 0.4, 1.0), ("one", 0.4, 0.8, 1.0)]


def test_yes_yes_is_two_words_of_the_script():
    script = Script(channels=(tuple(ScriptWord(word="yes", start=k, end=k + 1) for k in range(2)),))
    assert names(finals(hear(coded(script), *encode(script)))) == [("yes", 0, 1, 1), ("yes", 1, 2, 1)]


def test_shuffled_audio_costs_confidence():
    """Two frames of a word changed places: the first of them came too late."""
    frames = [ONE_AUDIO[8 * at : 8 * (at + 20)] for at in range(0, 5000, 20)]
    frames[55], frames[56] = frames[56], frames[55]
    assert names(finals(hear(coded(ONE), b"".join(frames)))) == [
        ("one", 1.0, 1.4, 0.95),
        ("two", 1.4, 1.8, 1.0),
    ]


def test_a_frame_that_came_twice_moves_what_follows():
    doubled = ONE_AUDIO[: 8 * 1120] + ONE_AUDIO[8 * 1100 :]
    assert names(finals(hear(coded(ONE), doubled))) == [("one", 1.0, 1.42, 1.0), ("two", 1.42, 1.82, 1.0)]


def test_crossed_channels_show():
    heard = finals(hear(coded(), RIGHT))
    assert [word.word for word in heard] == [word.word for word in SCRIPT.channels[1]]


def test_words_of_another_script_are_counted_and_left_out():
    recognizer = CodedRecognizers(ONE)(0, Listening())
    assert finals(hear(recognizer, RIGHT)) == []
    assert recognizer.unknown > 1000


def test_the_timed_recognizer_hears_nothing_and_speaks_by_the_clock():
    said = hear(TimedRecognizers(ONE)(0, Listening()), silence(5 * 8000))
    assert names(finals(said)) == [("one", 1.0, 1.4, 1.0), ("two", 1.4, 1.8, 1.0)]


def test_the_timed_recognizer_says_each_word_once_even_around_a_flush():
    recognizer = TimedRecognizers(ONE)(0, Listening())
    before = hear(recognizer, silence(8 * 1300))
    after = hear(recognizer, silence(8 * 3000))
    assert names(finals(before)) == [("one", 1.0, 1.3, 1.0)]
    assert names(finals(after)) == [("two", 1.4, 1.8, 1.0)]


def test_the_timed_recognizer_is_silent_on_a_channel_that_the_script_does_not_have():
    assert finals(hear(TimedRecognizers(ONE)(5, Listening()), silence(8 * 3000))) == []


def test_they_are_quick_enough_to_need_no_thread():
    assert CodedRecognizers(ONE).in_thread is False
    assert TimedRecognizers(ONE).in_thread is False
