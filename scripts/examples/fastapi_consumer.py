"""A webhook consumer with FastAPI: prints what was said in every call, each sentence once, after it has answered.

    pip install fastapi uvicorn && pip install --no-deps .
    WEBHOOK_SECRET=whsec_… uvicorn --app-dir scripts/examples fastapi_consumer:app --port 3000

The bridge posts here with `WEBHOOK_URL=http://127.0.0.1:3000/calls` and the same `WEBHOOK_SECRET`.
"""

import asyncio
import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from bridge.client import CallEnded, Event, Refused, Seen, TranscriptFinal, Webhook

webhook, seen = Webhook(os.environ["WEBHOOK_SECRET"]), Seen()
todo: asyncio.Queue[Event] = asyncio.Queue()  # what is in it when this program dies is lost


async def work():
    while True:
        event = await todo.get()
        match event.data:
            case TranscriptFinal(speaker=speaker, text=text):
                print(f"{event.call_id}-{event.seq} {speaker}: {text}", flush=True)
            case CallEnded(duration=seconds):
                print(f"{event.call_id}-{event.seq} ended after {seconds:.0f} s", flush=True)


@asynccontextmanager
async def working(app):
    task = asyncio.create_task(work())
    yield
    task.cancel()


app = FastAPI(lifespan=working)


@app.post("/calls")
async def receive(request: Request):
    try:
        delivery = webhook.receive(await request.body(), request.headers)
    except Refused as error:
        return Response(status_code=error.status)
    for event in seen.new(delivery):
        todo.put_nowait(event)
    return Response(status_code=204)
