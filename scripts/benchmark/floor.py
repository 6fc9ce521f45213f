"""The floor: the same load through a bare loop. aiohttp and uvloop, JSON parse, interleave, send, nothing else.

No alignment, no session, no store, no webhook, no errors: what any Python server of this kind pays before it does
anything. It sends chunks of the same length as the bridge, so that both pay for the same number of frames.
"""

import asyncio
import base64
import json
import sys

import uvloop
from aiohttp import WSMsgType, web
from websockets.asyncio.client import connect

CHUNK = 480  # octets a channel: 60 ms


async def read_results(deepgram):
    async for _ in deepgram:
        pass


async def handle(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    inbound, outbound = bytearray(), bytearray()
    query = (
        "encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&interim_results=true&endpointing=300&model=nova-3"
    )
    deepgram = await connect(
        f"{request.app['deepgram']}/v1/listen?{query}",
        additional_headers={"Authorization": "Token key"},
        compression=None,
        ping_interval=None,
    )
    reader = asyncio.create_task(read_results(deepgram))
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            break
        message = json.loads(frame.data)
        if message["event"] == "media":
            media = message["media"]
            track = inbound if media["track"] == "inbound" else outbound
            track += base64.b64decode(media["payload"])
            if len(inbound) >= CHUNK and len(outbound) >= CHUNK:
                stereo = bytearray(2 * CHUNK)
                stereo[0::2] = inbound[:CHUNK]
                stereo[1::2] = outbound[:CHUNK]
                del inbound[:CHUNK], outbound[:CHUNK]
                await deepgram.send(stereo)
        elif message["event"] == "stop":
            break
    await deepgram.send('{"type":"CloseStream"}')
    await reader
    return socket


async def main(port, deepgram):
    app = web.Application()
    app["deepgram"] = deepgram
    app.router.add_get("/media/twilio", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(main(int(sys.argv[1]), sys.argv[2]))
