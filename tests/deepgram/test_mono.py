"""A socket for each channel, against the local Deepgram server, which is asked for one channel on each."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from bridge.audio import TELEPHONE
from bridge.deepgram import options
from bridge.deepgram.client import Client
from bridge.deepgram.exchange import Finished, Interrupted, Resumed
from bridge.deepgram.mono import MonoClients
from bridge.deepgram.session import Session
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import CodedRecognizers
from tests.deepgram import test_client
from tests.deepgram.test_client import AUDIO, QUICK, SCRIPT, spoken, until
from tests.fakes.origins import at


class Caller(test_client.Caller):
    def __init__(self, url, policy=QUICK, fetch=None):
        self.happenings = []

        origins = at(url)

        def open_(format_, on_event, fetch):
            return Client(
                Session(replace(policy, format=format_), Random(1)),
                origins=origins,
                request=options.parse("").target(audio=format_),
                call_id="CA1",
                on_event=on_event,
                fetch=fetch,
            )

        self.client = MonoClients(TELEPHONE, open_, self.happenings.append, fetch)
        self.client.start()


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as server:
        yield server


async def test_every_word_comes_back_on_its_channel_at_its_time(deepgram):
    caller = Caller(deepgram.url)
    caller.say()
    await caller.end()

    assert [caller.words(channel) for channel in range(2)] == [spoken(0), spoken(1)]
    assert caller.happenings[-1] == Finished()
    assert sorted(bytes(connection.audio) for connection in deepgram.connections) == sorted(TELEPHONE.apart(AUDIO))


async def test_a_socket_that_is_lost_is_told_once_and_costs_and_doubles_no_word(deepgram):
    deepgram.faults = Faults(first=1, drop_after=5.0)
    caller = Caller(deepgram.url)
    caller.say()
    await caller.end()

    assert [caller.words(channel) for channel in range(2)] == [spoken(0), spoken(1)]
    assert [type(event) for event in caller.happenings if isinstance(event, Interrupted | Resumed)] == [
        Interrupted,
        Resumed,
    ]
    assert len(caller.client.session.journal.requests) == 3


async def test_each_fetches_its_channel_of_what_is_kept(deepgram):
    async def fetch(start, samples):
        return start, AUDIO[2 * start : 2 * (start + samples)]

    deepgram.faults = Faults(handshake_delay=0.1)
    caller = Caller(deepgram.url, replace(QUICK, kept=True, held=1.0), fetch)
    caller.say()
    caller.client.spare(len(AUDIO) // 2)
    await caller.end()

    assert [caller.words(channel) for channel in range(2)] == [spoken(0), spoken(1)]


async def test_what_is_given_up_is_uncovered_on_both_channels(deepgram):
    caller = Caller(deepgram.url)
    caller.say()
    caller.client.pause()
    caller.client.abort()
    async with asyncio.timeout(60):
        await caller.client.wait_ended()

    (finished,) = [event for event in caller.happenings if isinstance(event, Finished)]
    assert {channel for channel, _ in finished.uncovered} == {0, 1}
    assert repr(caller.client).startswith("<MonoClients [<Client CA1")


async def test_what_was_said_is_settled_on_every_channel(deepgram):
    caller = Caller(deepgram.url)
    caller.say()
    caller.client.finalize(len(AUDIO) // 2)
    await until(lambda: sum("Finalize" in str(connection.texts) for connection in deepgram.connections) == 2)
    await caller.end()

    assert [caller.words(channel) for channel in range(2)] == [spoken(0), spoken(1)]
