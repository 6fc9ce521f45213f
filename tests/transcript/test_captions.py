from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.transcript.captions import LINE, LINES, LONGEST, SHORTEST, Cue, cues
from bridge.transcript.speech import pieces, said
from bridge.transcript.turns import turns
from tests.fakes.speech import SPEAKERS, TEXTS, channels, segment, sentence


def numbered(finals):
    """The same finals, every word of its own name, as long as before where that is possible."""
    named = []
    for place, final in enumerate(finals):
        words = [
            word.model_copy(update={"text": f"{place}w{number}".ljust(min(len(word.text), LINE), "x")})
            for number, word in enumerate(final.words)
        ]
        named.append(final.model_copy(update={"words": words, "text": " ".join(word.text for word in words)}))
    return named


def test_a_short_sentence_is_one_line_with_the_times_of_its_words():
    assert cues([sentence("inbound", 1.0, "Where is my order?")]) == [
        Cue(1000, 2200, "caller", ("Where is my order?",))
    ]


def test_two_lines_are_about_as_long_as_each_other():
    (cue,) = cues([sentence("inbound", 1.0, "It was supposed to arrive on Monday and it is not")])

    assert cue.lines == ("It was supposed to arrive", "on Monday and it is not")


def test_a_cue_ends_with_its_sentence_rather_than_with_the_next_ones_first_words():
    text = "My order number is seven four two nine one six. Could you please look where it is, I need it on Friday."

    assert [" ".join(cue.lines) for cue in cues([sentence("inbound", 1.0, text, each=0.2)])] == [
        "My order number is seven four two nine one six.",
        "Could you please look where it is, I need it on Friday.",
    ]


def test_a_pause_ends_a_cue():
    spoken = [segment("inbound", ("Yes.", 1.0, 1.9), ("Hm", 2.8, 3.5), ("well.", 4.5, 5.5))]

    assert [(cue.start, cue.end, cue.lines) for cue in cues(spoken)] == [
        (1000, 3500, ("Yes. Hm",)),
        (4500, 5500, ("well.",)),
    ]


def test_the_other_speaker_ends_a_cue():
    spoken = [
        segment("inbound", ("Okay.", 1.0, 1.3)),
        segment("outbound", ("So", 1.4, 1.6)),
        segment("inbound", ("right", 1.7, 3.0)),
    ]

    assert [cue.lines for cue in cues(spoken)] == [("Okay.",), ("So",), ("right",)]


def test_segments_of_one_turn_flow_together():
    first, second = sentence("inbound", 1.0, "It was"), sentence("inbound", 1.7, "late.")

    assert [cue.lines for cue in cues([first, second])] == [("It was late.",)]


def test_a_short_word_stands_long_enough_to_be_read():
    one = segment("inbound", ("Yes.", 1.0, 1.2))

    assert [cue.end for cue in cues([one])] == [1000 + SHORTEST]
    assert [cue.end for cue in cues([one, segment("inbound", ("No.", 2.3, 2.4))])] == [1800, 3100]


def test_it_makes_way_for_the_same_speakers_next_cue():
    long = ("x" * 40, 1.2, 1.3), ("y" * 40, 1.3, 1.4), ("z" * 40, 1.4, 1.5)

    found = cues([segment("inbound", *long)])

    assert [(cue.start, cue.end) for cue in found] == [(1200, 1400), (1400, 2200)]


def test_words_without_length_still_make_cues():
    found = cues([segment("inbound", *[("word" * 10, 1.0, 1.0)] * 5)])

    assert [(cue.start, cue.end) for cue in found] == [(1000, 1100), (1100, 1200), (1200, 2000)]


def test_talk_over_makes_cues_that_overlap():
    agent, caller = sentence("outbound", 1.0, "And so on and on"), sentence("inbound", 1.6, "Please stop it now")

    one, other = cues([agent, caller])

    assert (one.start, other.start, one.end, other.end) == (1000, 1600, 2500, 2800)


def test_an_address_without_spaces_is_broken():
    address = "https://example.com/" + "a" * 80

    (first, second) = cues([segment("inbound", ("See", 1.0, 1.5), (address, 1.5, 4.0))])

    assert [*first.lines, *second.lines] == ["See", address[:42], address[42:84], address[84:]]


def test_a_label_stands_where_the_speaker_changes():
    spoken = [
        sentence("inbound", 1.0, "Where is it? " + "word " * 20),
        sentence("outbound", 9.0, "Here."),
    ]

    assert [cue.lines[0].split()[0] for cue in cues(spoken, named=True)] == ["caller:", "word", "agent:"]


def test_a_speaker_who_goes_on_after_talk_over_is_named_again():
    agent = sentence("outbound", 1.0, " ".join(["word"] * 30))
    found = cues([agent, segment("inbound", ("Mhm.", 2.0, 2.3))], named=True)

    assert [cue.lines[0].split()[0] for cue in found] == ["agent:", "caller:", "agent:"]


def test_a_long_label_leaves_room_for_words():
    (cue, *_) = cues([sentence("inbound", 1.0, "x" * 42, speaker="Dr. Anna-Lena von und zu Hohenstein")], named=True)

    assert cue.lines == ("Dr. Anna-Lena von u…:", "x" * 42)
    assert cue.speaker == "Dr. Anna-Lena von und zu Hohenstein"


def test_a_language_without_spaces_is_cut_between_its_words():
    words = [("日本語", place / 2, place / 2 + 0.5) for place in range(16)]

    found = cues([segment("inbound", *words, text="日本語" * 16)])

    assert [line for cue in found for line in cue.lines] == ["日本語" * 7, "日本語" * 7, "日本語" * 2]


@given(channels(), st.booleans())
def test_every_word_stands_in_exactly_one_cue(finals, named):
    finals = numbered(finals)
    shown = [
        (cue.speaker, word.removeprefix(f"{cue.speaker}:"))
        for cue in cues(finals, named=named)
        for line in cue.lines
        for word in line.split()
    ]

    said_words = [(final.speaker, word.text) for final in finals for word in final.words]
    assert sorted(word for word in shown if word[1]) == sorted(said_words)


@given(channels())
def test_cues_say_what_the_turns_say(finals):
    for speaker in SPEAKERS.values():
        shown = "".join("".join(cue.lines) for cue in cues(finals) if cue.speaker == speaker)
        spoken = "".join(turn.text for turn in turns(finals) if turn.speaker == speaker)

        assert shown.replace(" ", "") == spoken.replace(" ", "")


@given(channels(), st.booleans())
def test_no_cue_is_too_long(finals, named):
    for cue in cues(finals, named=named):
        assert 1 <= len(cue.lines) <= LINES
        assert all(line and line == line.strip() and len(line) <= LINE for line in cue.lines)
        assert 0 < cue.end - cue.start <= LONGEST


@given(channels())
def test_cues_come_in_order_and_those_of_one_speaker_do_not_overlap(finals):
    found = cues(finals)

    assert [cue.start for cue in found] == sorted(cue.start for cue in found)
    for speaker in SPEAKERS.values():
        for one, other in pairwise(cue for cue in found if cue.speaker == speaker):
            assert one.end <= other.start


@given(channels(TEXTS.filter(lambda text: len(text) <= LINE)))
def test_a_cue_begins_with_its_first_word(finals):
    begins = {round(piece.start * 1000) for final in said(finals) for piece in pieces(final)}
    ends = {(cue.speaker, cue.end) for cue in cues(finals)}

    # Unless the cue before has to stand a while first, words having no length.
    assert all(cue.start in begins or (cue.speaker, cue.start) in ends for cue in cues(finals))


@pytest.mark.parametrize(("end", "lines"), [(8.0, ["a b c d e f g", "h"]), (8.001, ["a b c d e f", "g h"])])
def test_a_cue_stands_for_seven_seconds_at_most(end, lines):
    words = [(letter, place + 1.0, place + 2.0) for place, letter in enumerate("abcdef")]

    found = cues([segment("inbound", *words, ("g", 7.0, end), ("h", 8.2, 9.0))])

    assert [" ".join(cue.lines) for cue in found] == lines


def test_words_as_long_as_a_line_stand_two_in_a_cue():
    words = [(letter * 42, place / 5, place / 5 + 0.2) for place, letter in enumerate("abcd")]

    assert [cue.lines for cue in cues([segment("inbound", *words)])] == [
        ("a" * 42, "b" * 42),
        ("c" * 42, "d" * 42),
    ]


def test_a_blank_between_words_takes_room():
    words = [(letter * 21, place / 5, place / 5 + 0.2) for place, letter in enumerate("abcd")]

    assert [cue.lines for cue in cues([segment("inbound", *words)])] == [
        ("a" * 21, "b" * 21),
        ("c" * 21, "d" * 21),
    ]


def test_a_second_line_is_filled_to_its_end():
    texts = ["a" * 40, "b" * 20, "c" * 21, "d"]
    words = [(text, place / 5, place / 5 + 0.2) for place, text in enumerate(texts)]

    assert [cue.lines for cue in cues([segment("inbound", *words)])] == [
        ("a" * 40, f"{texts[1]} {texts[2]}"),
        ("d",),
    ]


def test_a_language_without_spaces_fills_its_lines():
    words = [("日本語", place / 5, place / 5 + 0.2) for place in range(30)]

    found = cues([segment("inbound", *words, text="日本語" * 30)])

    assert [line for cue in found for line in cue.lines] == ["日本語" * 7] * 4 + ["日本語" * 2]


def test_full_width_letters_and_emoji_take_two_columns():
    found = cues([segment("inbound", ("ＡＢＣ" * 10, 0.0, 1.0), ("🙂" * 22, 1.0, 2.0))])

    assert [line for cue in found for line in cue.lines] == ["ＡＢＣ" * 7, "ＡＢＣ" * 3, "🙂" * 21, "🙂"]


def test_marks_take_no_columns_and_are_never_cut_off():
    word = "ที่" * 42

    (cue,) = cues([segment("inbound", (word, 0.0, 3.0))])

    assert cue.lines == (word,)
    (cue,) = cues([segment("inbound", (word + "นี้", 0.0, 3.0))])
    assert cue.lines == (word, "นี้")


def test_no_line_begins_with_a_closing_mark():
    found = cues([segment("inbound", text="日" * 20 + "本、" + "語" * 10, start=0.0, end=5.0)])

    assert not [line for cue in found for line in cue.lines if line.startswith("、")]


def test_two_finals_of_a_turn_have_no_blank_between_them_where_their_script_has_none():
    finals = [segment("inbound", ("我想", 1.0, 1.4)), segment("inbound", ("查订单。", 1.5, 2.0))]

    assert [cue.lines for cue in cues(finals)] == [("我想查订单。",)]


@pytest.mark.parametrize("end", list(".?!…。？！"))
@pytest.mark.parametrize(("place", "cut"), [(9, 10), (8, 9), (5, 6), (4, 10), (3, 10)])
def test_a_cue_ends_with_a_sentence_in_its_second_half(end, place, cut):
    texts = ["sevenab"] * 13
    texts[place] = f"sevena{end}"
    words = [(text, at / 5, at / 5 + 0.2) for at, text in enumerate(texts)]

    assert sum(len(line.split()) for line in cues([segment("inbound", *words)])[0].lines) == cut


def test_the_parts_of_an_address_share_its_time():
    found = cues([segment("inbound", ("x" * 210, 1.0, 11.5))])

    assert [(cue.start, cue.end) for cue in found] == [(1000, 5200), (5200, 9400), (9400, 11500)]


@pytest.mark.parametrize(("name", "shown"), [("x" * 20, "x" * 20), ("x" * 21, "x" * 19 + "…")])
def test_a_label_is_shortened_where_it_has_to_be(name, shown):
    (cue,) = cues([sentence("inbound", 1.0, "Hi", speaker=name)], named=True)

    assert cue.lines == (f"{shown}: Hi",)
