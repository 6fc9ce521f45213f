"""How a session speaks with a recognizer: what it sends beside audio, and what it reads.

The session decides what is sent when, again and in which order; a dialect says it in a recognizer's own words. One
object serves one session, over all its sockets, and may remember what the socket has been sent, for recognizers whose
answers do not tell what they answer. Positions are samples of the socket's audio.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bridge.deepgram.extras import Model, read_model
from bridge.deepgram.messages import CLOSE_STREAM, KEEP_ALIVE, Message, finalize, parse


class Reading(NamedTuple):
    """What a frame says, in order, and what of it could not be read."""

    messages: Sequence[Message]
    bad_words: int = 0
    """Words with something odd; their result has been read all the same."""
    bad_fields: int = 0
    """Other fields that were odd, and that it could do without."""


class Dialect(Protocol):
    """Of one session."""

    keep_alive: str | None
    """Keeps a socket open that is sent no audio; None: nothing is needed, or nothing helps."""
    closing: str
    """Says that no more audio comes, and asks for the last results."""

    def opened(self) -> Sequence[str]:
        """Another socket is open: what it is sent before any audio."""

    def encode(self, chunk: bytes) -> bytes:
        """The session's audio as it is sent; called for every chunk, in order, and for nothing else."""

    def finalize(self, channel: int) -> str | None:
        """Asks for the final of what one channel has said so far; None: there is no way to."""

    def settle(self, channel: int) -> str | None:
        """As `finalize`, where a person asks for it: it may end the turn. None: there is no way to."""

    def read(self, frame: str | bytes) -> Reading:
        """One frame. Raises RemoteProtocolError for what cannot be understood."""

    def closed(self, code: int | None) -> Sequence[Message]:
        """The socket is gone after `closing`: what is known by that. `code`: its close code, if it had one."""

    def model(self, frame: str | bytes) -> Model | None:
        """Which model a frame with a result comes from."""


class Listen:
    """Deepgram's `/v1/listen`: any channels on one socket, and a last message before it closes."""

    keep_alive: str | None = KEEP_ALIVE
    closing = CLOSE_STREAM

    def opened(self) -> Sequence[str]:
        """Nothing: the query has said it all."""
        return ()

    def encode(self, chunk: bytes) -> bytes:
        """As it is."""
        return chunk

    def finalize(self, channel: int) -> str | None:
        """No answer is guaranteed."""
        return finalize(channel)

    def settle(self, channel: int) -> str | None:
        """As `finalize`."""
        return finalize(channel)

    def read(self, frame: str | bytes) -> Reading:
        """As `messages.parse`."""
        message, bad_words, bad_fields = parse(frame)
        return Reading((message,), bad_words, bad_fields)

    def closed(self, code: int | None) -> Sequence[Message]:
        """Nothing: without Deepgram's last message something is missing."""
        return ()

    def model(self, frame: str | bytes) -> Model | None:
        """Every result tells it."""
        metadata = json.loads(frame).get("metadata")
        return read_model(metadata.get("model_info") if isinstance(metadata, dict) else None)
