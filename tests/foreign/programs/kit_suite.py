"""The flow of the Live Streaming Starter Kit's `test_suite.py`: an address, or a WAV file, becomes subtitles.

An address is handed on as it comes and ends with an empty message; of a WAV file the samples are sent, in pieces of
250 ms, and `CloseStream`. The end is a message with `created`, and what closes says why.
"""

import argparse
import asyncio
import json
import os
import sys
import urllib.request
import wave

import websockets

KEY = os.environ["DEEPGRAM_API_KEY"]


def stamp(seconds, mark):
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{int((seconds - whole) * 1000):03}"


async def from_address(ws, address):
    loop = asyncio.get_running_loop()
    with urllib.request.urlopen(address) as audio:
        while data := await loop.run_in_executor(None, audio.read, 4096):
            await ws.send(data)
    await ws.send(b"")


async def from_wave(ws, recording):
    size = recording.getnchannels() * recording.getsampwidth() * recording.getframerate() // 4
    data = recording.readframes(recording.getnframes())
    for at in range(0, len(data), size):
        await asyncio.sleep(0.25)
        await ws.send(data[at : at + size])
    await ws.send(json.dumps({"type": "CloseStream"}))


async def receive(ws, mark):
    number = 0
    async for text in ws:
        message = json.loads(text)
        if message.get("msg"):
            print(message["msg"])
        if message.get("is_final"):
            transcript = message["channel"]["alternatives"][0]["transcript"]
            if transcript:
                number += 1
                start, end = message["start"], message["start"] + message["duration"]
                print(f"{number}\n{stamp(start, mark)} --> {stamp(end, mark)}\n{transcript}\n")
        if message.get("created"):
            print(f"Request finished with a duration of {message['duration']} seconds.")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", "--input", required=True)
    parser.add_argument("-f", "--format", default="srt", choices=["srt", "vtt"])
    parser.add_argument("--host", default="wss://api.deepgram.com")
    arguments = parser.parse_args()
    url = f"{arguments.host}/v1/listen?punctuate=true&model=general"
    recording = None
    if not arguments.input.startswith("http"):
        recording = wave.open(arguments.input)
        url += f"&channels={recording.getnchannels()}&sample_rate={recording.getframerate()}&encoding=linear16"
    try:
        async with websockets.connect(url, extra_headers={"Authorization": f"Token {KEY}"}) as ws:
            print(f"Request ID: {ws.response_headers.get('dg-request-id')}")
            source = from_wave(ws, recording) if recording else from_address(ws, arguments.input)
            await asyncio.gather(source, receive(ws, "," if arguments.format == "srt" else "."))
            print(f"Closed with {ws.close_code} {ws.close_reason!r}")
    except websockets.InvalidStatusCode as error:
        print(f"Refused: {error.headers.get('dg-error')} (request {error.headers.get('dg-request-id')})")
        sys.exit(1)


asyncio.run(main())
