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
        "from": "+1",
        "to": "sip:a@b",
        "direction": "outbound-api",
        "token": TOKEN,
        "speaker.inbound": "Zoë",
        "x": "",
    }
    stream = started(said)

    assert (stream.from_, stream.to, stream.direction, stream.token) == ("+1", "sip:a@b", "outbound", TOKEN)
    assert (stream.speakers, stream.parameters) == ({"inbound": "Zoë"}, {"x": ""})


@pytest.mark.parametrize(
    "party", ["+15550100", "15550100", "*72", "client:ann", "anonymous", "Restricted", "a@b.example"]
)
def test_a_party_is_a_number_an_address_or_withheld(party):
    assert started({"from": party}).from_ == party


@pytest.mark.parametrize("name", ["from", "to", "direction", "token"])
@pytest.mark.parametrize("value", ["crm lead 17", "sales", "crm-42"])
def test_a_developers_own_of_the_same_name_stays_the_developers(name, value):
    stream = started({name: value})

    assert stream.parameters == {name: value}
    assert (stream.from_, stream.to, stream.direction, stream.token) == (None, None, None, None)


def test_a_template_that_had_nothing_to_say_says_nothing():
    assert started({"from": "", "direction": "", "speaker.outbound": ""}).parameters == {}


def test_the_token_is_not_shown():
    assert TOKEN not in repr(started({"token": TOKEN}))


@given(
    st.dictionaries(
        st.sampled_from(["from", "to", "direction", "speaker.inbound", "speaker.outbound", "a", "b"]),
        st.sampled_from(["+1", "sales", "inbound", "x y", "outbound"]),
    )
)
def test_a_stream_that_is_asked_for_again_is_told_all_that_the_first_was(said):
    again = parameters.write(started(said))

    assert again == said
    assert list(again)[-1:] == [] or started(again) == started(said)
