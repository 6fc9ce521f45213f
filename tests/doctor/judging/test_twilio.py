"""Numbers, by how they answer."""

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging import twilio
from twiml.number import NumberConfig

VOICE = "https://calls.example.com/twiml/voice"


def number(voice_url=VOICE, application="", trunk="", name="+15550123", application_url=""):
    return NumberConfig("PN1", name, name, voice_url, "POST", application, trunk, application_url)


@pytest.mark.parametrize(
    ("held", "marks", "said", "remedy"),
    [
        ([number()], [Mark.FINE], "+15550123 calls here", None),
        ([number(VOICE + "/")], [Mark.FINE], "calls here", None),
        ([number(VOICE + "?a=1")], [Mark.FINE], "calls here", None),
        ([number(application="AP1")], [Mark.BROKEN], "TwiML App AP1", "VoiceApplicationSid"),
        ([number(trunk="TK1")], [Mark.BROKEN], "SIP trunk TK1", "TrunkSid"),
        (
            [number("https://calls.example.com/voice?key=secret")],
            [Mark.BROKEN],
            "answers with https://calls.example.com/voice, not with",
            "bridge number +15550123",
        ),
        (
            [number(""), number("https://else.example/")],
            [Mark.DOUBT],
            "none of the account's 2 numbers",
            "bridge number",
        ),
        ([number("", application="AP1")], [Mark.DOUBT], "1 of them answer by an application", "VoiceApplicationSid"),
        (
            [number("", application="AP1"), number("", name="+15550124")],
            [Mark.DOUBT],
            "none of the account's 2 numbers",
            "bridge number +15550124",  # the other would be refused
        ),
        ([number("", "AP1", application_url=VOICE)], [Mark.FINE], "calls here, by the TwiML App AP1", None),
        ([number(VOICE, "AP1", application_url="https://x")], [Mark.BROKEN], "TwiML App AP1", "then: bridge number"),
        ([number("", "AP1", "TK1", application_url=VOICE)], [Mark.DOUBT], "none of the account's 1 number", "Detach"),
        ([], [Mark.DOUBT], "no number", "buy"),
        ([number(""), number(name="+15550124")], [Mark.FINE], "+15550124 calls here", None),
    ],
)
def test_the_numbers_of_an_account(held, marks, said, remedy):
    findings = twilio.numbers(held, VOICE)

    assert [finding.mark for finding in findings] == marks
    assert said in findings[0].said
    assert (remedy or "") in (findings[0].remedy or "")
    assert "secret" not in str(findings)


def test_without_an_address_of_ours_no_number_is_looked_at():
    assert [finding.mark for finding in twilio.numbers([number()], None)] == [Mark.SKIPPED]


@pytest.mark.parametrize(
    ("one", "mark"),
    [
        (number(), Mark.FINE),
        (number(trunk="TK1"), Mark.BROKEN),
        (number("", "AP1", application_url=VOICE), Mark.FINE),
        (number(""), Mark.BROKEN),
        (number("https://else.example/x"), Mark.BROKEN),
    ],
)
def test_the_number_that_was_asked_for(one, mark):
    assert twilio.one(one, VOICE).mark is mark


def test_one_number_without_an_address_of_ours():
    assert twilio.one(number(), None).mark is Mark.SKIPPED
    assert twilio.one(number(trunk="TK1"), None).mark is Mark.BROKEN


def test_only_a_few_numbers_are_named():
    assert len(twilio.numbers([number()] * 50, VOICE)) == 5
