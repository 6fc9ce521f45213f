"""Server-sent events, written and parsed, as the HTML Standard says (9.2.6).

The parser is a machine without socket or clock, one per connection. To reconnect, the client gives the next parser the
`last_id` of the one before. The server's `retry` is ignored: the client decides how long it pauses.
"""

import re
from dataclasses import dataclass, field

from bridge.errors import RemoteProtocolError
from bridge.text import json_line

LARGEST = 16 * 1024 * 1024
"""Octets of one event at most; ours have a few thousand."""

COMMENT = b": alive\n\n"
"""A keep-alive: shows that the connection works."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


def encode(
    *, retry: int | None = None, id: int | None = None, event: str | None = None, data: str | None = None
) -> bytes:
    """One event; `data` is JSON without line breaks. Without it: where to resume, and after how many milliseconds."""
    text = f"retry: {retry}\n" if retry is not None else ""
    if id is not None:
        text += f"id: {id}\n"
    if event is not None:
        text += f"event: {event}\n"
    if data is not None:
        text += f"data: {json_line(data)}\n"
    return f"{text}\n".encode()


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of a stream: its name, `message` by default, and its data."""

    event: str
    data: str
    id: str = field(default="", compare=False)
    """The id to resume after, when this one was read."""


class Parser:
    """Give it octets in pieces of any size. An event that no empty line completes is dropped."""

    def __init__(self, last_id: str = "", *, largest: int = LARGEST) -> None:
        """`last_id`: that of the connection before. `largest`: octets that an event may have."""
        self.last_id = last_id
        """The id to resume after: of the last event that had one. Empty: none had."""
        self._largest = largest
        self._rest = b""
        self._begun = False
        self._after_return = False
        self._id = last_id
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<Parser after {self.last_id!r}, {len(self._rest) + self._size} octets of the next event>"

    def receive(self, octets: bytes) -> list[ServerSentEvent]:
        """The events that these octets complete. Raises RemoteProtocolError for one above `LARGEST`."""
        if not octets:
            return []
        if self._after_return:
            octets = octets.removeprefix(b"\n")  # the second half of a line end that was split
        self._after_return = octets.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + octets)
        messages = [message for line in lines if (message := self._line(line)) is not None]
        if len(self._rest) + self._size > self._largest:
            raise RemoteProtocolError(f"an event of more than {self._largest} octets")
        return messages

    def _line(self, line: bytes) -> ServerSentEvent | None:
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
            case _:  # a comment, `retry`, or an unknown field
                pass
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_id = self._id
        message = ServerSentEvent(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event, self._data, self._size = "", [], 0
        return message
