"""How logs look: one JSON object a line, or plain text, each with the call id where there is one.

What is logged elsewhere as `extra` becomes a field. Transcripts, audio and secrets are never given to a logger.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from aiohttp.http_exceptions import HttpProcessingError

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(level: str, style: Literal["json", "text"]) -> None:
    """Send everything at `level` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("websockets").setLevel(logging.WARNING)  # it would log every frame's size at debug
    logging.getLogger("aiohttp.server").addFilter(quote_no_request)


def quote_no_request(record: logging.LogRecord) -> bool:
    """Of a request that is no HTTP only what is wrong: aiohttp quotes the line, in which there may be a token."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.exc_info = None
        record.reason = type(error).__name__
    return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message, fields; the lines of an exception below are indented.

    What a peer has said may stand in any of them, so nothing there can begin a line or command a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items() if value is not None)
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        lines = [f"{moment} {record.levelname.lower():7} {record.getMessage()}{fields}"]
        if record.exc_info:
            lines += [f"  {line}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(map(_printable, lines))


def _printable(text: str) -> str:
    """Control characters, line breaks and marks of direction as escapes; other scripts as they are."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
