"""WebSockets octet by octet, where a test cuts or reads them itself."""

from websockets.frames import Frame
from websockets.streams import StreamReader


def upgrade(path):
    """The request for a socket."""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode()


def parsed(data, mask):
    """The frame that these octets are. `mask`: it must be masked, as a client's is."""
    reader = StreamReader()
    reader.feed_data(data)
    steps = Frame.parse(reader.read_exact, mask=mask)
    try:
        next(steps)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("the frame is not complete")
