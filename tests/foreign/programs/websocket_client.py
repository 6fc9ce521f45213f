"""The pages that use no SDK, with `websocket-client`: KeepAlive, Finalize and CloseStream written by hand."""

import json
import os
import threading
import urllib.request

import websocket

HOST, URL, KEY = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"], os.environ["DEEPGRAM_API_KEY"]
QUERY = "model=nova-3&encoding=linear16&sample_rate=16000&channels=1&interim_results=true&punctuate=true"


def on_open(ws):
    def stream():
        with urllib.request.urlopen(URL) as audio:
            while data := audio.read(3200):
                ws.send(data, websocket.ABNF.OPCODE_BINARY)
        for kind in ("KeepAlive", "Finalize", "CloseStream"):
            ws.send(json.dumps({"type": kind}))

    threading.Thread(target=stream).start()


def on_message(ws, text):
    message = json.loads(text)
    if message["type"] == "Results":
        print(message["channel"]["alternatives"][0]["transcript"])
    else:
        print(message["type"])


def on_close(ws, code, reason):
    print(f"Connection closed with code {code} and reason {reason!r}")


websocket.WebSocketApp(
    f"ws://{HOST}/v1/listen?{QUERY}",
    header={"Authorization": f"Token {KEY}"},
    on_open=on_open,
    on_message=on_message,
    on_error=lambda ws, error: print(f"Caught: {error!r}"),
    on_close=on_close,
).run_forever()
