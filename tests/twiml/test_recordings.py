"""Twilio's recordings: which an address names, and what Twilio says of them and their calls."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest
from twiml.errors import TwilioError
from twiml.recordings import RecordingAddress, describe, download, recording_address
from twiml.rest import TwilioAccount

API = "https://api.twilio.com"
SID, CALL = "RE" + "1" * 32, "CA" + "2" * 32
ADDRESS = RecordingAddress(ACCOUNT, SID)
SAID = {"sid": SID, "call_sid": CALL, "channels": 2, "start_time": "Fri, 20 Nov 2026 10:00:00 +0000"}


def account(twilio: FakeTwilioRest, sid: str = ACCOUNT) -> TwilioAccount:
    return TwilioAccount(sid, AUTH_TOKEN, twilio.url, timeout=5.0)


@pytest.mark.parametrize(
    "path",
    [
        f"/Recordings/{SID}",
        f"/Recordings/{SID}.mp3",
        f"/Recordings/{SID}.json",
        f"/Calls/{CALL}/Recordings/{SID}",
    ],
)
def test_an_address_names_a_recording(path: str) -> None:
    for origin in (API, "https://api.dublin.ie1.twilio.com"):
        assert recording_address(f"{origin}/2010-04-01/Accounts/{ACCOUNT}{path}?x=1", API) == ADDRESS


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/talk.mp3",
        f"https://example.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{SID}",
        f"https://api.twilio.com.example.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{SID}",
        f"{API}/2010-04-01/Accounts/{ACCOUNT}/Recordings",
    ],
)
def test_another_address_names_none(url: str) -> None:
    assert recording_address(url, API) is None


async def test_a_recording_comes_with_its_call_and_both_channels(tmp_path: Path) -> None:
    call = {"from": "+15550001", "to": "+15550002", "direction": "outbound-api"}
    async with FakeTwilioRest(recordings={SID: (SAID, b"RIFF")}, call_details={CALL: call}) as twilio:
        found = await describe(account(twilio), ADDRESS)
        await download(account(twilio), found, tmp_path / "a.wav")

    assert (found.channels, found.call_sid, found.direction) == (2, CALL, "outbound")
    assert (found.from_, found.to, found.started_at) == (
        "+15550001",
        "+15550002",
        datetime(2026, 11, 20, 10, tzinfo=UTC),
    )
    assert (tmp_path / "a.wav").read_bytes() == b"RIFF"
    assert twilio.asked[-1] == f"Recordings/{SID}.wav?RequestedChannels=2"


async def test_a_recording_outlives_its_call(tmp_path: Path) -> None:
    said = {**SAID, "channels": 1, "start_time": "yesterday"}
    async with FakeTwilioRest(recordings={SID: (said, b"RIFF")}) as twilio:
        found = await describe(account(twilio), ADDRESS)
        await download(account(twilio), found, tmp_path / "a.wav")

    assert (found.from_, found.direction, found.started_at) == (None, None, None)
    assert twilio.asked[-1] == f"Recordings/{SID}.wav"


async def test_what_twilio_does_not_give_is_said(tmp_path: Path) -> None:
    async with FakeTwilioRest() as twilio:
        with pytest.raises(TwilioError, match="knows no recording RE1+ on this account"):
            await describe(account(twilio), ADDRESS)
        with pytest.raises(TwilioError, match="of another account"):
            await describe(account(twilio, "AC" + "9" * 32), ADDRESS)
        for status, sentence in ((401, "TWILIO_AUTH_TOKEN"), (503, "busy or failing"), (307, "refused")):
            twilio.answer_with = (status, "{}")
            with pytest.raises(TwilioError, match=sentence):
                await account(twilio).download("Recordings/x.wav", {}, "recording", tmp_path / "b.wav")
    assert not (tmp_path / "b.wav").exists()
