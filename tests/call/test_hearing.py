"""Deepgram's side of a call. What the session's news become is shown with whole calls, in `test_call.py`; here that the
audio goes on where another process had finals."""

import json

from bridge.call import Call
from bridge.store.audio import AudioStore
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, feed, services, started
from tests.fakes.running import deepgram
from tests.fakes.waiting import until


async def test_what_is_lost_of_the_audio_is_told_and_the_session_is_asked_for_once(tmp_path):
    async with deepgram() as server, SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        call = Call("CA1", started(), services(store, server, HandClock()), audio=audio.open("CA1"))
        stream = call.attach(started())
        feed(stream, 3.0)
        await until(lambda: server.connections)
        stream.end("stopped")
        await call.wait_over()
        events = [json.loads(event.body) for event in await store.read(Query("CA1"))]
    ended = events[-1]["data"]

    assert (ended["flush"], len(ended["requests"]), len(server.connections)) == ("complete", 1, 1)
    assert ended["latency"] is not None
