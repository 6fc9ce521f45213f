"""Numbers are pointed here and back, calls get a stream, against Twilio's API on the loopback."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest, number
from twiml.errors import TwilioError, TwimlError
from twiml.number import held, point, show, start_stream, stop_stream, undo
from twiml.rest import TwilioAccount

OURS = "https://bridge.example.com/twiml/voice"
THEIRS = "https://old.example.com/answer?key=k"
MEDIA = "wss://bridge.example.com/media/twilio"
CALL = "CA" + "1" * 32
PLAIN, LONGER, APP, TRUNK = "+15550001", "+155500012", "+15550003", "+15550004"


@pytest.fixture
async def twilio() -> AsyncIterator[FakeTwilioRest]:
    numbers = [
        number("PNlonger", LONGER),
        number("PNplain", PLAIN, voice_url=THEIRS, voice_method="GET"),
        number("PNapp", APP, voice_application_sid="AP123"),
        number("PNtrunk", TRUNK, trunk_sid="TK123"),
    ]
    async with FakeTwilioRest(numbers=numbers, calls={CALL}) as fake:
        yield fake


@pytest.fixture
def account(twilio: FakeTwilioRest) -> TwilioAccount:
    return TwilioAccount(ACCOUNT, AUTH_TOKEN, twilio.url)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "numbers" / "former.json"


def stored(memory: Path) -> dict[str, dict[str, str]]:
    remembered: dict[str, dict[str, str]] = json.loads(memory.read_text()) if memory.exists() else {}
    return remembered


# -- show


async def test_show_tells_how_a_number_answers(account: TwilioAccount) -> None:
    config = await show(account, PLAIN)
    assert (config.sid, config.number, config.voice_url, config.voice_method) == ("PNplain", PLAIN, THEIRS, "GET")
    assert config.obstacle is None


async def test_a_number_is_found_exactly_though_twilio_answers_with_its_neighbours(account: TwilioAccount) -> None:
    assert (await show(account, PLAIN)).sid == "PNplain"
    assert (await show(account, LONGER)).sid == "PNlonger"
    with pytest.raises(TwilioError, match=r"has no number \+1555000;"):
        await show(account, "+1555000")


@pytest.mark.parametrize("text", ["", "5550001", "+1 555 0001", "+1555*", "+0555", "client:x"])
async def test_a_number_is_written_in_full(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path, text: str
) -> None:
    with pytest.raises(TwilioError, match="written in full"):
        await show(account, text)
    with pytest.raises(TwilioError, match="written in full"):
        await point(account, text, OURS, memory)
    assert twilio.posted == []


async def test_nulls_and_missing_keys_are_nothing(account: TwilioAccount, twilio: FakeTwilioRest) -> None:
    twilio.numbers = [{"sid": "PN1", "phone_number": PLAIN, "voice_url": None, "voice_method": None}]
    config = await show(account, PLAIN)
    assert (config.voice_url, config.voice_method, config.trunk_sid) == ("", "POST", "")


# -- point and undo


async def test_point_changes_the_voice_url_and_its_method_and_nothing_else(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path
) -> None:
    change = await point(account, PLAIN, OURS, memory)
    assert (change.before.voice_url, change.before.voice_method) == (THEIRS, "GET")
    assert (change.after.voice_url, change.after.voice_method) == (OURS, "POST")
    assert twilio.posted == [("IncomingPhoneNumbers/PNplain.json", {"VoiceUrl": OURS, "VoiceMethod": "POST"})]


async def test_undo_puts_both_back_and_forgets(account: TwilioAccount, twilio: FakeTwilioRest, memory: Path) -> None:
    await point(account, PLAIN, OURS, memory)
    change = await undo(account, PLAIN, memory)
    assert (change.after.voice_url, change.after.voice_method) == (THEIRS, "GET")
    assert twilio.posted[1:] == [("IncomingPhoneNumbers/PNplain.json", {"VoiceUrl": THEIRS, "VoiceMethod": "GET"})]
    with pytest.raises(TwilioError, match="nothing to undo"):
        await undo(account, PLAIN, memory)


async def test_undo_of_a_number_that_had_no_url_clears_it(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path
) -> None:
    await point(account, LONGER, OURS, memory)
    assert (await undo(account, LONGER, memory)).after.voice_url == ""
    assert twilio.posted[-1][1] == {"VoiceUrl": "", "VoiceMethod": "POST"}


async def test_pointing_twice_or_elsewhere_keeps_what_was_there_first(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path
) -> None:
    await point(account, PLAIN, OURS, memory)
    again = await point(account, PLAIN, OURS, memory)
    assert again.before == again.after
    assert len(twilio.posted) == 1
    await point(account, PLAIN, "https://moved.example.com/twiml/voice", memory)
    assert (await undo(account, PLAIN, memory)).after.voice_url == THEIRS


async def test_pointing_after_somebody_else_changed_it_remembers_theirs(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path
) -> None:
    await point(account, PLAIN, OURS, memory)
    twilio.numbers[1]["voice_url"] = "https://newer.example.com"
    await point(account, PLAIN, OURS, memory)
    assert (await undo(account, PLAIN, memory)).after.voice_url == "https://newer.example.com"


async def test_undo_does_not_overwrite_what_somebody_set_since(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path
) -> None:
    await point(account, PLAIN, OURS, memory)
    twilio.numbers[1]["voice_url"] = "https://newer.example.com"
    with pytest.raises(TwilioError, match="newer.example.com; it stays so"):
        await undo(account, PLAIN, memory)
    assert len(twilio.posted) == 1
    assert stored(memory)[PLAIN]["voice_url"] == THEIRS


async def test_several_numbers_share_one_memory(account: TwilioAccount, memory: Path) -> None:
    await point(account, PLAIN, OURS, memory)
    await point(account, LONGER, OURS, memory)
    assert (await undo(account, PLAIN, memory)).after.voice_url == THEIRS
    assert list(stored(memory)) == [LONGER]


@pytest.mark.parametrize(
    ("phone", "names"), [(APP, ["TwiML App AP123", "VoiceApplicationSid"]), (TRUNK, ["SIP trunk TK123", "TrunkSid"])]
)
async def test_a_number_whose_voice_url_twilio_ignores_is_refused(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path, phone: str, names: list[str]
) -> None:
    with pytest.raises(TwilioError) as caught:
        await point(account, phone, OURS, memory)
    for name in (*names, phone, "Console"):
        assert name in str(caught.value)
    assert twilio.posted == []
    assert stored(memory) == {}
    assert (await show(account, phone)).obstacle == str(caught.value)


async def test_what_was_there_is_written_down_before_it_is_changed(
    account: TwilioAccount, twilio: FakeTwilioRest, tmp_path: Path
) -> None:
    with pytest.raises(TwilioError, match="cannot be written"):
        await point(account, PLAIN, OURS, tmp_path / ("x" * 252))  # no room for the name of a file beside it
    assert twilio.posted == []


async def test_the_memory_is_for_its_owner_only_and_leaves_nothing_beside_it(
    account: TwilioAccount, memory: Path
) -> None:
    await point(account, PLAIN, OURS, memory)
    assert os.stat(memory).st_mode & 0o077 == 0
    assert os.listdir(memory.parent) == [memory.name]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"+15550001": {}}', '{"+15550001": 1}', '{"+15550001": null}'])
async def test_a_memory_that_is_broken_is_said_to_be(
    account: TwilioAccount, twilio: FakeTwilioRest, tmp_path: Path, text: str
) -> None:
    memory = tmp_path / "former.json"
    memory.write_text(text)
    with pytest.raises(TwilioError, match="former.json.*cannot be read"):
        await point(account, PLAIN, OURS, memory)
    with pytest.raises(TwilioError, match="former.json.*cannot be read"):
        await undo(account, PLAIN, memory)
    assert twilio.posted == []
    assert memory.read_text() == text


# -- a stream for a call in progress


async def test_a_stream_is_attached_with_all_that_is_asked(account: TwilioAccount, twilio: FakeTwilioRest) -> None:
    sid = await start_stream(
        account,
        CALL,
        MEDIA,
        status_callback="https://bridge.example.com/twiml/stream-status",
        parameters={"token": "t & t", "deepgram.language": "de"},
    )
    assert sid == "MZ" + "1" * 32
    assert twilio.posted == [
        (
            f"Calls/{CALL}/Streams.json",
            {
                "Url": MEDIA,
                "Track": "both_tracks",
                "StatusCallback": "https://bridge.example.com/twiml/stream-status",
                "StatusCallbackMethod": "POST",
                "Parameter1.Name": "token",
                "Parameter1.Value": "t & t",
                "Parameter2.Name": "deepgram.language",
                "Parameter2.Value": "de",
            },
        )
    ]


async def test_a_stream_needs_no_more_than_a_url(account: TwilioAccount, twilio: FakeTwilioRest) -> None:
    await start_stream(account, CALL, MEDIA)
    assert twilio.posted[0][1] == {"Url": MEDIA, "Track": "both_tracks"}


async def test_a_call_that_is_over_or_somebody_elses(account: TwilioAccount) -> None:
    with pytest.raises(TwilioError, match="knows no call CA9999 in progress on this account"):
        await start_stream(account, "CA9999", MEDIA)


async def test_a_call_sid_cannot_lead_elsewhere(account: TwilioAccount, twilio: FakeTwilioRest) -> None:
    for call in ("", "../IncomingPhoneNumbers", "CA1?x", "CA1\n"):
        with pytest.raises(TwilioError, match="call SID"):
            await start_stream(account, call, MEDIA)
    assert twilio.posted == []


async def test_what_twilio_would_not_stream_is_refused_before_it_is_asked(
    account: TwilioAccount, twilio: FakeTwilioRest
) -> None:
    with pytest.raises(TwimlError, match="query"):
        await start_stream(account, CALL, MEDIA + "?token=1")
    with pytest.raises(TwimlError, match="too long"):
        await start_stream(account, CALL, MEDIA, parameters={"token": "x" * 500})
    await start_stream(account, CALL, MEDIA, parameters={str(index): "" for index in range(99)})
    with pytest.raises(TwimlError, match="at most 99"):
        await start_stream(account, CALL, MEDIA, parameters={str(index): "" for index in range(100)})
    assert len(twilio.posted) == 1


async def test_all_numbers_of_an_account_can_be_listed(account: TwilioAccount, twilio: FakeTwilioRest) -> None:
    assert [config.number for config in await held(account)] == [each["phone_number"] for each in twilio.numbers]


async def test_what_a_number_leads_to_is_its_applications_url_or_its_own(
    account: TwilioAccount, twilio: FakeTwilioRest
) -> None:
    twilio.applications = {"AP123": OURS, "AP9": THEIRS}
    assert {config.number: config.leads_to for config in await held(account)} == {
        LONGER: "",
        PLAIN: THEIRS,
        APP: OURS,
        TRUNK: "",
    }
    assert (await show(account, APP)).leads_to == OURS
    twilio.applications = {}
    assert (await show(account, APP)).leads_to == ""


async def test_a_number_whose_application_leads_here_is_left_alone(
    account: TwilioAccount, twilio: FakeTwilioRest, memory: Path
) -> None:
    twilio.applications = {"AP123": OURS}
    change = await point(account, APP, OURS, memory)

    assert change.before == change.after and change.after.leads_to == OURS
    assert twilio.posted == [] and not memory.exists()


async def test_a_stream_is_stopped_by_its_id(twilio, account):
    twilio.calls.add(CALL)
    await stop_stream(account, CALL, "MZ1")
    assert twilio.posted == [(f"Calls/{CALL}/Streams/MZ1.json", {"Status": "stopped"})]
    with pytest.raises(TwilioError, match="stream MZ1"):
        await stop_stream(account, "CA9999", "MZ1")
    with pytest.raises(TwilioError, match="MZ and as many"):
        await stop_stream(account, CALL, "../MZ1")
