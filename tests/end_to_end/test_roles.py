"""The roles apart: one process hears a call, another one delivers it, and a third one is asked for it."""

import asyncio
import logging

import aiohttp
import pytest

from bridge.local.receiver import Receiver
from tests.fakes import frames, postgres
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import SCRIPT, WEBHOOK_SECRET, bridge, deepgram, serving, settings
from tests.fakes.talk import play
from tests.fakes.waiting import until


def ended(receiver):
    return any(event["type"] == "call.ended" for event in receiver.events(frames.CALL))


async def words_of(origin):
    """What the record has of each speaker."""
    async with aiohttp.ClientSession(origin, headers=BEARER) as session:
        async with session.get(f"/calls/{frames.CALL}/events?types=transcript.final") as response:
            finals = [event["data"] for event in (await response.json())["events"]]
    return [" ".join(final["text"] for final in finals if final["channel"] == channel) for channel in (0, 1)]


async def statuses(origin, *paths):
    found = {}
    async with aiohttp.ClientSession(origin, headers=BEARER) as session:
        for path in paths:
            async with session.get(path) as response:
                found[path] = response.status
    return found


SPOKEN = [" ".join(word.text for word in channel) for channel in SCRIPT.channels]
ASKED = ("/healthz", "/readyz", "/metrics", "/calls", "/", "/media/twilio")


async def test_each_process_does_its_part_and_no_other(tmp_path):
    """One after the other, since a record in SQLite has one process at a time."""
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        posted = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "bridge_read_tokens": TOKEN}

        def only(role):
            return bridge(settings(tmp_path, server.url, **posted, bridge_role=role, bridge_flush_timeout=60.0))

        async with only("media") as origin:
            assert list((await statuses(origin, *ASKED)).values()) == [200, 200, 200, 503, 503, 400]
            await play(origin)
            await counts(origin, "ended_calls_streams", "1.0")
        assert not receiver.deliveries

        async with only("web") as origin:
            assert list((await statuses(origin, *ASKED)).values()) == [200, 200, 200, 200, 200, 503]
            assert await words_of(origin) == SPOKEN
        assert not receiver.deliveries

        async with only("worker") as origin:
            assert list((await statuses(origin, *ASKED)).values()) == [200, 200, 200, 503, 503, 503]
            await receiver.until(lambda: ended(receiver))
        before = len(receiver.events(frames.CALL))

        async with only("web") as origin, aiohttp.ClientSession(origin, headers=BEARER) as session:
            async with session.post(f"/calls/{frames.CALL}/deliveries", json={"after": 0}) as response:
                assert (response.status, await response.json()) == (202, {"calls": 1, "endpoints": {"webhook": 1}})
            assert receiver.counters["duplicate"] == 0, "another process is to deliver it"
            async with session.post(f"/calls/{frames.CALL}/deliveries", json={"seq": 1}) as response:
                assert response.status == 409, "it has not had its turn again"
        async with only("worker"):
            await until(lambda: receiver.counters["duplicate"] >= before)


async def test_calls_that_were_left_open_are_for_those_who_hear_calls(tmp_path, caplog):
    caplog.set_level(logging.INFO, "bridge.call")
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        posted = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "bridge_grace": 60.0}
        patient = settings(tmp_path, server.url, **posted)
        async with bridge(patient) as origin:
            await play(origin, stop=False)
            await receiver.until(lambda: receiver.events(frames.CALL))
        for role, calls in (("web,worker", "0.0"), ("media", "1.0")):
            async with bridge(patient.model_copy(update={"bridge_role": role})) as origin:
                await counts(origin, "calls_adopted", calls)
    adopted = [vars(record) for record in caplog.records if record.msg == "call adopted"]
    assert [each["epoch"] for each in adopted] == [2], "it has had no owner between the first and the last"


async def counts(origin, name, wanted):
    """Until a counter has this value."""
    async with asyncio.timeout(60), aiohttp.ClientSession(origin) as session:
        while True:
            async with session.get("/metrics") as response:
                lines = dict(line.rsplit(" ", 1) for line in (await response.text()).splitlines() if line[0] != "#")
            if lines[f"bridge_{name}_total"] == wanted:
                return
            await asyncio.sleep(0.01)


@pytest.mark.postgres
async def test_three_processes_with_a_role_each_share_one_record(tmp_path):
    postgres.fresh()
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        shared = {
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATABASE_URL": postgres.server().url,
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BRIDGE_READ_TOKENS": TOKEN,
        }
        hears = {
            "DEEPGRAM_URL": server.url,
            "DEEPGRAM_API_KEY": "key",
            "TWILIO_SIGNATURE": "off",
            "BRIDGE_REPLAY_SPEED": "1000",
            "BRIDGE_FLUSH_TIMEOUT": "60",
        }

        def only(role, **more):
            return serving({**shared, "DATA_DIR": str(tmp_path / role), **more}, "--role", role)

        async with only("media", **hears) as (_, media), only("web") as (_, web), only("worker", **hears) as (_, work):
            await play(f"http://127.0.0.1:{media}")
            await receiver.until(lambda: ended(receiver), 60)
            assert await words_of(f"http://127.0.0.1:{web}") == SPOKEN
            assert (await statuses(f"http://127.0.0.1:{media}", "/calls"))["/calls"] == 503
            assert (await statuses(f"http://127.0.0.1:{web}", "/media/twilio"))["/media/twilio"] == 503
            assert list((await statuses(f"http://127.0.0.1:{work}", *ASKED)).values()) == [200, 200, 200, 503, 503, 503]
    assert receiver.order.violations == []
    assert receiver.counters["duplicate"] == 0
