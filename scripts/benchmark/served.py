"""The handlers of the record, and a call that goes on meanwhile: the target of `bench live`, a process of its own.

Everything from the store to the socket is the bridge's; only the call is made up here, at a pace that is asked for:

    POST /talk/CA1?seconds=25&interims=10&finals=2   answers when the call has ended: how many events, and what each
                                                     append took until it was durable, in ms

The `id` of an event carries the moment at which it was given to the store. The clock is the same in all processes.
"""

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack
from random import Random

import uvloop
from aiohttp import web

from bridge.events import CallEnded, Event, TranscriptFinal, TranscriptInterim, Word, timestamp
from bridge.live import Live
from bridge.rights import unlimited
from bridge.store.audio import Recordings
from bridge.store.sqlite import SQLiteStore
from bridge.web.access import Access
from bridge.web.calls import CallHandlers
from bridge.web.feed import FeedHandlers
from scripts.benchmark.archive import call_started

TOKEN = "a-token-for-readers"
BEGAN = 1_800_000_000.0
WORDS = 10  # in a segment
HISTORY = 200  # finals that were said before the first reader


def event(call_id, seq, data):
    return Event(call_id, seq, f"{call_id}-{time.monotonic_ns()}", timestamp(time.time()), data)


def transcript(kind, index, revision):
    text = [f"word{index}x{place}" for place in range(WORDS)]
    return kind(
        segment_id=f"CA1-inbound-{index}",
        revision=revision,
        final=kind is TranscriptFinal,
        track="inbound" if index % 2 else "outbound",
        channel=1 - index % 2,
        speaker="caller",
        start=float(index),
        end=index + 1.0,
        start_time=timestamp(BEGAN + index),
        end_time=timestamp(BEGAN + index + 1),
        text=" ".join(text),
        confidence=0.98,
        words=[
            Word(word=word, text=word, start=index + place / 10, end=index + place / 10, confidence=0.99)
            for place, word in enumerate(text)
        ],
        language="en",
    )


async def talk(store, call_id, seconds, interims, finals):
    """A call at an even pace; what each append took, in ms."""
    loop, took, appends = asyncio.get_running_loop(), [], []

    async def append(events):
        given = time.perf_counter()
        await store.append(events)
        took.append((time.perf_counter() - given) * 1000)

    await append([call_started(call_id, "+15550101", BEGAN), *history(call_id)])
    began, each = loop.time(), interims // finals
    for index in range(int(seconds * finals)):
        for part in range(each + 1):
            await asyncio.sleep(began + (index + part / (each + 1)) / finals - loop.time())
            if part < each:
                await store.append([], [event(call_id, None, transcript(TranscriptInterim, index, part + 1))])
            else:
                said = event(call_id, HISTORY + index + 2, transcript(TranscriptFinal, index, each + 1))
                appends.append(asyncio.create_task(append([said])))
    await asyncio.gather(*appends)
    await asyncio.sleep(1.0)
    end = CallEnded(
        reason="stopped", duration=seconds, ended_at=timestamp(BEGAN), flush="complete", missing=0.0, counts={}
    )
    await append([event(call_id, HISTORY + len(appends) + 2, end)])
    return {"events": HISTORY + len(appends) + 2, "append": took}


def history(call_id):
    return [event(call_id, index + 2, transcript(TranscriptFinal, index, 1)) for index in range(HISTORY)]


async def main(port, folder):
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SQLiteStore(folder))
        live = Live(store)
        stack.callback(live.close)
        readers = Access(unlimited((TOKEN,)), None, time.time)
        calls = CallHandlers(
            store, readers, endpoints=["webhook"], delete=store.delete, recordings=Recordings(folder), wall=time.time
        )
        feed = FeedHandlers(live, store, readers, calls.events, Random())

        async def post_talk(request):
            pace = {name: int(value) for name, value in request.query.items()}
            return web.json_response(await talk(store, request.match_info["id"], **pace))

        app = web.Application()
        app.add_routes([*readers.routes(), *feed.routes(), *calls.routes(), web.post("/talk/{id}", post_talk)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)  # as `app.serve` does
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(main(int(os.environ["PORT"]), sys.argv[1]))
