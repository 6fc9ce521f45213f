"""Strangers at the bridge's port, who have no credential: what they do beside the calls must harm none.

Idle connections, requests that never end, garbage, floods of digits on streams of their own, wrong logins. Each keeps
going until it is cancelled; none waits for an answer for long.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp

from tests.fakes import frames

_HALF = (
    b"GET /media/twilio HTTP/1.1\r\nHost: x\r\nX-A: ",
    b"POST /twiml/voice HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 60000\r\n\r\nA",
    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{",
)
_PAUSE = 0.2  # seconds

STRANGE = "strange"
"""How the ids of their calls end."""


class Strangers:
    """`async with Strangers(port, idle, seed):` has them all at once until it is left."""

    def __init__(self, port: int, idle: int, seed: int) -> None:
        """`idle`: connections that say nothing."""
        self.counts: Counter[str] = Counter()
        """What they have tried."""
        self._port = port
        self._idle = idle
        self._random = Random(f"{seed} strangers")
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Strangers":
        work: list[Callable[[], Awaitable[None]]] = [self._sit, self._trickle, self._spoil, self._log_in, self._scan]
        work += [self._press_keys] * 3
        self._tasks = [asyncio.create_task(self._go_on(each)) for each in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_on(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError):
                await work()
            await asyncio.sleep(_PAUSE)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self._port), 2.0)

    async def _sit(self) -> None:
        """Many connections that say nothing, until they are all closed."""
        held = []
        try:
            for _ in range(self._idle):
                held.append(await self._open())
                self.counts["idle connections"] += 1
            await asyncio.gather(*(reader.read() for reader, _ in held))
        finally:
            for _, writer in held:
                writer.close()

    async def _trickle(self) -> None:
        """Requests that begin and never end."""
        held = []
        try:
            for number in range(50):
                reader, writer = await self._open()
                held.append((reader, writer))
                writer.write(_HALF[number % len(_HALF)])
                self.counts["half requests"] += 1
            await asyncio.gather(*(reader.read() for reader, _ in held))
        finally:
            for _, writer in held:
                writer.close()

    async def _spoil(self) -> None:
        """Octets that are no HTTP."""
        for _ in range(20):
            reader, writer = await self._open()
            writer.write(self._random.randbytes(self._random.choice((1, 200, 5000))))
            writer.write_eof()
            self.counts["garbage"] += 1
            await asyncio.wait_for(reader.read(), 5.0)
            writer.close()

    async def _log_in(self) -> None:
        async with aiohttp.ClientSession() as client:
            for _ in range(10):
                url = f"http://127.0.0.1:{self._port}/login"
                token = self._random.randbytes(16).hex()
                async with client.post(url, json={"token": token}, timeout=aiohttp.ClientTimeout(5.0)) as answer:
                    self.counts[f"logins answered {answer.status}"] += 1

    async def _scan(self) -> None:
        """Paths that are not there, and methods that are not meant."""
        async with aiohttp.ClientSession() as client:
            for path in ("/wp-login.php", "/.env", "/calls", "/media/twilio", "/admin", "/metrics/../etc/passwd"):
                method = self._random.choice(("GET", "POST", "PUT", "OPTIONS", "FOO"))
                url = f"http://127.0.0.1:{self._port}{path}"
                async with client.request(method, url, timeout=aiohttp.ClientTimeout(5.0)) as answer:
                    self.counts[f"scans answered {answer.status}"] += 1

    async def _press_keys(self) -> None:
        """A stream of a call of their own, on which keys are pressed as fast as it takes them."""
        call = f"CA{self._random.randbytes(8).hex()}{STRANGE}"
        async with aiohttp.ClientSession() as client:
            async with client.ws_connect(f"http://127.0.0.1:{self._port}/media/twilio") as socket:
                await socket.send_str(frames.start(call=call))
                digit = {"event": "dtmf", "streamSid": frames.STREAM, "dtmf": {"track": "inbound_track", "digit": "5"}}
                for number in range(3000):
                    await socket.send_str(json.dumps({**digit, "sequenceNumber": str(number + 2)}))
                    self.counts["digits"] += 1
                for _ in range(200):
                    await socket.send_str("{" * self._random.randrange(2000))
                    self.counts["unreadable messages"] += 1
