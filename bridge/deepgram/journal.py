"""What a session's sockets were, and what they said that could not be read: for the record and Deepgram's support."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.deepgram.dialect import Dialect, Listen
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Message
from bridge.errors import RemoteProtocolError
from bridge.recognition import Result


@dataclass(slots=True)
class Request:
    """One socket that was open."""

    request_id: str | None
    start: int
    """Where in the call it began, in samples."""
    model: Model | None = None
    """As its first result tells it."""
    is_known: bool = False
    """Its first result was here."""
    origin: str | None = None
    """The name of the one that it was at."""


class Journal:
    """Reads what the sockets of a session say, and keeps account of it."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        """`dialect`: by default Deepgram's `/v1/listen`."""
        self._dialect = dialect or Listen()
        self.requests: list[Request] = []
        self.messages = 0
        """That could be read."""
        self.bad_messages = 0
        """Of which anything but words could not be read."""
        self.bad_words = 0

    def __repr__(self) -> str:
        return f"<Journal sockets {len(self.requests)} messages {self.messages} bad {self.bad_messages}>"

    @property
    def counts(self) -> dict[str, int]:
        """As `call.ended` names them."""
        bad = {"deepgram_bad_messages": self.bad_messages, "deepgram_bad_words": self.bad_words}
        return {"deepgram_sockets": len(self.requests), **bad}

    def connected(self, request_id: str | None, start: int, origin: str | None = None) -> None:
        """Another socket is open, and is sent the call from `start` on."""
        self.requests.append(Request(request_id, start, origin=origin))

    def read(self, text: str | bytes) -> Sequence[Message]:
        """What one frame says; nothing where it cannot be read."""
        try:
            messages, bad_words, bad_fields = self._dialect.read(text)
        except RemoteProtocolError:
            self.bad_messages += 1
            return ()
        self.messages += 1
        self.bad_words += bad_words
        self.bad_messages += bad_fields > 0
        if self.requests and not self.requests[-1].is_known and any(type(said) is Result for said in messages):
            self.requests[-1].is_known = True
            self.requests[-1].model = self._dialect.model(text)
        return messages
