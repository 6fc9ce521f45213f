"""Two servers with one record in turn, on one port: the second takes a live call over from the first. Both are in this
process, and the carrier plays the call in its own time."""

import asyncio

import aiohttp
import pytest

from bridge.store.token import own_token
from tests.fakes.handing import CALL, ENDS, Phone, Server
from tests.fakes.running import SCRIPT, WEBHOOK_SECRET, free_port, settings
from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN
from tests.fakes.waiting import until


@pytest.fixture
async def phone():
    async with Phone() as twilio:
        yield twilio


async def asked(port, path, **more):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}", **more) as answer:
        return answer.status, await answer.json()


async def test_a_second_server_takes_a_live_call_over_without_a_gap(tmp_path, server, receiver, phone):
    configured = settings(
        tmp_path,
        server.url,
        port=(port := free_port()),
        webhook_url=receiver.url,
        webhook_secret=WEBHOOK_SECRET,
        public_url="https://bridge.example",
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=AUTH_TOKEN,
        bridge_twilio_api=phone.url,
        bridge_stop_timeout=20.0,
        bridge_grace=5.0,
    )
    phone.port = port
    first, second = Server(configured), Server(configured)
    await first.listen()
    phone.play()
    await until(lambda: receiver.events(CALL))
    taking = asyncio.create_task(second.listen())
    await until(lambda: first.stopping.holder.has_successor)
    assert second.stopping.standby.is_waiting and not taking.done()

    await first.stop()
    await taking
    await asyncio.gather(*phone.tasks)
    await until(lambda: any(event["type"] == "call.ended" for event in receiver.events(CALL)), 20)
    assert await asked(port, "/readyz") == (200, {"status": "ready"})
    await second.stop()

    events = receiver.events(CALL)
    (resumed,) = [event["data"] for event in events if event["type"] == "call.resumed"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert not [event for event in events if event["type"] == "audio.gap"]
    assert resumed["reason"] == "handed_over"
    for channel, spoken in enumerate(SCRIPT.channels):
        finals = [event["data"] for event in events if event["type"] == "transcript.final"]
        heard = sorted((w["start"], w["word"]) for f in finals if f["channel"] == channel for w in f["words"])
        said = [word for word in spoken if word.end <= ENDS]
        assert [word for _, word in heard] == [word.word for word in said]
        assert [start for start, _ in heard] == pytest.approx([word.start for word in said], abs=0.0021)
    assert phone.posted[-1] == (f"Calls/{CALL}/Streams/MZ{0:032x}.json", {"Status": "stopped"})
    assert phone.closes == [1000, 1000], "no socket was closed from here"


async def test_a_server_that_waits_says_so_and_ends_when_it_is_told_to(tmp_path, server):
    configured = settings(tmp_path, server.url, port=free_port())
    first, second = Server(configured), Server(configured.model_copy(update={"port": free_port()}))
    await first.listen()
    await second.listen()  # behind a proxy each has a port of its own
    try:
        assert await asked(second.configured.port, "/readyz") == (503, {"status": "standing by"})
        assert (await asked(second.configured.port, "/healthz"))[0] == 200
        token = {"Authorization": f"Bearer {own_token(tmp_path)}"}
        assert (await asked(second.configured.port, "/calls", headers=token))[0] == 503
        assert await asked(first.configured.port, "/readyz") == (200, {"status": "ready"})
    finally:
        await second.stop()
        await first.stop()
