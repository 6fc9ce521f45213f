"""The floor: the same load through a bare loop. aiohttp and uvloop, JSON parse, interleave, send, nothing else.

No alignment, no session, no store, no webhook, no errors: what any Python server of this kind pays before it does
anything. It sends chunks of the same length as the bridge, so that both pay for the same number of frames. Messages are
read with the standard library's `json`, as most do, or with msgspec, which is the fastest way there is.

Usage: floor.py PORT DEEPGRAM json|msgspec
"""

import asyncio
import base64
import binascii
import json
import ssl
import sys
from typing import Any

import msgspec
import uvloop
from aiohttp import WSMsgType, web
from websockets.asyncio.client import connect

CHUNK = 480  # octets a channel: 60 ms
QUERY = "encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&interim_results=true&endpointing=300&model=nova-3"
DEEPGRAM = web.AppKey("deepgram", str)
READ: web.AppKey[Any] = web.AppKey("read")
TLS: web.AppKey[Any] = web.AppKey("tls")


class _Media(msgspec.Struct):
    track: str
    timestamp: str
    chunk: str
    payload: str


class _Message(msgspec.Struct):
    event: str
    media: _Media | None = None


_decode = msgspec.json.Decoder(_Message).decode


def read_with_json(text):
    """The event, and the track and octets of a media message."""
    message = json.loads(text)
    event = message["event"]
    if event != "media":
        return event, "", b""
    media = message["media"]
    return event, media["track"], base64.b64decode(media["payload"])


def read_with_msgspec(text):
    """The same."""
    message = _decode(text)
    media = message.media
    if media is None:
        return message.event, "", b""
    return message.event, media.track, binascii.a2b_base64(media.payload)


READERS = {"json": read_with_json, "msgspec": read_with_msgspec}


async def read_results(deepgram):
    async for message in deepgram:
        json.loads(message)


def interleaved(inbound, outbound):
    """A chunk of both tracks, which is taken from them."""
    stereo = bytearray(2 * CHUNK)
    stereo[0::2] = inbound[:CHUNK]
    stereo[1::2] = outbound[:CHUNK]
    del inbound[:CHUNK], outbound[:CHUNK]
    return stereo


async def handle(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    read, inbound, outbound = request.app[READ], bytearray(), bytearray()
    deepgram = await connect(
        f"{request.app[DEEPGRAM]}/v1/listen?{QUERY}",
        additional_headers={"Authorization": "Token key"},
        compression=None,
        proxy=None,
        ping_interval=None,
        ssl=request.app[TLS],
    )
    reader = asyncio.create_task(read_results(deepgram))
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            break
        event, track, audio = read(frame.data)
        if event == "media":
            (inbound if track == "inbound" else outbound).extend(audio)
            if len(inbound) >= CHUNK and len(outbound) >= CHUNK:
                await deepgram.send(interleaved(inbound, outbound))
        elif event == "stop":
            break
    await deepgram.send('{"type":"CloseStream"}')
    await reader
    return socket


async def main(port, deepgram, reader):
    app = web.Application()
    app[DEEPGRAM], app[READ] = deepgram, READERS[reader]
    # As the bridge has: one context for all connections, which knows the authority in SSL_CERT_FILE.
    app[TLS] = ssl.create_default_context() if deepgram.startswith("wss:") else None
    app.router.add_get("/media/twilio", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(main(int(sys.argv[1]), *sys.argv[2:]))
