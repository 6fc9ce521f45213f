"""Two nodes with one record in PostgreSQL, and a call that has a stream for each track: to whichever node each of them
comes, they are one call and one record. The carrier plays the call in its own time."""

import asyncio
import contextlib
from collections import Counter

import psycopg
import pytest

from bridge import app
from tests.fakes import postgres
from tests.fakes.handing import CALL, ENDS, PUBLIC_URL, Phone, given, has_ended, node, words_of
from tests.fakes.running import SCRIPT, free_port, serving
from tests.fakes.twilio_rest import AUTH_TOKEN
from tests.fakes.waiting import until
from twiml import signature

pytestmark = pytest.mark.postgres

WAIT = "SELECT count(*) FROM pg_locks WHERE relation = 'bridge.beginning'::regclass AND NOT granted"
NEAR = 0.5
"""Seconds by which a busy machine, which has all of it in one process, may read a stream's first frame too late; what a
relay adds to that is `test_relay`'s matter."""
QUIET = 2.0  # seconds: both streams are there before anyone speaks
SIGNED = {
    signature.SIGNATURE_HEADER: signature.sign_url(AUTH_TOKEN, f"{PUBLIC_URL.replace('http', 'ws', 1)}/media/twilio")
}


@pytest.fixture
async def phone():
    async with Phone(headers=SIGNED, quiet=QUIET) as twilio:
        yield twilio


def records():
    return postgres.execute("SELECT id, epoch, ended_at IS NOT NULL FROM bridge.call ORDER BY number")


def relayed(one):
    return one.application[app.REGISTRY].counters["relayed"]


async def play_apart(phone, first, second):
    """One track to each."""
    phone.port = first.configured.port
    phone.play(("inbound",))
    await until(records)
    phone.port = second.configured.port
    phone.play(("outbound",))


def check_words(events):
    """All of both speakers, at the times at which they were said."""
    for channel, spoken in enumerate(SCRIPT.channels):
        heard, said = words_of(events, channel), [word for word in spoken if word.end <= ENDS]
        assert [word for _, word in heard] == [word.word for word in said]
        assert [start for start, _ in heard] == pytest.approx([QUIET + word.start for word in said], abs=NEAR)


async def test_a_call_whose_streams_come_to_two_nodes_has_one_record(tmp_path, server, receiver, phone):
    postgres.fresh()
    async with node(tmp_path / "one", server, receiver, phone) as first:
        async with node(tmp_path / "two", server, receiver, phone) as second:
            await play_apart(phone, first, second)
            await asyncio.gather(*phone.tasks)
            await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    assert (relayed(first), relayed(second)) == (0, 1)
    assert records() == [(CALL, 1, True)]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert not [event for event in events if event["type"] in ("call.resumed", "audio.gap")]
    check_words(events)
    assert phone.closes == [1000, 1000]


async def test_two_nodes_to_which_the_streams_of_a_new_call_come_at_once_begin_one_record(
    tmp_path, server, receiver, phone
):
    postgres.fresh()
    async with node(tmp_path / "one", server, receiver, phone) as first:
        async with node(tmp_path / "two", server, receiver, phone) as second:
            with contextlib.closing(psycopg.connect(postgres.server().url)) as holding:
                holding.execute("LOCK TABLE bridge.beginning IN EXCLUSIVE MODE")
                for one, track in ((first, "inbound"), (second, "outbound")):
                    phone.port = one.configured.port
                    phone.play((track,))
                await until(lambda: postgres.execute(WAIT) == [(2,)])
            await asyncio.gather(*phone.tasks)
            await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    assert relayed(first) + relayed(second) == 1
    assert records() == [(CALL, 1, True)]
    check_words(events)


async def test_a_call_of_two_streams_goes_from_a_node_that_stops_to_another_without_a_gap(
    tmp_path, server, receiver, phone
):
    postgres.fresh()
    async with node(tmp_path / "two", server, receiver, phone) as second:
        async with node(tmp_path / "one", server, receiver, phone) as first:
            await play_apart(phone, first, second)
            await until(lambda: any(event["type"] == "transcript.final" for event in receiver.events(CALL)))
        await asyncio.gather(*phone.tasks)
        await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    (resumed,) = [event["data"] for event in events if event["type"] == "call.resumed"]
    assert (resumed["reason"], resumed["uncovered"]) == ("handed_over", [])
    assert records() == [(CALL, 2, True)]
    assert not [event for event in events if event["type"] == "audio.gap"]
    check_words(events)
    assert phone.closes == [1000, 1000, 1000], "no socket was closed from here"


async def test_a_node_that_is_killed_costs_no_word_of_the_stream_that_was_relayed_to_it(
    tmp_path, server, receiver, phone
):
    postgres.fresh()
    phone.ends = 12.0
    environment = {name.upper(): str(value) for name, value in given(server, receiver, phone).items()}
    environment |= {"HOST": "127.0.0.1", "PORT": str(free_port()), "DATA_DIR": str(tmp_path / "one")}
    environment |= {"DEEPGRAM_URL": server.url, "DEEPGRAM_API_KEY": "key", "BRIDGE_REPLAY_SPEED": "1000"}
    async with node(tmp_path / "two", server, receiver, phone) as second, serving(environment) as (first, port):
        phone.port = port
        phone.play(("inbound",))
        await until(records)
        phone.port = second.configured.port
        phone.play(("outbound",))
        await until(lambda: words_of(receiver.events(CALL), 1))
        killed = asyncio.get_running_loop().time() - phone.begun
        first.kill()
        await first.wait()
        await until(lambda: has_ended(receiver), 90)
        await asyncio.gather(*phone.tasks)

    events = receiver.events(CALL)
    types = Counter(event["type"] for event in events)
    assert relayed(second) >= 1
    assert (types["call.started"], types["call.resumed"], types["call.ended"]) == (1, 1, 1)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert records() == [(CALL, 2, True)]
    later = [word for word in SCRIPT.channels[1] if QUIET + word.start > killed]
    told = words_of(events, 1)[-len(later) :]
    assert [word for _, word in told] == [word.word for word in later]
    # It takes a moment until a process that was just started hears the first frame: call time 0 is that.
    began = told[0][0] - later[0].start
    assert [start - began for start, _ in told] == pytest.approx([word.start for word in later], abs=NEAR)


async def test_a_node_that_stops_has_a_stream_that_goes_through_it_sent_another_way(tmp_path, server, receiver, phone):
    postgres.fresh()
    async with node(tmp_path / "one", server, receiver, phone) as first:
        async with node(tmp_path / "two", server, receiver, phone) as second:
            await play_apart(phone, first, second)
            await until(lambda: any(event["type"] == "transcript.final" for event in receiver.events(CALL)))
            phone.port = first.configured.port
        assert len(phone.streams) == 3 and phone.closes == [1000], "it waits for the carrier to close the old one"
        await asyncio.gather(*phone.tasks)
        await until(lambda: has_ended(receiver))

    events = receiver.events(CALL)
    assert phone.tracks == [("inbound",), ("outbound",), ("outbound",)]
    assert records() == [(CALL, 1, True)]
    assert not [event for event in events if event["type"] in ("call.resumed", "audio.gap")]
    check_words(events)
    assert phone.closes == [1000, 1000, 1000]


async def test_where_the_carrier_cannot_be_asked_a_stream_goes_on_when_its_keeper_stops(
    tmp_path, server, receiver, phone
):
    postgres.fresh()
    phone.ends = 12.0
    alone = {"twilio_account_sid": None}
    async with node(tmp_path / "two", server, receiver, phone, **alone) as second:
        async with node(tmp_path / "one", server, receiver, phone, bridge_stop_timeout=10.0, **alone) as first:
            await play_apart(phone, first, second)
            await until(lambda: words_of(receiver.events(CALL), 1))
        await asyncio.gather(*phone.tasks)
        await until(lambda: has_ended(receiver))

    assert phone.closes == [1001, 1000]
    assert [(call, over) for call, _, over in records()] == [(CALL, True)]
    spoken = SCRIPT.channels[1]
    heard = words_of(receiver.events(CALL), 1)
    assert [word for _, word in heard] == [word.word for word in spoken]
    assert [start for start, _ in heard] == pytest.approx([QUIET + word.start for word in spoken], abs=NEAR)


async def test_where_a_keeper_cannot_be_reached_a_stream_has_a_record_of_its_own(tmp_path, server, receiver, phone):
    postgres.fresh()
    nowhere = {"bridge_node_url": f"http://127.0.0.1:{free_port()}"}
    async with node(tmp_path / "one", server, receiver, phone, **nowhere) as first:
        async with node(tmp_path / "two", server, receiver, phone) as second:
            await play_apart(phone, first, second)
            await asyncio.gather(*phone.tasks)
            await until(lambda: all(over for _, _, over in records()) and len(records()) == 2)
            await until(lambda: any(event["type"] == "call.ended" for event in receiver.events(f"{CALL}--2")))

    assert records() == [(CALL, 1, True), (f"{CALL}--2", 1, True)]
    begun = receiver.events(f"{CALL}--2")[0]["data"]
    assert (begun["continues"], begun["tracks"]) == (CALL, ["outbound"])
    for channel, call in enumerate((CALL, f"{CALL}--2")):
        said = [word.word for word in SCRIPT.channels[channel] if word.end <= ENDS]
        assert [word for _, word in words_of(receiver.events(call), channel)] == said
