"""The quickstart of Python SDK 7, with threads: a radio's stream, handed on as it comes."""

import os
import threading

import httpx
from deepgram import DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment

HOST, URL = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"]
LOCAL = DeepgramClientEnvironment(
    base=f"http://{HOST}", production=f"ws://{HOST}", agent=f"ws://{HOST}", agent_rest=f"http://{HOST}"
)


def main():
    client = DeepgramClient(environment=LOCAL)
    with client.listen.v1.connect(model="nova-3", smart_format=True) as connection:
        ready = threading.Event()

        def on_message(result):
            channel = getattr(result, "channel", None)
            if channel and hasattr(channel, "alternatives"):
                print(channel.alternatives[0].transcript)
            else:
                print(result.type)

        connection.on(EventType.OPEN, lambda _: ready.set())
        connection.on(EventType.MESSAGE, on_message)
        connection.on(EventType.CLOSE, lambda _: print("Connection closed"))
        connection.on(EventType.ERROR, lambda error: print(f"Caught: {error}"))

        def stream():
            ready.wait()
            with httpx.stream("GET", URL) as response:
                for chunk in response.iter_bytes():
                    connection.send_media(chunk)
            connection.send_close_stream()

        thread = threading.Thread(target=stream)
        thread.start()
        connection.start_listening()
        thread.join()


main()
