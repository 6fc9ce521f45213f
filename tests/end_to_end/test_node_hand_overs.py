"""Two nodes with one record in PostgreSQL, each with a disk of its own: one stops, and the other goes on with its live
call. The carrier plays the call in its own time, and sends new streams where a balancer would."""

import asyncio
import contextlib
import signal
from collections import Counter

import psycopg
import pytest

from bridge.call import giving
from tests.fakes import postgres
from tests.fakes.handing import CALL, ENDS, Phone, given, has_ended, node, words_of
from tests.fakes.running import SCRIPT, serving
from tests.fakes.waiting import until

pytestmark = pytest.mark.postgres


@pytest.fixture
async def phone():
    async with Phone() as twilio:
        yield twilio


async def test_a_node_that_stops_hands_its_live_call_to_another_without_a_gap(tmp_path, server, receiver, phone):
    postgres.fresh()
    async with node(tmp_path / "two", server, receiver, phone) as second:
        async with node(tmp_path / "one", server, receiver, phone) as first:
            phone.port = first.configured.port
            phone.play()
            await until(lambda: receiver.events(CALL))
            phone.port = second.configured.port
        assert first.stopping.giving.has_stopped
        await asyncio.gather(*phone.tasks)
        await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    (resumed,) = [event["data"] for event in events if event["type"] == "call.resumed"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert not [event for event in events if event["type"] == "audio.gap"]
    assert (resumed["reason"], resumed["uncovered"]) == ("handed_over", [])
    for channel, spoken in enumerate(SCRIPT.channels):
        heard, said = words_of(events, channel), [word for word in spoken if word.end <= ENDS]
        assert [word for _, word in heard] == [word.word for word in said]
        assert [start for start, _ in heard] == pytest.approx([word.start for word in said], abs=0.0021)
    assert events[-1]["data"]["flush"] == "complete"
    assert (f"Calls/{CALL}/Streams/MZ{0:032x}.json", {"Status": "stopped"}) in phone.posted
    assert phone.closes == [1000, 1000], "no socket was closed from here"
    assert postgres.execute("SELECT epoch, ended_at IS NOT NULL FROM bridge.call") == [(2, True)]
    assert postgres.execute("SELECT * FROM bridge.hand_over") == []


async def test_a_stream_that_the_balancer_sends_to_the_node_that_stops_is_asked_for_again_at_once(
    tmp_path, server, receiver, phone, monkeypatch
):
    monkeypatch.setattr(giving, "_AGAIN", 60.0)
    postgres.fresh()
    async with node(tmp_path / "two", server, receiver, phone) as second:
        phone.told = second.configured.port
        async with node(tmp_path / "one", server, receiver, phone) as first:
            phone.port = first.configured.port
            phone.play()
            await until(lambda: receiver.events(CALL))
        assert first.stopping.giving.has_stopped
        await asyncio.gather(*phone.tasks)
        await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    failed = [event["data"]["stream_id"] for event in events if event["type"] == "stream.failed"]
    assert (len(phone.starts), failed) == (3, [f"MZ{1:032x}"])
    assert [event["data"]["reason"] for event in events if event["type"] == "call.resumed"] == ["handed_over"]
    assert not [event for event in events if event["type"] == "audio.gap"]
    assert events[-1]["data"]["flush"] == "complete"


async def test_a_stream_that_a_node_has_asked_for_may_come_to_another(tmp_path, server, receiver, phone):
    postgres.fresh()
    phone.ends = 12.0
    async with node(tmp_path / "two", server, receiver, phone) as second:
        async with node(tmp_path / "one", server, receiver, phone) as first:
            phone.port = first.configured.port
            phone.play()
            await until(lambda: any(event["type"] == "transcript.final" for event in receiver.events(CALL)))
            phone.port = second.configured.port
            phone.cut.set()
            await until(lambda: len(phone.starts) == 2)
            await asyncio.gather(*phone.tasks)
            await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    types = Counter(event["type"] for event in events)
    assert (types["call.started"], types["call.resumed"], types["call.ended"]) == (1, 1, 1)
    assert postgres.execute("SELECT id, epoch FROM bridge.call") == [(CALL, 2)]
    for channel, spoken in enumerate(SCRIPT.channels):
        told = [word for _, word in words_of(events, channel)]
        later = [word.word for word in spoken if word.start > phone.starts[1] + 0.2]
        assert later and told[-len(later) :] == later
        assert Counter(told) <= Counter(word.word for word in spoken)


async def test_a_node_that_is_killed_while_it_hands_a_call_over_costs_no_word_that_the_other_heard(
    tmp_path, server, receiver, phone
):
    postgres.fresh()
    phone.ends = 12.0
    environment = {name.upper(): str(value) for name, value in given(server, receiver, phone).items()}
    environment |= {"HOST": "127.0.0.1", "PORT": "0", "DATA_DIR": str(tmp_path / "one"), "TWILIO_SIGNATURE": "off"}
    environment |= {"DEEPGRAM_URL": server.url, "DEEPGRAM_API_KEY": "key", "BRIDGE_REPLAY_SPEED": "1000"}
    async with node(tmp_path / "two", server, receiver, phone) as second, serving(environment) as (first, port):
        phone.port = port
        phone.play()
        await until(lambda: any(event["type"] == "transcript.final" for event in receiver.events(CALL)))
        phone.port = second.configured.port
        with contextlib.closing(psycopg.connect(postgres.server().url)) as holding:
            # It cannot let go of the call as long as its row is locked.
            holding.execute("SELECT 1 FROM bridge.call FOR UPDATE")
            first.send_signal(signal.SIGTERM)
            await until(lambda: postgres.execute("SELECT 1 FROM bridge.hand_over WHERE heard_by IS NOT NULL"))
            first.kill()
            await first.wait()
        await until(lambda: has_ended(receiver), 90)
        await asyncio.gather(*phone.tasks)

    events = receiver.events(CALL)
    types = Counter(event["type"] for event in events)
    assert (types["call.started"], types["call.resumed"], types["call.ended"]) == (1, 1, 1)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert postgres.execute("SELECT id FROM bridge.call") == [(CALL,)]
    for channel, spoken in enumerate(SCRIPT.channels):
        told = [word for _, word in words_of(events, channel)]
        both = [word.word for word in spoken if word.start > phone.starts[1] + 0.2]
        assert Counter(told) <= Counter(word.word for word in spoken)
        assert both and told[-len(both) :] == both
