import asyncio
import sqlite3

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from websockets.asyncio.client import connect

from bridge.call import CallRegistry
from bridge.local.deepgram import Faults
from bridge.local.receiver import Receiver
from bridge.store import Trouble
from bridge.store.sqlite import SQLiteStore
from bridge.web.operations import OperationsHandlers
from tests.fakes import frames
from tests.fakes.calls import HandClock, services
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play


@pytest.fixture
async def origin(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url)) as served:
        yield served


async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_it_is_alive_and_ready(origin):
    assert (await get(f"{origin}/healthz"))[0] == 200
    assert (await get(f"{origin}/readyz"))[0] == 200


async def test_a_full_server_wants_no_more_calls(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url, bridge_max_calls=1)) as origin:
        async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio") as socket:
            await socket.send(frames.start())
            async with asyncio.timeout(60):
                while (await get(f"{origin}/readyz"))[0] == 200:
                    await asyncio.sleep(0.01)

            assert await get(f"{origin}/readyz") == (503, "application/json; charset=utf-8", '{"status": "full"}')


async def test_a_stopping_server_says_so(tmp_path, aiohttp_client):
    async with SQLiteStore(tmp_path) as store:
        no_server = type("", (), {"url": "ws://127.0.0.1:1"})
        calls = CallRegistry(services(store, no_server, HandClock()), max_calls=1)
        door = OperationsHandlers(calls, {}, {})
        app = web.Application()
        app.add_routes(door.routes())
        client = await aiohttp_client(app)
        assert (await client.get("/readyz")).status == 200
        door.stopping = lambda: True

        assert await (await client.get("/readyz")).json() == {"status": "stopping"}


@pytest.mark.parametrize("trouble", [Trouble("the disk is full", passes=True), Trouble("it is damaged", passes=False)])
async def test_a_store_that_fails_is_no_place_for_more_calls(tmp_path, aiohttp_client, trouble):
    async with SQLiteStore(tmp_path) as store:
        no_server = type("", (), {"url": "ws://127.0.0.1:1"})
        calls = CallRegistry(services(store, no_server, HandClock()), max_calls=1)
        app = web.Application()
        app.add_routes(OperationsHandlers(calls, {}, {}, lambda: trouble).routes())
        client = await aiohttp_client(app)
        answer = await client.get("/readyz")

        assert answer.status == 503
        assert await answer.json() == {"status": "store fails", "reason": trouble.reason}


async def test_too_much_that_waits_is_said_too(tmp_path, aiohttp_client):
    async with SQLiteStore(tmp_path) as store:
        given = services(store, type("", (), {"url": "ws://127.0.0.1:1"}), HandClock())
        given.backlog.waiting = given.backlog.limit
        app = web.Application()
        app.add_routes(OperationsHandlers(CallRegistry(given, max_calls=1), {}, {}).routes())
        client = await aiohttp_client(app)

        assert (await (await client.get("/readyz")).json())["reason"] == "too much waits for the store"


async def test_a_locked_store_is_seen_and_is_well_again(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url)) as origin:
        other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio") as socket:
            await socket.send(frames.start())
            await gauges_become(origin, calls=1, events_waiting=1)
            other.close()
            await gauges_become(origin, events_waiting=0, store_fails=0)
            await socket.send(frames.stop())

        assert (await get(f"{origin}/readyz"))[0] == 200


async def test_the_metrics_are_prometheus_own_format(origin):
    status, kind, text = await get(f"{origin}/metrics")
    families = {family.name for family in text_string_to_metric_families(text)}

    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert {"bridge_calls", "bridge_connections"} <= families
    assert text.count("# TYPE bridge_calls ") == 1
    assert "{what=" not in text


async def test_others_get_their_turn_between_two_metrics_of_a_scrape(tmp_path, aiohttp_client):
    class Many(Collector):
        def collect(self):
            for place in range(3):
                turns = []
                asyncio.get_running_loop().call_soon(turns.append, place)
                yield GaugeMetricFamily(f"bridge_gauge_{place}", "A gauge", value=place)
                between.extend(turns)

    between = []
    async with SQLiteStore(tmp_path) as store:
        no_server = type("", (), {"url": "ws://127.0.0.1:1"})
        calls = CallRegistry(services(store, no_server, HandClock()), max_calls=1)
        app = web.Application()
        app.router.add_get("/metrics", OperationsHandlers(calls, {}, {}, measures=[Many()]).metrics)
        text = await (await (await aiohttp_client(app)).get("/metrics")).text()

    assert between == [0, 1, 2]
    assert [line for line in text.splitlines() if line.startswith("bridge_")] == [
        f"bridge_gauge_{place} {place}.0" for place in range(3)
    ]


async def test_the_metrics_tell_how_it_is_now(tmp_path):
    async with deepgram() as server:
        nobody = {"webhook_url": "http://127.0.0.1:1/", "webhook_secret": WEBHOOK_SECRET}
        configured = settings(tmp_path, server.url, **nobody, bridge_read_tokens=TOKEN)
        async with bridge(configured) as origin, aiohttp.ClientSession(headers=BEARER) as reader:
            await gauges_become(origin, calls=0, readers=0, calls_to_deliver=0)
            async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio") as socket:
                await socket.send(frames.start())
                async with reader.get(f"{origin}/calls/live"):
                    await gauges_become(origin, calls=1, readers=1, calls_to_deliver=1)
                await socket.send(frames.stop())
                await gauges_become(origin, calls=0, readers=0, calls_to_deliver=1)


async def test_the_metrics_tell_of_an_outage(tmp_path):
    async with deepgram() as server:
        server.faults = Faults(refuse=402)
        async with bridge(settings(tmp_path, server.url, bridge_flush_timeout=0.2)) as origin:
            async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio") as socket:
                await socket.send(frames.start())
                await gauges_become(origin, calls=1, calls_interrupted=1, deepgram_refuses=1)
                await socket.send(frames.stop())
                await gauges_become(origin, calls=0, calls_interrupted=0)
            families = text_string_to_metric_families((await get(f"{origin}/metrics"))[2])

    (counted,) = (family for family in families if family.name == "bridge_ended_calls_interruptions")
    assert (counted.type, [sample.value for sample in counted.samples]) == ("counter", [1.0])


async def test_latency_is_told_of_each_call_and_of_all(tmp_path):
    configured = {"bridge_read_tokens": TOKEN, "webhook_secret": WEBHOOK_SECRET}
    async with Receiver(WEBHOOK_SECRET) as receiver, deepgram() as server:
        async with bridge(settings(tmp_path, server.url, webhook_url=receiver.url, **configured)) as origin:
            await play(origin)
            await receiver.until(lambda: any(event["type"] == "call.ended" for event in receiver.events(frames.CALL)))
            async with aiohttp.ClientSession(origin, headers=BEARER) as reader:
                call = await (await reader.get(f"/calls/{frames.CALL}")).json()
                export = await (await reader.get(f"/calls/{frames.CALL}/transcript.json")).json()
            families = text_string_to_metric_families((await get(f"{origin}/metrics"))[2])

    (told,) = (family for family in families if family.name == "bridge_deepgram_latency_seconds")
    counts = {sample.labels["le"]: sample.value for sample in told.samples if sample.name.endswith("_bucket")}
    latency = receiver.events(frames.CALL)[-1]["data"]["latency"]
    assert latency == call["latency"] == export["latency"]
    assert 0 <= latency["p50"] <= latency["p99"] <= latency["max"]
    assert (told.type, counts["+Inf"]) == ("histogram", latency["measured"])
    assert list(counts.values()) == sorted(counts.values())
    assert list(counts)[:3] == ["0.1", "0.2", "0.3"]


async def test_the_metrics_tell_which_origin_is_in_use_and_which_fail(tmp_path):
    async with deepgram() as first, deepgram() as second:
        first.faults = Faults(refuse=503)
        async with bridge(settings(tmp_path, f"{first.url} {second.url}")) as origin:
            async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio") as socket:
                await socket.send(frames.start())
                await second.connection(0)
                await gauges_become(origin, calls=1, deepgram_refuses=0)
                found = (await get(f"{origin}/metrics"))[2]
                await socket.send(frames.stop())

    values = {
        (family.name.removeprefix("bridge_deepgram_origin_"), sample.labels["origin"]): sample.value
        for family in text_string_to_metric_families(found)
        for sample in family.samples
        if "origin" in sample.labels
    }
    places = [server.url.removeprefix("ws://") for server in (first, second)]
    assert {name: [values[name, place] for place in places] for name, _ in values} == {
        "in_use": [0, 1],
        "sockets": [0, 1],
        "failures": [1, 0],
        "returns": [0, 0],
        "refuses_account": [0, 0],
    }


async def test_the_metrics_may_be_for_readers_only(tmp_path):
    async with deepgram() as server:
        configured = settings(tmp_path, server.url, bridge_metrics="token", bridge_read_tokens=TOKEN)
        async with bridge(configured) as origin, aiohttp.ClientSession(headers=BEARER) as reader:
            assert (await get(f"{origin}/metrics"))[0] == 401
            async with reader.get(f"{origin}/metrics") as response:
                assert "bridge_calls 0.0" in await response.text()
            assert (await get(f"{origin}/healthz"))[0] == 200


async def test_what_waits_and_what_is_refused_is_counted(origin):
    host, port = origin.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    assert (await get(f"{origin}/none"))[0] == 404
    await gauges_become(origin, connections_waiting=1)
    assert "bridge_requests_refused_total 1.0" in (await get(f"{origin}/metrics"))[2]
    writer.transport.abort()


async def gauges_become(origin, **expected):
    async with asyncio.timeout(60):
        while not expected.items() <= (await gauges(origin)).items():
            await asyncio.sleep(0.01)


async def gauges(origin):
    families = text_string_to_metric_families((await get(f"{origin}/metrics"))[2])
    return {
        family.name.removeprefix("bridge_"): family.samples[0].value
        for family in families
        if family.type == "gauge" and family.samples
    }
