"""Many both-track calls at real-time pace, from one process, as cheaply as possible.

Every call sends the same frames, encoded once, over a bare TCP stream: a load generator that costs more than what it
loads measures itself. The two tracks are 10 ms apart and the calls are spread over the 20 ms, as real ones are.
"""

import asyncio
import base64
import json
import os

from bridge.local.caller import frame

FRAME = 160
FRAME_SECONDS = 0.02


def encode_media(inbound, outbound):
    """The two frames of every 20 ms, ready to be written."""
    frames = []
    for index in range(len(inbound) // FRAME):
        pair = []
        for place, (track, audio) in enumerate((("inbound", inbound), ("outbound", outbound))):
            sequence = 2 * index + place + 2
            media = {
                "event": "media",
                "sequenceNumber": str(sequence),
                "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0",
                "media": {
                    "track": track,
                    "chunk": str(index + 1),
                    "timestamp": str(100 + 20 * index),
                    "payload": base64.b64encode(audio[index * FRAME : (index + 1) * FRAME]).decode(),
                },
            }
            pair.append(frame(json.dumps(media, separators=(",", ":"))))
        frames.append(tuple(pair))
    return frames


class LoadCall:
    """One call; `sent[i]` is the loop's time at which the second frame of the i-th 20 ms was written."""

    _writer: asyncio.StreamWriter

    def __init__(self, call_id):
        self.call_id = call_id
        self.sent = []

    async def start(self, port):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(
            f"GET /media/twilio HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"the target refused a call: {head[:80]!r}")
        start = {
            "streamSid": "MZ1",
            "accountSid": "AC1",
            "callSid": self.call_id,
            "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"direction": "inbound", "from": "+15550101", "to": "+15550123"},
        }
        message = {"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start}
        self._writer.write(frame('{"event":"connected","protocol":"Call","version":"1.0.0"}'))
        self._writer.write(frame(json.dumps(message)))

    async def play(self, frames, offset):
        """At real-time pace, `offset` seconds into the 20 ms; due times are absolute, so nothing drifts."""
        loop = asyncio.get_running_loop()
        began = loop.time() + offset
        for index, (inbound, outbound) in enumerate(frames):
            due = began + index * FRAME_SECONDS
            await asyncio.sleep(due - loop.time())
            self._writer.write(inbound)
            await asyncio.sleep(due + FRAME_SECONDS / 2 - loop.time())
            self._writer.write(outbound)
            self.sent.append(loop.time())

    async def hurry(self, frames, speed):
        """At `speed` times real time, a second's worth at once."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index, pair in enumerate(frames):
            self._writer.writelines(pair)
            if index % 50 == 49:
                await self._writer.drain()
                await asyncio.sleep(began + index * FRAME_SECONDS / speed - loop.time())

    async def stop(self):
        self._writer.write(frame('{"event":"stop","sequenceNumber":"9","streamSid":"MZ1","stop":{}}'))

    def close(self):
        self._writer.close()
