"""The quickstart of Python SDK 3 and 4, with threads: a radio's stream until Enter is pressed."""

import os
import threading

import httpx
from deepgram import DeepgramClient, DeepgramClientOptions, LiveOptions, LiveTranscriptionEvents

HOST, URL = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"]


def main():
    deepgram = DeepgramClient("", DeepgramClientOptions(url=f"ws://{HOST}"))
    connection = deepgram.listen.websocket.v("1")

    def on_message(self, result, **kwargs):
        sentence = result.channel.alternatives[0].transcript
        if len(sentence) > 0:
            print(f"speaker: {sentence}", flush=True)

    def on_metadata(self, metadata, **kwargs):
        print(f"metadata: {metadata.duration:.1f} s", flush=True)

    def on_error(self, error, **kwargs):
        print(f"error: {error}", flush=True)

    connection.on(LiveTranscriptionEvents.Transcript, on_message)
    connection.on(LiveTranscriptionEvents.Metadata, on_metadata)
    connection.on(LiveTranscriptionEvents.Error, on_error)
    if connection.start(LiveOptions(model="nova-2", language="en-US", smart_format=True)) is False:
        print("Failed to start connection")
        return

    ended = threading.Event()

    def stream():
        with httpx.stream("GET", URL) as response:
            for data in response.iter_bytes():
                if ended.is_set():
                    break
                connection.send(data)

    thread = threading.Thread(target=stream)
    thread.start()
    input("Press Enter to stop recording...\n")
    ended.set()
    thread.join()
    connection.finish()
    print("Finished")


main()
