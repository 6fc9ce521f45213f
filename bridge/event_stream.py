"""Server-sent events, written and read, as the HTML Standard interprets an event stream (9.2.6).

The parser is a machine without socket or clock, one per connection. It does not connect, and does not come back: who
does gives the next one the `last_id` of the one before, and pauses as they like, because the server's `retry` is let
pass.
"""

import re
from dataclasses import dataclass

from bridge.errors import RemoteProtocolError

LARGEST = 16 * 1024 * 1024
"""Octets of one message; an event has a few thousand."""

COMMENT = b": alive\n\n"
"""Says nothing but that the line is alive."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


def encode(
    *, retry: int | None = None, id: int | None = None, event: str | None = None, data: str | None = None
) -> bytes:
    """A message of one line of `data`; without it, only where to go on and, in milliseconds, when to come back."""
    text = f"retry: {retry}\n" if retry is not None else ""
    if id is not None:
        text += f"id: {id}\n"
    if event is not None:
        text += f"event: {event}\n"
    if data is not None:
        text += f"data: {data}\n"
    return f"{text}\n".encode()


@dataclass(frozen=True, slots=True)
class Message:
    """One event."""

    event: str
    data: str


class Parser:
    """Feed it what arrives, in pieces of any size. What is not ended by an empty line when the stream is, never was."""

    def __init__(self, last_id: str = "") -> None:
        """`last_id`: of the connection before."""
        self.last_id = last_id
        """Behind which to resume: of the last message, or of one before it where that had none. Empty: none had."""
        self._rest = b""
        self._begun = False
        self._after_return = False
        self._id = last_id
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<Parser behind {self.last_id!r}, {len(self._rest) + self._size} octets of the next message>"

    def receive(self, octets: bytes) -> list[Message]:
        """The messages that this piece completes. Raises RemoteProtocolError for one without an end."""
        if not octets:
            return []
        if self._after_return:
            octets = octets.removeprefix(b"\n")  # the line ended with the return: this is the same end
        self._after_return = octets.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + octets)
        messages = [message for line in lines if (message := self._line(line)) is not None]
        if len(self._rest) + self._size > LARGEST:
            raise RemoteProtocolError(f"an event of more than {LARGEST} octets")
        return messages

    def _line(self, line: bytes) -> Message | None:
        if not self._begun:
            line, self._begun = line.removeprefix(_BOM), True
        if not line:
            return self._dispatch()
        self._size += len(line)
        name, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case _:  # a comment, `retry`, or nothing that is known
                pass
        return None

    def _dispatch(self) -> Message | None:
        self.last_id = self._id
        message = Message(self._event or "message", "\n".join(self._data)) if self._data else None
        self._event, self._data, self._size = "", [], 0
        return message
