from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.carriers import parameters
from bridge.carriers.messages import Started
from twiml import document, token

TOKEN = token.make(b"secret", "CA1", 4e9)


def started(said):
    return Started("CA1", "MZ1", (), "audio/x-mulaw", 8000, carrier="twilio", **parameters.read(said))


def test_the_names_are_those_that_twiml_writes():
    ours = (parameters.FROM, parameters.TO, parameters.DIRECTION, parameters.TOKEN, parameters.SPEAKER)

    assert ours == (document.FROM, document.TO, document.DIRECTION, document.TOKEN, document.SPEAKER)


def test_ours_are_taken_out():
    said = {
        "bridge.from": "+1",
        "bridge.to": "anything at all",
        "bridge.direction": "outbound-api",
        "bridge.token": TOKEN,
        "bridge.redact": "Card, email",
        "speaker.inbound": "Zoë",
        "x": "",
    }
    stream = started(said)

    assert (stream.from_, stream.to, stream.direction) == ("+1", "anything at all", "outbound")
    assert (stream.token, stream.redact) == (TOKEN, ("card", "email"))
    assert (stream.speakers, stream.parameters) == ({"inbound": "Zoë"}, {"x": ""})


@pytest.mark.parametrize(
    "party", ["+15550100", "15550100", "*72", "client:ann", "anonymous", "Restricted", "a@b.example"]
)
def test_a_developers_own_number_or_address_is_shown_and_passed_on(party):
    stream = started({"from": party, "to": party, "direction": "inbound"})

    assert (stream.from_, stream.to, stream.direction) == (party, party, "inbound")
    assert stream.parameters == {"from": party, "to": party, "direction": "inbound"}


def test_ours_goes_before_a_developers_own():
    own = {"from": "+1", "to": "+2", "direction": "inbound", "token": TOKEN}
    stream = started({**own, "bridge.from": "+3", "bridge.to": "+4", "bridge.direction": "outbound-dial"})

    assert (stream.from_, stream.to, stream.direction, stream.token) == ("+3", "+4", "outbound", None)
    assert stream.parameters == own


@pytest.mark.parametrize("name", ["from", "to", "direction", "token"])
@pytest.mark.parametrize("value", ["crm lead 17", "sales", "crm-42", ""])
def test_a_developers_own_that_cannot_be_meant_is_passed_on_only(name, value):
    stream = started({name: value})

    assert stream.parameters == {name: value}
    assert (stream.from_, stream.to, stream.direction, stream.token) == (None, None, None, None)


def test_a_template_that_had_nothing_to_say_says_nothing():
    assert started({"bridge.from": "", "bridge.direction": "", "speaker.outbound": ""}) == started({})


@pytest.mark.parametrize(("text", "days"), [("30", 30.0), ("0.5", 0.5), ("36500", 36500.0), ("", None)])
def test_a_stream_may_say_how_long_its_record_stays(text, days):
    assert started({"bridge.record_days": text}) == replace(started({}), record_days=days)


@pytest.mark.parametrize("text", ["0", "-1", "36501", "1e3", "for ever", "١"])
def test_what_is_no_number_of_days_is_passed_on(text):
    stream = started({"bridge.record_days": text})
    assert (stream.record_days, stream.parameters) == (None, {"bridge.record_days": text})


def test_the_token_is_not_shown():
    assert TOKEN not in repr(started({"bridge.token": TOKEN}))


@given(
    st.dictionaries(
        st.sampled_from(
            ["bridge.from", "from", "to", "bridge.direction", "direction", "speaker.inbound", "a", "b"]
            + ["bridge.record_days", "bridge.redact"]
        ),
        st.sampled_from(["+1", "sales", "inbound", "x y", "outbound", "7", "0.25"]),
    )
)
def test_a_stream_that_is_asked_for_again_is_told_all_that_the_first_was(said):
    assert started(parameters.write(started(said))) == started(said)


def test_a_calls_own_webhook_enters_no_event_and_goes_with_further_streams():
    said = parameters.read({"bridge.webhook": "https://a.example/?key=1", "team": "a"})

    assert (said["webhook"], said["parameters"]) == ("https://a.example/?key=1", {"team": "a"})
    assert parameters.read({"bridge.webhook": ""})["webhook"] is None
    again = parameters.write(started({"bridge.webhook": "https://a.example/?key=1"}))
    assert again == {"bridge.webhook": "https://a.example/?key=1"}
    assert "key=1" not in repr(started({"bridge.webhook": "https://a.example/?key=1"}))


def test_a_stream_that_was_asked_for_says_so():
    asked = replace(started({"x": "y"}), asked=True)

    assert not started({"x": "y"}).asked and "bridge.asked" not in parameters.write(started({"x": "y"}))
    assert started(parameters.write(asked)) == asked
    assert asked.parameters == {"x": "y"}
