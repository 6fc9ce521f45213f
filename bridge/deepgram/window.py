"""The audio of a call that Deepgram has not settled yet, held so that it can be sent again.

Positions are samples of the call, per channel. Only so much is held in memory: when the bound is reached, or it is kept
elsewhere, the oldest falls off, `start` moves past it, and it must be fetched from where it is kept to be had again.
This remembers audio and what has been handed out; when to send is the session's affair.
"""

from collections import deque

from bridge.audio import TELEPHONE


class AudioWindow:
    """A sliding stretch of interleaved audio, in the chunks it came in."""

    def __init__(self, limit: int, start: int = 0, block: int = TELEPHONE.block) -> None:
        """`limit`: samples held at most. `start`: position of the first sample that will come. `block`: octets of one
        sample of all channels."""
        self.limit = limit
        self._block = block
        self.start = start
        """Position of the oldest sample held."""
        self.end = start
        """Position after the newest."""
        self.sent = start
        """Position after the last sample handed out."""
        self._chunks: deque[bytes] = deque()
        self._unsent = 0  # how many chunks at the right end have not been handed out
        self._fetched: deque[bytes] = deque()  # older than `start`, to be handed out first

    def __repr__(self) -> str:
        return f"<AudioWindow {self.start}..{self.end} sent {self.sent} chunks {len(self._chunks)}>"

    @property
    def waiting(self) -> int:
        """Samples that have not been handed out."""
        return self.end - self.sent

    @property
    def missing(self) -> int:
        """Samples that must be fetched before the next one can be handed out."""
        return 0 if self._fetched else max(0, self.start - self.sent)

    def append(self, chunk: bytes) -> None:
        """Hold one more chunk of whole samples."""
        self._chunks.append(chunk)
        self._unsent += 1
        self.end += len(chunk) // self._block
        if self.end - self.start > self.limit:
            self._bound()

    def pass_on(self, chunk: bytes) -> None:
        """Hold one more chunk, which is handed out by that: there is none before it that was not."""
        self._chunks.append(chunk)
        self.end = self.sent = self.end + len(chunk) // self._block
        if self.end - self.start > self.limit:
            self._bound()

    def next_size(self) -> int:
        """Samples in the chunk that `next_chunk` would hand out; 0 if there is none in memory."""
        if self._fetched:
            return len(self._fetched[0]) // self._block
        if self.sent < self.start or not self._unsent:
            return 0
        return len(self._chunks[-self._unsent]) // self._block

    def next_chunk(self) -> bytes:
        """The oldest chunk not handed out yet."""
        if self._fetched:
            chunk = self._fetched.popleft()
        else:
            chunk = self._chunks[-self._unsent]
            self._unsent -= 1
        self.sent += len(chunk) // self._block
        return chunk

    def tail(self, samples: int) -> bytes:
        """The newest audio held, so many samples of it or a chunk more."""
        found: list[bytes] = []
        for chunk in reversed(self._chunks):
            if samples <= 0:
                break
            found.append(chunk)
            samples -= len(chunk) // self._block
        return b"".join(reversed(found))

    def refill(self, audio: bytes, chunk: int) -> None:
        """Fetched audio that begins at `sent`; handed out in chunks of `chunk` samples."""
        size = chunk * self._block
        audio = audio[: max(0, self.start - self.sent) * self._block]
        self._fetched.extend(audio[at : at + size] for at in range(0, len(audio), size))

    def skip(self, position: int) -> None:
        """Give up on what must be fetched before `position`."""
        self.sent = min(max(self.sent, position), self.start)

    def trim(self, position: int) -> None:
        """Let go of the chunks that end at or before `position` and have been handed out."""
        while len(self._chunks) > self._unsent and self.start + len(self._chunks[0]) // self._block <= position:
            self._drop()

    def spare(self, position: int) -> bytes:
        """Hold no chunk any more that ends at or before `position`, handed out or not; returns what falls off."""
        fallen: list[bytes] = []
        chunks, start = self._chunks, self.start
        while chunks and (end := start + len(chunks[0]) // self._block) <= position:
            fallen.append(chunks.popleft())
            start = end
        self.start = start
        self._unsent = min(self._unsent, len(chunks))
        return b"".join(fallen)

    def rewind(self, position: int) -> int:
        """Hand out again from `position`, or from the start of the chunk that holds it; where that is."""
        self.trim(position)
        self._fetched.clear()
        self._unsent = len(self._chunks)
        self.sent = min(position, self.start)
        return self.sent

    def _bound(self) -> None:
        while self.end - self.start > self.limit and len(self._chunks) > 1:
            self._drop()

    def _drop(self) -> None:
        self.start += len(self._chunks.popleft()) // self._block
        self._unsent = min(self._unsent, len(self._chunks))
