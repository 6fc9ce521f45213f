"""Streams that were turned away because the record could not be read."""

import asyncio
from dataclasses import replace

import pytest

from bridge.call import turned_away as module
from bridge.call.turned_away import TurnedAway
from tests.fakes.calls import HandClock, services, started
from tests.fakes.waiting import until


class Server:
    url = "ws://127.0.0.1:1"


@pytest.fixture
def asked():
    return []


@pytest.fixture
def answers():
    """How the carrier answers; then it sends what it is asked for."""
    return []


@pytest.fixture
def away(asked, answers, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.001)

    async def refork(stream, tracks):
        asked.append((stream, tuple(tracks)))
        return answers.pop(0) if answers else None

    return TurnedAway(services(None, Server(), HandClock(), refork=refork))


async def test_it_is_asked_for_once_more_with_all_that_it_said(away, asked):
    stream = started(team="blue")
    away.ask(stream)
    await until(lambda: asked)

    assert asked == [(stream, ("inbound", "outbound"))]
    assert not asked[0][0].asked, "another process that has to turn it away asks, too"


async def test_the_tracks_are_those_that_it_had(away, asked):
    away.ask(started(tracks=("outbound",)))
    await until(lambda: asked)

    assert asked[0][1] == ("outbound",)


async def test_a_stream_for_which_the_process_has_asked_that_has_the_call_is_left_to_that(away, asked):
    away.ask(replace(started(), asked=True))
    away.ask(replace(started("CA2"), carrier="telnyx"))
    away.ask(started("CA3"))
    await until(lambda: asked)
    await asyncio.sleep(0.01)

    assert [stream.call_id for stream, _ in asked] == ["CA3"]


async def test_a_carrier_that_would_not_is_asked_some_times(away, asked, answers):
    answers += ["too many tracks"] * 9
    away.ask(started())
    await until(lambda: len(asked) == 4)
    away.ask(started())
    away.ask(started("CA2"))
    await until(lambda: len(asked) == 8)

    assert [stream.call_id for stream, _ in asked] == ["CA1"] * 4 + ["CA2"] * 4


async def test_a_process_that_stops_asks_for_none(away, asked, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 60.0)
    away.ask(started())
    await asyncio.sleep(0)
    away.close()
    await until(lambda: not away._tasks)

    assert asked == []
