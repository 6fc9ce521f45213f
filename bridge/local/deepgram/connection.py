"""What tests may know of a connection: who asked for what, what came and was said when, and how it ended."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from bridge.local.deepgram.flux.request import FluxRequest
from bridge.local.deepgram.recording import Recording
from bridge.local.deepgram.request import ListenRequest, Refusal
from bridge.local.deepgram.session import Session


class Line(Protocol):
    """What a connection needs of the open socket."""

    def abort(self) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Connection:
    """One client, from its handshake on; refused ones count too. Times are the event loop's, in seconds."""

    def __init__(
        self, index: int, request_id: str, query: tuple[tuple[str, str], ...], headers: Mapping[str, str]
    ) -> None:
        self.index = index
        self.request_id = request_id
        self.query = query
        self.headers = headers
        """Of the upgrade request; its names in any case."""
        self.request: ListenRequest | None = None
        self.flux: FluxRequest | None = None
        """What else was asked of `/v2/listen`; None on `/v1/listen`."""
        self.refusal: Refusal | None = None
        self.session: Session | None = None
        self.recording: Recording | None = None
        self.line: Line | None = None

        self.audio = bytearray()
        """All audio received, as it came."""
        self.arrivals: list[tuple[float, int]] = []
        """When each binary message came, and how many octets it had."""
        self.texts: list[str] = []
        """All texts received."""
        self.text_times: list[float] = []
        self.sent: list[tuple[float, str]] = []
        """When each message was handed to the socket, and the message."""
        self.opened_at: float | None = None
        self.closed_at: float | None = None
        self.close_code: int | None = None
        """That of the client's close; 1005: it had none, 1006: the socket ended without the client's close."""
        self.ended = asyncio.Event()
        """Refused, or closed."""

    def __repr__(self) -> str:
        return f"<Connection {self.index} {self.refusal or self.session} close code {self.close_code}>"

    def drop(self) -> None:
        """Cut the TCP connection now."""
        if self.line:
            self.line.abort()

    def close(self, code: int = 1011, reason: str = "") -> None:
        """Close the socket now."""
        if self.line:
            self.line.close(code, reason)
