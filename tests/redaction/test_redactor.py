import pytest
from msgspec.structs import replace

from bridge.recognition import Alternative, EagerEnd, Entity, Hit, Result, SpeechStart, TurnEnd
from bridge.redaction.redactor import LONGEST, PATIENCE, Redactor
from bridge.redaction.rules import Rules
from bridge.spans import Span
from tests.fakes.redaction import heard

CARD = "4111 1111 1111 1111"
SECOND = 8000


def redactor(*kinds, **given):
    return Redactor(Rules(frozenset(kinds or ("card",))), "en", **given)


def finals(told):
    return [each.text for each in told if isinstance(each, Result) and each.is_final]


def interims(told):
    return [each.text for each in told if isinstance(each, Result) and not each.is_final]


def test_without_rules_all_passes_as_it_is():
    machine, final = Redactor(Rules()), heard(CARD)

    assert machine.receive(final, 0.0) == [final]
    assert (machine.get_timer(), machine.held_from, machine.veiled(CARD)) == (None, None, CARD)


def test_a_final_without_digits_passes_at_once():
    machine, final = redactor(), heard("Hello there.")

    assert machine.receive(final, 0.0) == [final]
    assert machine.get_timer() is None


def test_a_number_over_several_finals_is_held_until_it_is_known():
    machine = redactor()
    first = machine.receive(heard("It's 4111", SECOND), 1.0)

    assert (finals(first), interims(first)) == ([], ["It's [digits]"])
    assert (machine.held_from, machine.get_timer()) == (SECOND, 1.0 + PATIENCE)
    assert machine.receive(TurnEnd(0, 0), 2.0) == []
    assert finals(machine.receive(heard("mm-hm", 2 * SECOND, 1), 2.5)) == ["mm-hm"]
    assert finals(machine.receive(heard("1111 uh 1111", 3 * SECOND), 3.0)) == []
    told = machine.receive(heard("1111 thanks", 6 * SECOND), 5.0)

    assert finals(told) == ["It's [card]", "[card]", "[card] thanks"]
    assert isinstance(told[1], TurnEnd)
    assert machine.held_from is None
    assert machine.get_timer() is None


def test_what_is_held_is_told_when_its_speaker_is_silent():
    machine = redactor()
    machine.receive(heard("room 4111"), 1.0)

    assert machine.handle_timer(1.0 + PATIENCE - 0.1) == []
    assert finals(machine.handle_timer(1.0 + PATIENCE)) == ["room 4111"]
    assert machine.get_timer() is None


def test_words_that_are_heard_hold_it_longer_but_not_for_ever():
    machine = redactor()
    machine.receive(heard("4111"), 1.0)
    machine.receive(heard("1111", SECOND, final=False), 4.0)

    assert machine.get_timer() == 4.0 + PATIENCE
    machine.receive(heard("1111 11", SECOND, final=False), 1.0 + LONGEST)
    assert machine.get_timer() == 1.0 + LONGEST


def test_other_words_let_it_go():
    machine = redactor()
    machine.receive(heard("room 4111"), 1.0)

    assert finals(machine.receive(heard("on the left", SECOND), 2.0)) == ["room 4111", "on the left"]


def test_a_silent_final_waits_behind_what_is_held():
    machine = redactor()
    machine.receive(heard("room 4111"), 1.0)

    assert machine.receive(heard("", SECOND), 2.0)[:0] == []
    assert finals(machine.finish()) == ["room 4111", ""]


def test_what_was_let_through_still_counts():
    machine = redactor()
    machine.receive(heard("4111 1111"), 1.0)
    assert finals(machine.handle_timer(10.0)) == ["4111 1111"]

    assert finals(machine.receive(heard("1111 1111", 10 * SECOND), 12.0)) == ["[card]"]


def test_after_long_it_does_not():
    machine = redactor()
    machine.receive(heard("4111 1111"), 1.0)
    machine.handle_timer(10.0)

    assert finals(machine.receive(heard("1111 1111", 60 * SECOND), 62.0)) == ["1111 1111"]


def test_where_time_is_not_the_calls_a_long_pause_lets_go():
    machine = redactor()
    machine.receive(heard("room 4111"), 0.0)

    assert finals(machine.receive(heard("4222 it is", 60 * SECOND), 0.0)) == ["room 4111", "4222 it is"]


def test_a_cut_takes_half_a_number_out():
    machine = redactor()
    machine.receive(heard("it's 4111 1111"), 1.0)

    assert finals(machine.finish(cut=True)) == ["it's [card]"]


def test_another_process_goes_on_with_what_was_taken_out():
    machine = redactor(past=[(0, "card", Span(0, SECOND))])

    assert finals(machine.receive(heard("1111 1111 okay", 2 * SECOND), 1.0)) == ["[card] okay"]
    assert finals(machine.receive(heard("55 55 please", 2 * SECOND, 1), 1.0)) == ["55 55 please"]


def test_the_others_question_says_what_a_number_is():
    machine = redactor()
    machine.receive(heard("And your card number?", 0, 1), 1.0)

    assert finals(machine.receive(heard("4111 1111 2222 3333 okay", SECOND), 2.0)) == ["[card] okay"]


def test_interims_show_what_is_held_and_what_goes_on():
    machine = redactor()
    machine.receive(heard("It's 4111"), 1.0)
    told = machine.receive(heard("1111 and", SECOND, final=False), 2.0)

    assert interims(told) == ["It's [digits] and"]
    assert told[0].span == Span(0, SECOND + 4800)


def test_what_was_seen_behind_it_is_seen_by_itself_afterwards():
    machine = redactor()
    machine.receive(heard("room 4111"), 1.0)
    machine.receive(heard("so then we", SECOND, final=False), 2.0)
    told = machine.handle_timer(2.0 + PATIENCE)

    assert (finals(told), interims(told)) == (["room 4111"], ["so then we"])


def test_a_digit_or_two_hold_nothing_where_nothing_announces_a_number():
    machine = redactor("card", "phone", "digits")

    assert finals(machine.receive(heard("at five"), 1.0)) == ["at five"]
    machine.receive(heard("The card number?", SECOND, 1), 2.0)
    assert finals(machine.receive(heard("it's five", 2 * SECOND), 3.0)) == []


def test_an_interim_shows_no_digits_at_its_end():
    machine = redactor()

    assert interims(machine.receive(heard("It's four", final=False), 1.0)) == ["It's [digits]"]
    assert interims(machine.receive(heard("It's four of us", final=False), 1.0)) == ["It's four of us"]


def test_what_is_said_beside_the_text_says_no_more():
    given = replace(
        heard(f"card {CARD} for Ann"),
        alternatives=(Alternative(f"card {CARD} for Anne", 0.5),),
        hits=(Hit("card", Span(2400, 4800), 0.9, "4111"), Hit("ann", Span(14_400, 16_800), 0.9, "for Ann")),
        entities=(Entity("CREDIT_CARD", CARD, CARD, 0.9, Span(1, 5)), Entity("NAME", "Ann", "ann", 0.9, Span(6, 7))),
    )
    (told,) = redactor().receive(given, 1.0)

    assert told.alternatives == ()
    assert [hit.snippet for hit in told.hits] == ["[card]", "for Ann"]
    assert [(each.value, each.words) for each in told.entities] == [("[card]", Span(1, 2)), ("Ann", Span(3, 4))]
    assert "4111" not in str(told)


def test_another_reading_of_a_harmless_text_may_not_be():
    given = replace(heard("for one or two of us"), alternatives=(Alternative(f"it is {CARD}", 0.5),))

    assert [each.alternatives[0].text for each in redactor().receive(given, 1.0)] == ["it is [card]"]


def test_what_an_eager_end_says_is_veiled_and_the_rest_passes():
    machine = redactor()

    assert machine.receive(EagerEnd(0, 5, "it's 4111", 0.9), 1.0) == [EagerEnd(0, 5, "it's [digits]", 0.9)]
    assert machine.receive(SpeechStart(0, 5), 1.0) == [SpeechStart(0, 5)]
    assert machine.receive(TurnEnd(0, 5), 1.0) == [TurnEnd(0, 5)]


def test_no_more_is_held_than_there_is_room_for():
    machine = redactor("digits")
    told = []
    for number in range(200):
        told += machine.receive(heard("", number * 100), 1.0) if number else machine.receive(heard("one"), 1.0)

    assert len(finals(told)) >= 64


@pytest.mark.parametrize("kind", ["phone", "email", "digits"])
def test_kinds_that_are_not_asked_for_are_left(kind):
    text = "it's anna@example.com, 555-123-4567, 77120, fine"

    assert finals(redactor("card").receive(heard(text), 1.0)) == [text]
    (told,) = finals(redactor(kind).receive(heard(text), 1.0))
    assert told != text


def test_what_was_said_before_tells_what_the_texts_beside_a_final_are():
    """The end of a turn that is only likely has its text once more, and so have alternatives and hits."""
    machine = redactor()
    machine.receive(heard("What is the security code?", 0, 1), 1.0)
    (eager,) = machine.receive(EagerEnd(0, 3 * SECOND, "737 thanks", 0.5), 3.0)
    asides = {"alternatives": (Alternative("737 tanks", 0.5),), "hits": (Hit("code", Span(0, 9), 0.9, "737 than"),)}
    (final,) = machine.receive(replace(heard("Thanks so much", 3 * SECOND), **asides), 4.0)

    assert eager.text == "[cvc] thanks"
    assert (final.alternatives[0].text, final.hits[0].snippet) == ("[cvc] tanks", "[cvc] than")

    machine = redactor()
    machine.receive(heard(CARD, 0), 1.0)
    (eager,) = machine.receive(EagerEnd(0, 4 * SECOND, "0427 and so on", 0.5), 3.0)
    assert "0427" not in eager.text


def test_after_a_crash_a_number_may_have_been_begun_before():
    machine = redactor(within=True)
    told = machine.receive(heard("uh 1111 1111.", SECOND), 1.0) + machine.finish()
    other = machine.receive(heard("Okay, it is 10 past 5 now", 3 * SECOND, 1), 2.0)
    more = machine.receive(heard("Thanks. I have 12 of them now", 4 * SECOND), 3.0)

    assert finals(told) == ["uh [card]."]
    assert finals(other) == ["Okay, it is 10 past 5 now"]
    assert finals(more) == ["Thanks. I have 12 of them now"]
    assert finals(redactor("email", within=True).receive(heard("1111 it is"), 1.0)) == ["1111 it is"]
