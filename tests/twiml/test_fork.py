"""Asking for a lost stream, against Twilio's API on the loopback."""

import pytest

from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest
from twiml import token
from twiml.fork import Fork
from twiml.rest import TwilioAccount

CALL = "CA" + "1" * 32
SECRET = b"s" * 32
URL = "wss://calls.example.com/media/twilio"


@pytest.fixture
async def twilio():
    async with FakeTwilioRest(calls={CALL}) as fake:
        yield fake


def fork(twilio, url=URL):
    account = TwilioAccount(ACCOUNT, AUTH_TOKEN, twilio.url)
    return Fork(account, url, "https://calls.example.com/twiml/stream-status", SECRET, lambda: 1000.0)


async def test_the_stream_is_asked_for_with_a_token_for_its_call(twilio):
    assert await fork(twilio).ask(CALL, {"bridge.from": "+15550101"}) is None
    ((path, form),) = twilio.posted

    assert path.endswith(f"Calls/{CALL}/Streams.json")
    assert (form["Url"], form["Track"]) == (URL, "both_tracks")
    assert (form["Parameter1.Name"], form["Parameter1.Value"]) == ("bridge.from", "+15550101")
    assert form["Parameter2.Name"] == "bridge.token"
    assert token.verify(SECRET, form["Parameter2.Value"], CALL, 1299.0) is token.Outcome.VALID
    assert token.verify(SECRET, form["Parameter2.Value"], CALL, 1300.0) is token.Outcome.EXPIRED


@pytest.mark.parametrize("call", ["CA" + "2" * 32, "no call id!", "x" * 70])
async def test_a_call_that_is_not_there_is_a_reason(twilio, call):
    assert await fork(twilio).ask(call, {})


async def test_what_twilio_would_not_take_is_a_reason(twilio):
    assert await fork(twilio, "ws://plain.example.com").ask(CALL, {})
    assert twilio.posted == []


async def test_a_twilio_that_fails_is_a_reason(twilio):
    twilio.answer_with = (503, "{}")

    assert await fork(twilio).ask(CALL, {})


def test_the_secret_is_not_shown(twilio):
    assert "ssss" not in repr(fork(twilio))
    assert AUTH_TOKEN not in repr(fork(twilio))


@pytest.mark.parametrize(
    ("tracks", "asked"),
    [
        (("inbound",), "inbound_track"),
        (("outbound",), "outbound_track"),
        (("inbound", "outbound"), "both_tracks"),
        ((), "both_tracks"),
    ],
)
async def test_the_tracks_are_those_that_are_lacking(twilio, tracks, asked):
    assert await fork(twilio).ask(CALL, {}, tracks) is None

    assert twilio.posted[0][1]["Track"] == asked


async def test_of_too_many_parameters_the_last_are_left_out_and_that_is_logged(twilio, caplog):
    many = {"from": "+1", **{f"p{number}": "x" for number in range(100)}}
    assert await fork(twilio).ask(CALL, many) is None
    ((_, form),) = twilio.posted

    assert (form["Parameter1.Name"], form["Parameter98.Name"], form["Parameter99.Name"]) == (
        "from",
        "p96",
        "bridge.token",
    )
    assert "Parameter100.Name" not in form
    assert "left out stream parameters" in caplog.text


async def test_a_stream_is_stopped_and_one_that_is_gone_is_no_reason(twilio):
    assert await fork(twilio).stop(CALL, "MZ1") is None
    assert twilio.posted == [(f"Calls/{CALL}/Streams/MZ1.json", {"Status": "stopped"})]
    assert await fork(twilio).stop("CA" + "2" * 32, "MZ1") is None
    assert await fork(twilio).stop(CALL, "no id!")
    twilio.answer_with = (503, "{}")
    assert "busy" in await fork(twilio).stop(CALL, "MZ1")
