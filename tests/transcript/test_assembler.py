import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from bridge.audio import samples
from bridge.events import Overlap, SpeechStarted, TranscriptFinal, TranscriptInterim, TurnEagerEnd, UtteranceCompleted
from bridge.recognition import Alternative, EagerEnd, Entity, Hit, Result, SpeechStart, TurnEnd, TurnGoesOn, Word
from bridge.spans import Span
from bridge.transcript.assembler import Assembler, Progress
from tests.fakes.speech import span

SPEAKERS = {"inbound": "caller", "outbound": "agent"}


@pytest.fixture
def assembler():
    machine = Assembler("CA1", SPEAKERS, "en")
    machine.anchor = 1_700_000_000.0
    return machine


def results(channel, start, end, *words, final=False, speech_final=False, language=None):
    """`words` are (text, start) and last 0.2 s."""
    return Result(
        channel=channel,
        span=span(start, end),
        text=" ".join(text for text, _ in words),
        confidence=0.9,
        words=tuple(Word(text.lower(), text, span(at, at + 0.2), 0.9) for text, at in words),
        is_final=final,
        ends_turn=speech_final,
        languages=(language,) if language else (),
    )


def heard(assembler, *messages):
    for message in messages:
        assembler.receive(message)
    return assembler.events_received()


def test_an_interim_names_the_speaker_the_times_and_the_wall_clock(assembler):
    (event,) = heard(assembler, results(1, 0.0, 1.0, ("Hello", 0.5)))

    assert isinstance(event, TranscriptInterim)
    assert (event.segment_id, event.revision, event.final) == ("CA1-outbound-1", 1, False)
    assert (event.track, event.channel, event.speaker) == ("outbound", 1, "agent")
    assert (event.start, event.end, event.text, event.language) == (0.5, 0.7, "Hello", "en")
    assert event.start_time == "2023-11-14T22:13:20.500Z"


def test_revisions_keep_the_segments_id_until_its_final(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 1.0, ("I", 0.5)),
        results(0, 0.0, 2.0, ("I", 0.5), ("am", 1.5)),
        results(0, 0.0, 2.0, ("I", 0.5), ("am", 1.5), final=True),
        results(0, 2.0, 3.0, ("here", 2.5)),
    )

    assert [(event.segment_id, event.revision, event.final) for event in events] == [
        ("CA1-inbound-1", 1, False),
        ("CA1-inbound-1", 2, False),
        ("CA1-inbound-1", 3, True),
        ("CA1-inbound-2", 1, False),
    ]


def test_an_interim_that_says_nothing_new_is_not_repeated(assembler):
    assert len(heard(assembler, *[results(0, 0.0, 1.0, ("I", 0.5))] * 3)) == 1


def test_silence_says_nothing(assembler):
    assert heard(assembler, results(0, 0.0, 5.0), results(0, 0.0, 5.0, final=True, speech_final=True)) == []


def test_an_empty_final_takes_back_what_an_interim_claimed(assembler):
    interim, final = heard(assembler, results(0, 0.0, 1.0, ("Huh", 0.5)), results(0, 0.0, 1.0, final=True))

    assert isinstance(final, TranscriptFinal)
    assert (final.segment_id, final.text, final.words) == (interim.segment_id, "", [])


def test_a_final_that_covers_less_than_its_interim_leaves_the_rest_to_the_next(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 3.0, ("one", 1.0), ("two", 2.5)),
        results(0, 0.0, 2.0, ("one", 1.0), final=True),
        results(0, 2.0, 3.0, ("two", 2.5), final=True),
    )

    assert [(event.segment_id, event.text) for event in events[1:]] == [
        ("CA1-inbound-1", "one"),
        ("CA1-inbound-2", "two"),
    ]


def test_a_turn_is_its_finals_up_to_speech_final(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 2.0, ("My", 0.5), ("name", 1.0), final=True),
        results(0, 2.0, 3.0, ("is", 2.1), ("Ann", 2.5), final=True, speech_final=True),
    )

    turn = events[-1]
    assert isinstance(turn, UtteranceCompleted)
    assert turn.text == "My name is Ann"
    assert turn.segment_ids == ["CA1-inbound-1", "CA1-inbound-2"]
    assert (turn.utterance_id, turn.speaker, turn.start, turn.end) == ("CA1-inbound-u1", "caller", 0.5, 2.7)


def test_a_turn_has_no_blanks_where_its_script_has_none(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 1.0, ("我想", 0.2), final=True),
        results(0, 1.0, 2.0, ("查订单。", 1.2), final=True, speech_final=True),
    )

    assert events[-1].text == "我想查订单。"


def test_an_empty_speech_final_ends_the_turn_too(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 2.0, ("Yes", 0.5), final=True),
        results(0, 2.0, 3.0, final=True, speech_final=True),
    )

    assert [type(event) for event in events] == [TranscriptFinal, UtteranceCompleted]


def test_an_utterance_end_ends_a_turn_that_had_no_speech_final(assembler):
    events = heard(assembler, results(0, 0.0, 2.0, ("Yes", 0.5), final=True), TurnEnd(0, samples(0.7)))

    assert isinstance(events[-1], UtteranceCompleted)


def test_an_utterance_end_after_a_speech_final_says_nothing_twice(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 2.0, ("Yes", 0.5), final=True, speech_final=True),
        TurnEnd(0, samples(0.7)),
    )

    assert sum(isinstance(event, UtteranceCompleted) for event in events) == 1


@pytest.mark.parametrize("last_word_end", [None, 5600])
def test_an_utterance_end_that_is_out_of_date_ends_nothing(assembler, last_word_end):
    events = heard(
        assembler,
        results(0, 0.0, 2.0, ("Yes", 0.5), final=True),
        results(0, 2.0, 4.0, ("but", 3.0), final=True),
        TurnEnd(0, last_word_end),
    )

    assert not any(isinstance(event, UtteranceCompleted) for event in events)


def test_the_channels_do_not_mix(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 1.0, ("Hello", 0.5), final=True),
        results(1, 0.0, 1.0, ("Hi", 0.6), final=True, speech_final=True),
    )

    assert [(event.speaker, event.text) for event in events] == [
        ("caller", "Hello"),
        ("agent", "Hi"),
        ("agent", "Hi"),
    ]


def test_the_end_closes_what_is_open_with_what_was_heard(assembler):
    heard(assembler, results(0, 0.0, 1.0, ("Bye", 0.5)))
    assembler.finish()
    final, turn = assembler.events_received()

    assert isinstance(final, TranscriptFinal)
    assert (final.text, final.final, final.revision) == ("Bye", True, 2)
    assert (turn.text, turn.segment_ids) == ("Bye", [final.segment_id])


def test_the_end_of_a_silent_call_says_nothing(assembler):
    assembler.finish()

    assert assembler.events_received() == []


def test_speech_that_starts_is_told(assembler):
    assert heard(assembler, SpeechStart(1, samples(2.25))) == [
        SpeechStarted(track="outbound", channel=1, speaker="agent", at=2.25, at_time="2023-11-14T22:13:22.250Z")
    ]


def test_a_turn_that_may_be_over_names_its_segment_and_so_does_one_that_goes_on(assembler):
    shown, early = heard(assembler, results(0, 0.0, 1.0, ("Hi", 0.5), final=False), EagerEnd(0, 8000, "Hi", 0.45))
    (resumed,) = heard(assembler, TurnGoesOn(0, 12_000))

    assert early == TurnEagerEnd(
        segment_id=shown.segment_id,
        track="inbound",
        channel=0,
        speaker="caller",
        at=1.0,
        at_time="2023-11-14T22:13:21.000Z",
        text="Hi",
        confidence=0.45,
    )
    assert (resumed.segment_id, resumed.at) == (shown.segment_id, 1.5)


def test_where_nothing_is_open_no_turn_ends_early(assembler):
    assert heard(assembler, EagerEnd(0, 8000, "Hi", 0.45), TurnGoesOn(0, 12_000)) == []


def test_the_language_of_a_result_goes_before_the_one_asked_for(assembler):
    assert heard(assembler, results(0, 0.0, 1.0, ("Hola", 0.5), language="es"))[0].language == "es"


def test_talk_over_names_the_other_segment_and_the_stretch(assembler):
    events = heard(
        assembler,
        results(0, 0.0, 3.0, ("I", 1.0), ("think", 2.0), final=True),
        results(1, 0.0, 3.0, ("Sure", 1.5), ("yes", 2.4), final=True),
    )

    assert events[1].overlaps == [Overlap(segment_id="CA1-inbound-1", start=1.5, end=2.2)]


def test_taking_turns_is_not_talk_over(assembler):
    events = heard(
        assembler, results(0, 0.0, 1.0, ("Yes", 0.5), final=True), results(1, 0.0, 2.0, ("Ok", 0.65), final=True)
    )

    assert events[1].overlaps == []


def test_an_unlabelled_track_speaks_under_its_own_name():
    machine = Assembler("CA1", {})

    assert heard(machine, results(0, 0.0, 1.0, ("Hello", 0.5)))[0].speaker == "inbound"


@given(
    st.lists(
        st.tuples(
            st.floats(0, 10),
            st.lists(st.tuples(st.floats(-1, 12), st.floats(-1, 12)), max_size=4),
            st.booleans(),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_times_never_go_back_within_a_result(messages):
    machine = Assembler("CA1", SPEAKERS)
    for start, spans, final, speech_final in messages:
        spoken = tuple(Word("x", "x", span(began, ended), 1.0) for began, ended in spans)
        machine.receive(Result(0, span(start, start + 1), "x" * len(spoken), 1.0, spoken, final, speech_final))
        for event in machine.events_received():
            if isinstance(event, UtteranceCompleted):
                continue
            times = [*(moment for word in event.words for moment in (word.start, word.end))]
            assert times == sorted(times)
            assert event.start <= event.end


def test_numbers_and_times_go_on_where_others_stopped():
    assembler = Assembler("CA1", {}, progress=Progress({"inbound": 7, "uinbound": 2}, {"inbound": 40_000}))
    assembler.receive(results(0, 4.5, 6.0, ("hello", 4.9), final=True, speech_final=True))
    final, turn = assembler.events_received()

    assert (final.segment_id, turn.utterance_id) == ("CA1-inbound-8", "CA1-inbound-u3")
    assert final.start == final.words[0].start == 5.0


def test_what_is_backfilled_has_a_series_of_its_own():
    assembler = Assembler("CA1", {}, source="backfill", progress=Progress({"outbound": 1}))
    assembler.receive(results(1, 4.5, 6.0, ("hello", 4.8), final=True, speech_final=True))
    final, turn = assembler.events_received()

    assert (final.segment_id, final.source, turn.utterance_id) == ("CA1-outbound-b2", "backfill", "CA1-outbound-ub1")


def test_words_that_two_finals_both_reach_do_not_overlap(assembler):
    first, second = heard(
        assembler,
        results(0, 0.0, 1.0, ("one", 0.85), final=True),
        results(0, 1.0, 2.0, ("two", 1.0), final=True),
    )

    assert (first.end, second.start) == (1.05, 1.05)


def test_a_final_that_comes_late_keeps_its_time(assembler):
    heard(assembler, results(0, 4.0, 6.0, ("after", 4.5), final=True))
    (final,) = heard(assembler, results(0, 2.0, 4.0, ("before", 2.5), final=True))

    assert (final.start, final.end, final.segment_id) == (2.5, 2.7, "CA1-inbound-2")


def test_a_final_that_comes_late_leaves_the_open_segment_open(assembler):
    (interim,) = heard(assembler, results(0, 4.0, 6.0, ("after", 4.5)))
    (late,) = heard(assembler, results(0, 2.0, 4.0, ("before", 2.5), final=True))
    (final,) = heard(assembler, results(0, 4.0, 6.0, ("after", 4.5), final=True))

    assert late.segment_id != interim.segment_id == final.segment_id
    assert (late.revision, interim.revision, final.revision) == (1, 1, 2)


@pytest.mark.parametrize(("before", "ends"), [(0.1, True), (0.100125, False)])
def test_a_turn_ends_with_a_word_that_the_recognizer_ends_a_little_sooner(assembler, before, ends):
    events = heard(
        assembler, results(0, 0.0, 2.0, ("Yes", 0.5), final=True), TurnEnd(0, samples(0.7) - samples(before))
    )

    assert isinstance(events[-1], UtteranceCompleted) is ends


def test_an_assembler_without_an_anchor_counts_from_1970():
    (event,) = heard(Assembler("CA1", SPEAKERS), results(1, 0.0, 1.0, ("Hello", 0.0)))

    assert (event.start_time, event.end_time) == ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.200Z")


def test_what_is_taken_back_says_nothing_and_is_taken_back_once(assembler):
    heard(assembler, results(1, 0.0, 2.0, ("Well", 1.0), final=True))
    (interim,) = heard(assembler, results(0, 0.0, 2.0, ("Huh", 1.0)))
    assembler.finish(retract=True, turns=False)
    (final,) = assembler.events_received()
    assembler.finish(retract=True, turns=False)

    assert interim.overlaps
    assert (final.segment_id, final.revision, final.final) == (interim.segment_id, 2, True)
    assert (final.text, final.words, final.overlaps) == ("", [], [])
    assert assembler.events_received() == []


def test_a_final_up_to_the_open_segments_start_is_a_segment_of_its_own(assembler):
    interim, final = heard(
        assembler, results(0, 0.0, 3.0, ("two", 1.5)), results(0, 0.0, 1.5, ("one", 0.5), final=True)
    )

    assert final.segment_id != interim.segment_id


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(1.0, 3.0, 2.0), (2.0, 3.0, 2.0), (1.0, 2.0, 1.0), (0.5, 1.0, 0.5), (3.0, 4.0, 3.0)]
)
def test_a_text_without_words_begins_after_the_words_before_it(assembler, start, end, expected):
    heard(assembler, results(0, 0.0, 2.0, ("One", 1.8), final=True))
    bare = Result(0, span(start, end), "two", 0.9, (), is_final=True, ends_turn=False, languages=())

    assert heard(assembler, bare)[0].start == expected


@pytest.mark.parametrize(("began", "found"), [(1.1, [(1.1, 1.2)]), (1.101, [])])
def test_talk_over_has_a_shortest_length_and_is_told_on_either_channel(assembler, began, found):
    heard(assembler, results(1, 0.0, 2.0, ("Well", 1.0)))
    (event,) = heard(assembler, results(0, 0.0, 2.0, ("So", began)))

    assert [(overlap.start, overlap.end) for overlap in event.overlaps] == found


def test_talk_over_is_looked_for_in_the_last_finals(assembler):
    for place in range(20):
        heard(assembler, results(0, place, place + 1, (str(place), place + 0.5), final=True))
    ends = Result(1, span(0.0, 20.0), "all of it", 0.9, (), is_final=True, ends_turn=False, languages=())
    (event,) = heard(assembler, ends)

    assert [overlap.segment_id for overlap in event.overlaps] == [f"CA1-inbound-{n}" for n in range(5, 21)]


def voices(result, *speakers):
    words = (structs.replace(word, speaker=speaker) for word, speaker in zip(result.words, speakers, strict=True))
    return structs.replace(result, words=tuple(words))


def test_what_was_asked_for_is_carried(assembler):
    asked = structs.replace(
        results(0, 0.0, 2.0, ("Hola", 0.5), ("Anna", 1.0), final=True),
        from_finalize=True,
        languages=("es", "en"),
        alternatives=(Alternative("hello anna", 0.4),),
        hits=(Hit("anna", span(1.0, 1.2), 0.8, "Anna"),),
        entities=(Entity("PERSON_NAME", "Anna", "anna", 0.7, Span(1, 2)),),
    )
    words = (structs.replace(asked.words[0], language="es"), structs.replace(asked.words[1], speaker=3))
    (event,) = heard(assembler, structs.replace(asked, words=words))

    told = json.loads(event.model_dump_json())
    assert [word.get("language") for word in told["words"]] == ["es", None]
    assert ["speaker" in word for word in told["words"]] == [False, True]
    assert (told["language"], told["languages"], told["from_finalize"]) == ("es", ["es", "en"], True)
    assert told["alternatives"] == [{"text": "hello anna", "confidence": 0.4}]
    assert told["search"] == [{"query": "anna", "start": 1.0, "end": 1.2, "confidence": 0.8, "snippet": "Anna"}]
    assert told["entities"] == [
        {
            "label": "PERSON_NAME",
            "value": "Anna",
            "raw_value": "anna",
            "confidence": 0.7,
            "start_word": 1,
            "end_word": 2,
        }
    ]


def test_what_was_not_asked_for_is_left_out(assembler):
    (event,) = heard(assembler, results(0, 0.0, 2.0, ("Yes", 0.5), final=True))
    told = json.loads(event.model_dump_json())

    assert not told.keys() & {"languages", "alternatives", "search", "entities"}
    assert told["words"][0].keys() == {"word", "text", "start", "end", "confidence"}


def test_a_turn_of_several_voices_is_told_by_one_event_for_each(assembler):
    first = results(0, 0.0, 2.0, ("This", 0.2), ("is", 0.5), ("Anna.", 0.8), ("And", 1.2), final=True)
    second = results(0, 2.0, 3.0, ("Bert.", 2.1), final=True, speech_final=True)
    events = heard(assembler, voices(first, 0, 0, 0, 1), voices(second, 1))
    told = [event for event in events if isinstance(event, UtteranceCompleted)]

    assert [(one.voice, one.text, one.ended_by, one.start, one.end) for one in told] == [
        (0, "This is Anna.", "speaker", 0.2, 1.0),
        (1, "And Bert.", "pause", 1.2, 2.3),
    ]
    assert [one.segment_ids for one in told] == [["CA1-inbound-1"], ["CA1-inbound-1", "CA1-inbound-2"]]
    assert [one.utterance_id for one in told] == ["CA1-inbound-u1", "CA1-inbound-u2"]
    assert {one.speaker for one in told} == {"caller"}


def test_it_is_told_why_a_turn_ended(assembler):
    said = results(0, 0.0, 2.0, ("Yes", 0.5), final=True)
    (_, by_pause) = heard(assembler, structs.replace(said, ends_turn=True))
    (_, by_end) = heard(assembler, said, TurnEnd(0, samples(0.7)))
    heard(assembler, said)
    assembler.finish()
    (at_last,) = assembler.events_received()

    assert [turn.ended_by for turn in (by_pause, by_end, at_last)] == ["pause", "utterance_end", "call_end"]
