"""Log formats: one JSON object a line, or plain text, each with the call id if there is one.

The `extra` of a log call becomes fields. Transcripts, audio and secrets are never given to a logger. Of an exception it
is told where it came from and what kind it is; its words only if they are ours, since a library may quote anything.
What strangers can cause a line of is throttled.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal

from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web import RequestPayloadError

from bridge.errors import BridgeError

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(level: str, style: Literal["json", "text"] | None, *, pid: int | None = None) -> None:
    """Send everything at `level` and above to standard error; by default as text on a terminal, elsewhere as JSON.
    `pid`: of this process, where others write there, too."""
    style = style or ("text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    handler.addFilter(Throttle())
    if pid is not None:
        handler.addFilter(partial(_name, pid))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("websockets").setLevel(logging.WARNING)  # it would log every frame's size at debug
    logging.getLogger("aiohttp.server").addFilter(quote_no_request)
    logging.getLogger("asyncio").addFilter(quote_no_future)
    sys.excepthook = report


def _name(pid: int, record: logging.LogRecord) -> bool:
    record.pid = pid
    return True


def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log the exception that ends the process; Python would print its words."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("bridge").critical("the process ends with a fault", exc_info=(kind, error, trace))


def quote_no_request(record: logging.LogRecord) -> bool:
    """Log only the kind of error for a request that is not HTTP: aiohttp quotes the line, which may hold a token.

    It is no error of ours: scanners send such things, and clients leave. One that is too long may be a carrier's.
    """
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError | RequestPayloadError | ConnectionError):
        return True
    record.exc_info = None
    left = isinstance(error, ConnectionError)
    record.msg, record.args = "a client left" if left else "a request that cannot be read", ()
    record.reason = type(error).__name__
    if isinstance(error, LineTooLong):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.remedy = "shorten the URL, or let the carrier ask by POST"
    elif record.levelno > logging.INFO:
        record.levelno, record.levelname = logging.INFO, "INFO"
    return logging.getLogger(record.name).isEnabledFor(record.levelno)


class Throttle(logging.Filter):
    """Lets a few lines of a kind through in a minute, and then says how many it has left out.

    A kind is a message with its reason. What is told of a call that is known is let through, unless it is a warning.
    """

    def __init__(self, lines: int = 10, seconds: float = 60.0) -> None:
        super().__init__()
        self._lines = lines
        self._seconds = seconds
        self._kinds: dict[tuple[str, str, str], tuple[float, int]] = {}
        """When the present minute of each began, and its lines since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is let through. The time is the record's own."""
        if record.name not in _OPEN_TO_STRANGERS or (hasattr(record, "call_id") and record.levelno < logging.WARNING):
            return True
        kind = (record.name, str(record.msg), str(getattr(record, "reason", "")))
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = self._make_room(kind, record.created)
        began, lines = self._kinds.get(kind, (record.created, 0))
        if not 0 <= record.created - began < self._seconds:
            if lines > self._lines:
                record.left_out = lines - self._lines
            began, lines = record.created, 0
        self._kinds[kind] = (began, lines + 1)
        return lines < self._lines

    def _make_room(self, kind: tuple[str, str, str], now: float) -> tuple[str, str, str]:
        """The kind, or one for all of its logger if there are too many: a stranger may have words in the reason."""
        recent = {other: seen for other, seen in self._kinds.items() if 0 <= now - seen[0] < self._seconds}
        self._kinds = recent
        return kind if len(recent) < _MOST_KINDS else (kind[0], "", "")


_OPEN_TO_STRANGERS = frozenset(
    ("aiohttp.server", "bridge.connections", "bridge.media", "bridge.readers", "bridge.requests", "twiml.web")
)
"""The loggers of what anyone can ask for."""

_MOST_KINDS = 100


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
