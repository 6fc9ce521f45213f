"""The asyncio program of Python SDK 5: raw audio, KeepAlive and Finalize."""

import asyncio
import os

import httpx
from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.extensions.types.sockets import ListenV1ControlMessage

HOST, URL = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"]
LOCAL = DeepgramClientEnvironment(base=f"http://{HOST}", production=f"ws://{HOST}", agent=f"ws://{HOST}")


async def main():
    client = AsyncDeepgramClient(environment=LOCAL)
    options = {"encoding": "linear16", "sample_rate": "16000", "interim_results": "true", "smart_format": "true"}
    async with client.listen.v1.connect(model="nova-3", **options) as connection:

        def on_message(message):
            if message.type == "Results":
                print(message.channel.alternatives[0].transcript)
            else:
                print(message.type)

        connection.on(EventType.OPEN, lambda _: print("Connection opened"))
        connection.on(EventType.MESSAGE, on_message)
        connection.on(EventType.CLOSE, lambda _: print("Connection closed"))
        connection.on(EventType.ERROR, lambda error: print(f"Caught: {error}"))
        listening = asyncio.create_task(connection.start_listening())
        async with httpx.AsyncClient() as http, http.stream("GET", URL) as audio:
            async for chunk in audio.aiter_bytes():
                await connection.send_media(chunk)
        for kind in ("KeepAlive", "Finalize", "CloseStream"):
            await connection.send_control(ListenV1ControlMessage(type=kind))
        await listening


asyncio.run(main())
