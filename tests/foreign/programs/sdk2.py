"""The quickstart of Python SDK 2: a radio's stream, which is MP3, handed on as it comes."""

import asyncio
import os

import aiohttp
from deepgram import Deepgram

HOST, URL, KEY = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"], os.environ["DEEPGRAM_API_KEY"]


async def main():
    deepgram = Deepgram({"api_key": KEY, "api_url": f"http://{HOST}/v1"})
    try:
        live = await deepgram.transcription.live(
            {"smart_format": True, "interim_results": False, "language": "en-US", "model": "nova-2"}
        )
    except Exception as error:  # noqa: BLE001 - as on the page
        print(f"Could not open socket: {error}")
        return
    live.registerHandler(live.event.CLOSE, lambda code: print(f"Connection closed with code {code}."))
    live.registerHandler(live.event.TRANSCRIPT_RECEIVED, print)
    async with aiohttp.ClientSession() as session, session.get(URL) as audio:
        while data := await audio.content.readany():
            live.send(data)
    await live.finish()


asyncio.run(main())
