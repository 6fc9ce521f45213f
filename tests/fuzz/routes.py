"""Requests of anyone at a running bridge: none is a fault of ours, neither in its answer nor in the log."""

import asyncio
import logging
import tempfile
from pathlib import Path
from random import Random

from bridge.logs import quote_no_request
from tests.fakes.running import bridge, settings
from tests.fuzz.mutations import octets

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get", "FOO", "")
PATHS = (
    *("/", "/healthz", "/readyz", "/metrics", "/login", "/logout", "/page.css", "/nothing"),
    *("/calls", "/calls/CA1", "/calls/CA1/events", "/calls/CA1/transcript.json", "/calls/CA1/audio.wav", "/events"),
    *(
        "/calls/%00",
        "/calls/..%2F..%2Fetc%2Fpasswd",
        "/calls/CA1/link",
        "/calls?limit=-1&q=%22",
        "/calls?before=\u00fc",
    ),
    *("/twiml/voice", "/twiml/voice/", "/twiml/stream-status", "/media/twilio", "/media/telnyx", "/media/jambonz"),
)
HEADERS = (
    *("Host: x", "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"),
    *("Authorization: Bearer x", "Authorization: Basic !!!", "Cookie: bridge=%ff; a", "Last-Event-ID: -1"),
    *("Range: bytes=5-1", "Range: bytes=a", "Accept: text/event-stream", "Transfer-Encoding: chunked", "Expect: no"),
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"),
    *("X-Twilio-Signature: x", "Origin: https://elsewhere.example", "Content-Length: 5", "Content-Length: -1"),
)
BODIES = (
    "",
    "x",
    "{}",
    '{"token": 7}',
    "[[[[",
    "CallSid=CA1&StreamEvent=stream-error",
    "5\r\nhello\r\n0\r\n\r\n",
    "\x00",
)
_MEANT = (501, 503)
"""Not built in this HTTP, and refused for now."""


def request(random: Random) -> bytes:
    """Something like a request."""
    path = random.choice(PATHS)
    if random.random() < 0.3:
        path += random.choice(
            ("?token=x", "?after=%ff", "?after=9999999999999999999", "/", "//", "%", "#", "?" + "x" * 9000)
        )
    headers = random.sample(HEADERS, random.randrange(6))
    text = f"{random.choice(METHODS)} {path} HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in headers) + "\r\n"
    text += random.choice(BODIES)
    if random.random() < 0.2:
        text = octets(text, random)
    return text.encode("latin-1", "replace")


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if quote_no_request(record) and record.levelno >= logging.ERROR:
            self.lines.append(f"{record.name}: {record.getMessage()}")


async def tried(seed: int, inputs: int) -> list[str]:
    """What went wrong with so many requests."""
    wrong: list[str] = []
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        with tempfile.TemporaryDirectory() as folder:
            configured = settings(Path(folder), "ws://127.0.0.1:9", public_url="http://127.0.0.1:1")
            async with bridge(configured) as origin:
                port = int(origin.rpartition(":")[2])
                for number in range(inputs):
                    asked = request(Random(f"{seed} routes {number}"))
                    answer = await _answer(port, asked)
                    status = int(answer[9:12]) if answer[:5] == b"HTTP/" else 0
                    if status >= 500 and status not in _MEANT:
                        wrong.append(f"input {number}: {status} to {asked[:200]!r}")
    finally:
        logging.getLogger().removeHandler(errors)
    return wrong + errors.lines


async def _answer(port: int, asked: bytes) -> bytes:
    """The beginning of what is answered; nothing where the connection is just closed, or waits for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(asked)
        writer.write_eof()
        async with asyncio.timeout(2.0):
            return await reader.read(100)
    except (TimeoutError, OSError):
        return b""
    finally:
        writer.close()
