"""A server that answers every request with what it was sent: with its secrets, where the reader's libraries choke."""

import asyncio
import json


def verbatim(head):
    """No HTTP at all: a library's complaint may quote the line."""
    return head


def refusing(status):
    """A refusal that quotes the request in reason, headers, and a body of JSON."""

    def answer(head):
        line = _on_one_line(head)
        said = {"err_code": line, "err_msg": line, "message": line, "description": line, "code": line, "error": line}
        body = json.dumps({**said, "request_id": line}).encode()
        headers = {
            "dg-error": line,
            "dg-request-id": line,
            "Location": f"http://127.0.0.1:1/?{line}",
            "Retry-After": "1",
        }
        lines = [f"HTTP/1.1 {status} {line}", *(f"{name}: {value}" for name, value in headers.items())]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    return answer


def bad_headers(head):
    """An answer whose headers are no headers."""
    return b"HTTP/1.1 200 OK\r\n" + head.split(b"\r\n", 1)[-1].replace(b": ", b"\x00 ") + b"\r\n\r\n"


def bad_upgrade(head):
    """A 101 that proves nothing, with the request's own headers."""
    wanted = b"\r\n".join(line for line in head.split(b"\r\n")[1:] if line)
    return b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n" + wanted + b"\r\n\r\n"


def hanging_up(head):
    """Nothing."""
    return b""


def _on_one_line(head):
    return head.decode("latin-1").replace("\r\n", " ").strip()


class Parrot:
    """`async with Parrot(answer) as parrot:`; `answer` makes the octets to send of those of a request's head."""

    def __init__(self, answer):
        self.heads = []
        self._answer = answer
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            head = await reader.readexactly(1)
            # Of TLS, which begins so, the first record is as much as comes without an answer.
            head += await (reader.read(65536) if head == b"\x16" else reader.readuntil(b"\r\n\r\n"))
            self.heads.append(head)
            writer.write(self._answer(head))
            await writer.drain()
            writer.write_eof()
            while await reader.read(65536):
                pass  # an answer that comes while the body is on its way must not be cut off by a reset
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
