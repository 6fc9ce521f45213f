"""The quickstart of Flux, with Python SDK 7: raw audio, and what is told of the turns."""

import asyncio
import os

import httpx
from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment

HOST, URL = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"]
LOCAL = DeepgramClientEnvironment(
    base=f"http://{HOST}", production=f"ws://{HOST}", agent=f"ws://{HOST}", agent_rest=f"http://{HOST}"
)


async def main():
    client = AsyncDeepgramClient(environment=LOCAL)
    async with client.listen.v2.connect(
        model="flux-general-en", encoding="linear16", sample_rate=16000, eager_eot_threshold=0.5
    ) as connection:

        def on_message(message):
            if message.type == "TurnInfo":
                print(f"{message.event}: {message.transcript}")
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
        await connection.send_close_stream()
        await listening


asyncio.run(main())
