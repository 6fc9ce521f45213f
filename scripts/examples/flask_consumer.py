"""A webhook consumer with Flask: prints what was said in every call, each sentence once, after it has answered.

    pip install flask 'pydantic>=2.12' && pip install --no-deps .
    WEBHOOK_SECRET=whsec_… flask --app scripts/examples/flask_consumer run --port 3000

The bridge posts here with `WEBHOOK_URL=http://127.0.0.1:3000/calls` and the same `WEBHOOK_SECRET`.
"""

import os
from queue import Queue
from threading import Thread

from flask import Flask, request

from bridge.client import CallEnded, Event, Refused, Seen, TranscriptFinal, Webhook

webhook, seen = Webhook(os.environ["WEBHOOK_SECRET"]), Seen()
todo: Queue[Event] = Queue()  # what is in it when this program dies is lost
app = Flask(__name__)


def work():
    while True:
        event = todo.get()
        match event.data:
            case TranscriptFinal(speaker=speaker, text=text):
                print(f"{event.call_id}-{event.seq} {speaker}: {text}", flush=True)
            case CallEnded(duration=seconds):
                print(f"{event.call_id}-{event.seq} ended after {seconds:.0f} s", flush=True)


Thread(target=work, daemon=True).start()


@app.post("/calls")
def receive():
    try:
        delivery = webhook.receive(request.get_data(), request.headers)
    except Refused as error:
        return "", error.status
    for event in seen.new(delivery):
        todo.put(event)
    return "", 204
