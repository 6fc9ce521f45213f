"""The microphone's program of Python SDK 3 and 4, with asyncio and the keepalive option: raw audio, interims."""

import asyncio
import os

import httpx
from deepgram import DeepgramClient, DeepgramClientOptions, LiveOptions, LiveTranscriptionEvents

HOST, URL = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"]

finals = []


async def main():
    config = DeepgramClientOptions(url=f"ws://{HOST}", options={"keepalive": "true"})
    connection = DeepgramClient("", config).listen.asyncwebsocket.v("1")

    async def on_open(self, open, **kwargs):
        print("Connection Open")

    async def on_message(self, result, **kwargs):
        sentence = result.channel.alternatives[0].transcript
        if len(sentence) == 0:
            return
        if not result.is_final:
            print(f"Interim Results: {sentence}")
            return
        finals.append(sentence)
        if result.speech_final:
            print(f"Speech Final: {' '.join(finals)}")
            finals.clear()
        else:
            print(f"Is Final: {sentence}")

    async def on_speech_started(self, speech_started, **kwargs):
        print("Speech Started")

    async def on_utterance_end(self, utterance_end, **kwargs):
        print("Utterance End")

    async def on_close(self, close, **kwargs):
        print("Connection Closed")

    async def on_error(self, error, **kwargs):
        print(f"Handled Error: {error}")

    async def on_unhandled(self, unhandled, **kwargs):
        print(f"Unhandled Websocket Message: {unhandled}")

    connection.on(LiveTranscriptionEvents.Open, on_open)
    connection.on(LiveTranscriptionEvents.Transcript, on_message)
    connection.on(LiveTranscriptionEvents.SpeechStarted, on_speech_started)
    connection.on(LiveTranscriptionEvents.UtteranceEnd, on_utterance_end)
    connection.on(LiveTranscriptionEvents.Close, on_close)
    connection.on(LiveTranscriptionEvents.Error, on_error)
    connection.on(LiveTranscriptionEvents.Unhandled, on_unhandled)
    options = LiveOptions(
        model="nova-3",
        language="en-US",
        smart_format=True,
        encoding="linear16",
        channels=1,
        sample_rate=16000,
        interim_results=True,
        utterance_end_ms="1000",
        vad_events=True,
        endpointing=300,
    )
    if await connection.start(options, addons={"no_delay": "true"}) is False:
        print("Failed to connect to Deepgram")
        return
    # In the microphone's place.
    async with httpx.AsyncClient(timeout=None) as http, http.stream("GET", URL) as microphone:
        async for data in microphone.aiter_bytes():
            await connection.send(data)
    await connection.finish()
    print("Finished")


asyncio.run(main())
