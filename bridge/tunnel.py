"""A tunnel through an HTTP proxy (CONNECT): what to send it, and what its answer means. A machine without a socket."""

from bridge.answer import AnswerReader
from bridge.egress import Proxy
from bridge.errors import RemoteProtocolError
from bridge.failure import Failure


class Tunnel:
    """One try. Send `request`, then feed `receive` until `is_open`, or `failure` says why not."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        where = f"{f'[{host}]' if ':' in host else host}:{port}"
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        self.request = "\r\n".join([*lines, "", ""]).encode()
        self.is_open = False
        self.failure: Failure | None = None
        self._reader = AnswerReader()

    def receive(self, data: bytes) -> None:
        """What the proxy sends; nothing when it has closed. It sends no more than its answer before we do."""
        try:
            self._reader.receive(data)
        except RemoteProtocolError:
            self.failure = Failure("proxy", "protocol")
            return
        if not data:
            self._reader.receive_eof()
        status = self._reader.status
        if status is not None and not 200 <= status < 300:
            self.failure = Failure("proxy", f"status {status}")
        elif not data:
            self.failure = Failure("proxy", "reset")
        else:
            self.is_open = self._reader.has_head

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to receive."""
        return self.is_open or self.failure is not None
