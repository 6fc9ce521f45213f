"""The feed of a load: events reach the tally, a broken feed is opened again, a refused one is an error."""

import asyncio
import json

import pytest
from aiohttp import web

from bridge.local.load.feed import FeedError, follow
from bridge.local.load.tally import Played, Tally
from tests.fakes.routes import serving
from tests.fakes.waiting import until

STARTED = {"type": "call.started", "call_id": "CA1", "data": {}}


def tally():
    made = Tally()
    made.add(Played("CA1", "inbound", began=1.0))
    return made


async def test_events_are_counted_and_a_feed_that_breaks_is_opened_again():
    asked = []

    async def feed(request):
        asked.append((request.headers["Authorization"], request.query["types"]))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(asked) == 2:
            await socket.send_str(json.dumps(STARTED))
            await socket.receive()
        return socket

    calls, opened = tally(), asyncio.Event()
    async with serving(web.get("/calls/live", feed)) as origin:
        reading = asyncio.create_task(follow(origin, "secret", calls, opened))
        await until(lambda: calls.starts.count)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    assert opened.is_set() and calls.feed_lost == 1
    assert asked == [("Bearer secret", "call.started,transcript.interim,transcript.final,call.ended")] * 2


async def test_a_feed_that_is_refused_at_first_is_an_error():
    async def refuse(request):
        raise web.HTTPUnauthorized(text="This needs a token.")

    opened = asyncio.Event()
    async with serving(web.get("/calls/live", refuse)) as origin:
        with pytest.raises(FeedError, match="cannot be read: the server refused the call with 401"):
            await follow(origin, "secret", tally(), opened)

    assert not opened.is_set()


async def test_where_nothing_listens_the_next_step_is_told():
    async with serving() as origin:
        pass
    with pytest.raises(FeedError, match="no bridge answers at .*: start it with `bridge serve`"):
        await follow(origin, "secret", tally(), asyncio.Event())
