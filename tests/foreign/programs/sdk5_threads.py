"""The quickstart of Python SDK 5, with threads: a radio's stream, handed on as it comes."""

import os
import threading

import httpx
from deepgram import DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.extensions.types.sockets import ListenV1ControlMessage

HOST, URL = os.environ["DEEPGRAM_ORIGIN"], os.environ["AUDIO_URL"]
LOCAL = DeepgramClientEnvironment(base=f"http://{HOST}", production=f"ws://{HOST}", agent=f"ws://{HOST}")


def main():
    client = DeepgramClient(environment=LOCAL)
    with client.listen.v1.connect(model="nova-3", smart_format="true") as connection:
        ready = threading.Event()

        def on_message(message):
            if message.type == "Results":
                print(message.channel.alternatives[0].transcript)
            else:
                print(message.type)

        connection.on(EventType.OPEN, lambda _: ready.set())
        connection.on(EventType.MESSAGE, on_message)
        connection.on(EventType.CLOSE, lambda _: print("Connection closed"))
        connection.on(EventType.ERROR, lambda error: print(f"Caught: {error}"))

        def stream():
            ready.wait()
            with httpx.stream("GET", URL) as response:
                for chunk in response.iter_bytes():
                    connection.send_media(chunk)
            connection.send_control(ListenV1ControlMessage(type="CloseStream"))

        thread = threading.Thread(target=stream)
        thread.start()
        connection.start_listening()
        thread.join()


main()
