from hypothesis import given
from hypothesis import strategies as st

from bridge.text import plain
from bridge.transcript.speech import PAUSE, Piece, Share, join, pieces, runs, said, shares, talk_over, timeline
from tests.fakes.speech import channels, segment, sentence, voiced


def test_words_keep_their_times():
    final = segment("inbound", ("Hi,", 1.0, 1.2), ("Laura.", 1.3, 1.8))

    assert pieces(final) == [Piece("Hi,", 1.0, 1.2, True), Piece("Laura.", 1.3, 1.8, True)]


def test_what_the_text_has_and_the_words_do_not_stays():
    final = segment("inbound", ("Hi", 1.0, 1.2), ("Laura", 1.3, 1.8), text="«Hi — Laura»!")

    assert join(pieces(final)) == "«Hi — Laura»!"
    assert [piece.text for piece in pieces(final)] == ["«Hi", "—", "Laura»!"]


def test_a_language_without_spaces_gets_none():
    final = segment("inbound", ("もし", 0.0, 0.2), ("もし", 0.2, 0.4), ("田中", 0.5, 0.9), text="もしもし 田中")

    assert [piece.spaced for piece in pieces(final)] == [True, False, True]
    assert join(pieces(final)) == "もしもし 田中"


def test_words_that_are_not_in_the_text_have_the_blanks_of_their_script():
    final = segment("inbound", ("二", 0.0, 0.2), ("十", 0.2, 0.4), ("euro", 0.4, 0.6), ("each", 0.6, 0.8), text="20€")

    assert join(pieces(final)) == "二十euro each"


def test_a_text_of_ideographs_without_words_is_spread_too():
    final = segment("inbound", text="请稍等。 OK", start=0.0, end=6.0)

    assert pieces(final) == [
        Piece("请", 0.0, 1.0, True),
        Piece("稍", 1.0, 2.0, False),
        Piece("等。", 2.0, 4.0, False),
        Piece("OK", 4.0, 6.0, True),
    ]


def test_a_line_end_is_no_blank_where_there_are_none():
    final = segment("inbound", ("我", 0.0, 0.4), ("想", 0.4, 0.8), text="我\u2028想")

    assert join(pieces(final)) == "我想"


def test_a_word_of_several_ideographs_is_one():
    final = segment("inbound", ("订单", 0.0, 0.4), ("谢谢", 0.4, 0.8), text="订单，谢谢。")

    assert [piece.text for piece in pieces(final)] == ["订单，", "谢谢。"]


def test_words_that_are_not_in_the_text_are_believed():
    final = segment("inbound", ("one", 0.0, 0.2), ("two", 0.2, 0.4), text="1 2")

    assert join(pieces(final)) == "one two"


def test_a_text_without_words_is_spread_over_the_segment():
    final = segment("inbound", text="ab cdef", start=10.0, end=13.0)

    assert pieces(final) == [Piece("ab", 10.0, 11.0, True), Piece("cdef", 11.0, 13.0, True)]


def test_a_word_of_several_shares_its_time():
    final = segment("inbound", ("New York", 1.0, 1.7))

    assert [(piece.text, piece.start, piece.end) for piece in pieces(final)] == [("New", 1.0, 1.3), ("York", 1.3, 1.7)]


def test_an_empty_final_says_nothing():
    taken_back = segment("inbound", ("huh", 1.0, 1.2), text=" ")

    assert pieces(taken_back) == []
    assert runs(taken_back) == []
    assert said([taken_back]) == []


def test_a_pause_parts_two_runs():
    words = ("Yes.", 1.0, 1.3), ("Thank", 1.3 + PAUSE, 2.0), ("you.", 2.1, 2.4)

    assert [(run.text, run.start, run.end) for run in runs(segment("inbound", *words))] == [
        ("Yes.", 1.0, 1.3),
        ("Thank you.", 1.8, 2.4),
    ]


def test_a_segment_that_comes_twice_counts_once():
    first, second = (
        sentence("inbound", 1.0, "hello", segment_id="s1"),
        sentence("inbound", 1.0, "Hello.", segment_id="s1"),
    )

    assert said([first, second]) == [second]


def test_talk_over_is_found_stretch_by_stretch():
    agent = segment("outbound", ("a", 0.0, 2.0), ("b", 4.0, 6.0))
    caller = segment("inbound", ("c", 1.5, 4.5), ("d", 5.2, 5.4), ("e", 5.95, 7.0))

    found = [(over.first.text, over.second.text, over.start, over.end) for over in talk_over(timeline([agent, caller]))]

    assert found == [("a", "c", 1.5, 2.0), ("c", "b", 4.0, 4.5), ("b", "d", 5.2, 5.4)]


def test_taking_turns_quickly_is_no_talk_over():
    agent, caller = segment("outbound", ("a", 0.0, 1.0)), segment("inbound", ("b", 0.91, 2.0))

    assert list(talk_over(timeline([agent, caller]))) == []


@given(channels())
def test_runs_hold_every_word_and_the_whole_text(finals):
    for final in said(finals):
        taken = "".join(run.text for run in runs(final))

        assert taken.replace(" ", "") == plain(final.text).replace(" ", "")
        for run in runs(final):
            assert run.start <= run.end


@given(channels(), st.randoms(use_true_random=False))
def test_the_timeline_does_not_depend_on_the_order_of_arrival(finals, random):
    shuffled = random.sample(finals, len(finals))

    assert timeline(shuffled) == timeline(finals)


def test_talk_over_has_a_shortest_length():
    agent, caller = segment("outbound", ("a", 0.0, 1.2)), segment("inbound", ("b", 1.1, 2.0))

    assert [(over.start, over.end) for over in talk_over(timeline([agent, caller]))] == [(1.1, 1.2)]


def test_a_share_of_the_time_is_told_to_the_millisecond():
    assert pieces(segment("inbound", text="a b c", start=0.0, end=1.0)) == [
        Piece("a", 0.0, 0.333, True),
        Piece("b", 0.333, 0.667, True),
        Piece("c", 0.667, 1.0, True),
    ]
    assert pieces(segment("inbound", text="a", start=0.0, end=1.0)) == [Piece("a", 0.0, 1.0, True)]


def test_another_voice_begins_another_run():
    final = voiced(sentence("inbound", 1.0, "Hello, this is Anna. And Bert."), 0, 0, None, 0, 1, 1)

    assert [(run.voice, run.text, run.start) for run in runs(final)] == [
        (0, "Hello, this is Anna.", 1.0),
        (1, "And Bert.", 2.2),
    ]
    assert [run.who for run in runs(final)] == [("inbound", 0), ("inbound", 1)]


def test_the_shares_of_a_segment_are_those_of_its_voices():
    final = voiced(sentence("inbound", 1.0, "Hello, this is Anna. And Bert."), None, 0, 0, 0, 1, 0)

    assert shares(final) == [
        Share(None, 1.0, "Hello,"),
        Share(0, 1.3, "this is Anna."),
        Share(1, 2.2, "And"),
        Share(0, 2.5, "Bert."),
    ]


def test_where_no_voices_are_told_apart_a_segment_is_one_share():
    assert shares(segment("inbound", ("Hi,", 1.0, 1.2), ("Laura", 1.9, 2.2), text="Hi – Laura")) == [
        Share(None, 1.0, "Hi – Laura")
    ]
    assert shares(segment("inbound", text=" ", start=0.0, end=6.0)) == []
