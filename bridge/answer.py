"""An HTTP/1 answer, read only as far as it matters: its status counts as soon as its first line is there.

    STATUS    the status line; interim answers (1xx) are passed over
    HEADERS   whatever they say and however badly they say it; what matters to us is looked for
    LENGTH    a body of a known length; CHUNK, CHUNK_DATA, TRAILERS: a chunked one
    CLOSE     a body up to the close of the connection; also any that is framed oddly, or longer than is worth reading
    END       the whole answer was plain and is read, so that the connection can take the next request

A library's parser refuses a whole answer for one bad line, and an event that the receiver has taken would go out again
and again. Here an odd line costs no more than the connection. Octets are an argument; there is no socket here.
"""

import re
from enum import Enum, auto

from bridge.errors import RemoteProtocolError

MAX_LINE = 8_192
"""Octets of a status line, or of the size of a chunk."""
MAX_HEAD = 262_144
"""Octets of a head; the status of a longer one counts, too."""
MAX_BODY = 65_536
"""Octets of a body that are read to keep the connection."""

_STATUS_LINE = re.compile(rb"HTTP/(\d(?:\.\d)?)[ \t]+([1-9]\d\d)(?:[ \t].*)?", re.DOTALL)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")


class State(Enum):
    """What is read next; see above."""

    STATUS = auto()
    HEADERS = auto()
    LENGTH = auto()
    CHUNK = auto()
    CHUNK_DATA = auto()
    TRAILERS = auto()
    CLOSE = auto()
    END = auto()


class AnswerReader:
    """One answer. Feed it octets; ask for the status, `has_head`, `ended`."""

    def __init__(self) -> None:
        self.state = State.STATUS
        self.status: int | None = None
        self.has_head = False
        """Whether the head has been read, as far as it is going to be."""
        self._fields: dict[str, list[str]] = {}
        self._buffer = bytearray()
        self._left = 0  # octets of the body, of this chunk, or of the head
        self._body = 0
        self._plain = True

    def __repr__(self) -> str:
        return f"<AnswerReader {self.state.name} status={self.status}>"

    @property
    def ended(self) -> bool:
        """Whether the connection can take another request."""
        return self.state is State.END and not self._buffer

    @property
    def hopeless(self) -> bool:
        """Whether the connection cannot be kept, and enough of the body has been read."""
        return self._body > MAX_BODY or (self.state is State.END and bool(self._buffer))

    def field(self, name: str) -> str | None:
        """A header's value, the first if there are several; `name` in small letters."""
        return self._fields.get(name, [None])[0]

    def receive(self, data: bytes) -> None:
        """Read on. Raises RemoteProtocolError for what does not begin with a status line."""
        self._buffer += data
        while self._step():
            pass

    def receive_eof(self) -> None:
        """The other side has closed: a head that was cut off has to do."""
        if self.status is not None:
            self.has_head = True

    def _step(self) -> bool:
        """Whether there may be more to read."""
        match self.state:
            case State.STATUS:
                return self._read_status()
            case State.HEADERS:
                return self._read_header()
            case State.CHUNK:
                return self._read_chunk_size()
            case State.TRAILERS:
                return self._read_trailer()
            case State.LENGTH | State.CHUNK_DATA:
                return self._skip_counted()
            case State.CLOSE:
                self._body += len(self._buffer)
                self._buffer.clear()
                return False
            case State.END:
                return False

    def _line(self) -> bytes | None:
        """The next line, without its end, which may be a bare LF."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    def _read_status(self) -> bool:
        line = self._line()
        if line is None:
            if len(self._buffer) > MAX_LINE:
                raise RemoteProtocolError("no status line")
            return False
        if not line:
            return True  # some servers end the body before with a line too many
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise RemoteProtocolError("no status line")
        status = int(found[2])
        self._fields.clear()
        self._left = MAX_HEAD
        self.state = State.HEADERS
        if status == 101 or status >= 200:
            self.status = status
        self._plain = found[1] == b"1.1"
        return True

    def _read_header(self) -> bool:
        before = len(self._buffer)
        line = self._line()
        self._left -= before - len(self._buffer)
        if self._left < 0 or (line is None and before > self._left):
            return self._until_close()
        if line is None:
            return False
        if not line:
            return self._begin_body()
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or name != name.strip():
            self._plain = False
        self._fields.setdefault(name.strip().decode("latin-1").lower(), []).append(value.strip().decode("latin-1"))
        return True

    def _begin_body(self) -> bool:
        if self.status is None:  # 100 or 103: the answer is still to come
            self.state = State.STATUS
            return True
        self.has_head = True
        lengths, coding = self._fields.get("content-length", []), self._fields.get("transfer-encoding", [])
        closes = "close" in ",".join(self._fields.get("connection", [])).lower()
        length = lengths[0] if len(set(lengths)) == 1 else ""
        if not self._plain or closes:
            return self._until_close()
        if self.status in (204, 304):
            return self._finish() if not coding and set(lengths) <= {"0"} else self._until_close()
        if coding:
            if lengths or [one.lower() for one in coding] != ["chunked"]:
                return self._until_close()
            self.state = State.CHUNK
        elif length.isascii() and length.isdigit() and len(length) <= 6 and int(length) <= MAX_BODY:
            self._left = int(length)
            self.state = State.LENGTH
        else:
            return self._until_close()
        return True

    def _read_chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return self._until_close() if len(self._buffer) > MAX_LINE else False
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            return self._until_close()
        size = int(found[1], 16)
        self._left = size + 2  # with the line end behind it
        self.state = State.CHUNK_DATA if size else State.TRAILERS
        return self._until_close() if self._body + size > MAX_BODY else True

    def _read_trailer(self) -> bool:
        line = self._line()
        if line is None:
            return self._until_close() if len(self._buffer) > MAX_LINE else False
        return True if line else self._finish()

    def _skip_counted(self) -> bool:
        skipped = min(self._left, len(self._buffer))
        del self._buffer[:skipped]
        self._left -= skipped
        self._body += skipped
        if self._left:
            return False
        if self.state is State.LENGTH:
            return self._finish()
        self.state = State.CHUNK
        return True

    def _until_close(self) -> bool:
        self.has_head = True
        self.state = State.CLOSE
        return True

    def _finish(self) -> bool:
        self.state = State.END
        return False
