"""Log formats: one JSON object a line, or plain text, each with the call id if there is one.

The `extra` of a log call becomes fields. Transcripts, audio and secrets are never given to a logger. Of an exception it
is told where it came from and what kind it is; its words only if they are ours, since a library may quote anything.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from aiohttp.http_exceptions import HttpProcessingError

from bridge.errors import BridgeError

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(level: str, style: Literal["json", "text"]) -> None:
    """Send everything at `level` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("websockets").setLevel(logging.WARNING)  # it would log every frame's size at debug
    logging.getLogger("aiohttp.server").addFilter(quote_no_request)
    logging.getLogger("asyncio").addFilter(quote_no_future)
    sys.excepthook = report


def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log the exception that ends the process; Python would print its words."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("bridge").critical("the process ends with a fault", exc_info=(kind, error, trace))


def quote_no_request(record: logging.LogRecord) -> bool:
    """Log only the kind of error for a request that is not HTTP: aiohttp quotes the line, which may hold a token."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.exc_info = None
        record.reason = type(error).__name__
    return True


def quote_no_future(record: logging.LogRecord) -> bool:
    """Log only what happened: asyncio's further lines show tasks with their exceptions, words and all."""
    record.msg, record.args = record.getMessage().split("\n")[0], ()
    return True


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        return "".join(_trace(ei[1])).rstrip("\n") if ei[1] else ""


class JsonFormatter(_Formatter):
    """Time, level, logger, message and fields as one JSON object a line."""

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


class TextFormatter(_Formatter):
    """Time, level, message and fields on one line; the lines of an exception follow, indented.

    Any of them may quote a peer, so line breaks and control characters are escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items() if value is not None)
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        lines = [f"{moment} {record.levelname.lower():7} {record.getMessage()}{fields}"]
        if record.exc_info:
            lines += [f"  {line}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(map(_printable, lines))


def _trace(error: BaseException) -> Iterator[str]:
    """An exception and those that led to it, the first one first."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before:
        yield from _trace(before)
        yield "then:\n"
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _trace(one)
            yield "and:\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    said = f": {error}" if isinstance(error, BridgeError) else ""
    yield f"{type(error).__qualname__}{said}\n"


def _printable(text: str) -> str:
    """The text with control characters, line breaks and marks of direction escaped; other scripts stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
