"""The flow of the Live Streaming Starter Kit's `client.py`: raw audio to a server that tells what it got."""

import asyncio
import json
import os
import urllib.request

import websockets

URL = os.environ["AUDIO_URL"]


async def main():
    with urllib.request.urlopen(URL) as audio:
        data = audio.read()
    url = f"ws://{os.environ['DEEPGRAM_ORIGIN']}?encoding=linear16&sample_rate=16000&channels=1"
    async with websockets.connect(url) as ws:

        async def send():
            for at in range(0, len(data), 8000):
                await ws.send(data[at : at + 8000])
            await ws.send(json.dumps({"type": "CloseStream"}))

        async def receive():
            async for text in ws:
                message = json.loads(text)
                for name in ("msg", "filename", "total_bytes"):
                    if name in message:
                        print(f"{name}: {message[name]}")
                if message.get("channel") and message["is_final"]:
                    print(message["channel"]["alternatives"][0]["transcript"])

        await asyncio.gather(send(), receive())
        print(f"Closed with {ws.close_code}")


asyncio.run(main())
