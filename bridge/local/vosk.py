"""A server that speaks the Vosk server's protocol, with the local engine's recognizer: one channel on a socket.

It answers every binary message with one text, and the end with the last: a final where the speaker pauses, or in long
silence, else what it believes by now. What the recognizer settles in mid-speech is no final, since one of Vosk's takes
all that was heard by then. What it heard is remembered for tests.

Source: https://github.com/alphacep/vosk-server, `websocket/asr_server.py`
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio import server as websocket
from websockets.exceptions import ConnectionClosed

from bridge.audio import SAMPLE_RATE, pcm_to_mulaw, resample, samples
from bridge.local.recognition import Listening, Recognizer, RecognizerFactory
from bridge.recognition import Result, Word
from bridge.vosk.messages import END

log = logging.getLogger("bridge.local")

_PAUSE = 0.5
"""Seconds of silence that end an utterance, as in the rules that Kaldi comes with."""


class Listener:
    """One socket's recognizer, and its answers: a machine."""

    def __init__(self, recognizers: RecognizerFactory) -> None:
        self.audio = bytearray()
        """All that came, as mu-law."""
        self._recognizer: Recognizer = recognizers(0, Listening(_PAUSE))
        self._rate = SAMPLE_RATE
        self._words = True
        self._settled: list[Word] = []  # since the last final
        self._open: Sequence[Word] = ()  # what may still change
        self._until = 0  # sample up to which all is settled; what is being said began after it
        self._speaks = False  # something is being said

    def configure(self, text: str) -> None:
        """A text with `config` in it. Raises ValueError, KeyError or TypeError for one that is none."""
        wanted = dict(json.loads(text)["config"])
        self._rate = int(wanted.get("sample_rate", self._rate))
        self._words = bool(wanted.get("words", self._words))

    def hear(self, pcm: bytes) -> str:
        """The answer to some audio."""
        mulaw = pcm_to_mulaw(resample(pcm, self._rate, SAMPLE_RATE))
        self.audio += mulaw
        ends = False
        for item in self._recognizer.receive_audio(mulaw):
            if isinstance(item, Result):
                ends = self._take(item)
            else:
                self._speaks = True
        if ends or self._has_paused():
            return self._final()
        return json.dumps({"partial": _text([*self._settled, *self._open])})

    def end(self) -> str:
        """The answer to the end."""
        for item in self._recognizer.flush():
            if isinstance(item, Result):
                self._take(item)
        return self._final()

    def _take(self, result: Result) -> bool:
        """Whether all that was said by now is settled, and a pause follows."""
        if not result.is_final:
            self._open = result.words
            return False
        self._settled += result.words
        self._open, self._until, self._speaks = (), result.span.end, False
        return result.ends_turn or not self._settled

    def _has_paused(self) -> bool:
        """Whether nothing was said since speech that was settled at a breath."""
        quiet = len(self.audio) - self._until
        return bool(self._settled) and not self._speaks and not self._open and quiet >= samples(_PAUSE)

    def _final(self) -> str:
        words, self._settled, self._open = self._settled, [], ()
        told: dict[str, Any] = {"text": _text(words)}
        if words and self._words:
            told["result"] = [
                {
                    "word": word.word,
                    "start": word.span.start / SAMPLE_RATE,
                    "end": word.span.end / SAMPLE_RATE,
                    "conf": word.confidence,
                }
                for word in words
            ]
        return json.dumps(told)


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.word for word in words)


@dataclass(slots=True)
class VoskFaults:
    """What goes wrong with the next sockets."""

    first: int = 0
    """How many of them."""
    drop_after: float = 0.0
    """Seconds of audio after which they are cut."""


@dataclass
class LocalVosk:
    """`async with LocalVosk(recognizers) as server:` listens at `server.url` until it is left."""

    recognizers: RecognizerFactory
    host: str = "127.0.0.1"
    port: int = 0
    """0: any that is free."""
    faults: VoskFaults = field(default_factory=VoskFaults)
    listeners: list[Listener] = field(default_factory=list)
    """Of the sockets so far, if `remember`."""
    remember: bool = True
    _server: websocket.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens: `ws://host:port`."""
        return f"ws://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await websocket.serve(self._listen, self.host, self.port, compression=None)
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        log.info("listening", extra={"url": self.url})
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def _listen(self, socket: websocket.ServerConnection) -> None:
        listener = Listener(self.recognizers)
        drop_after = self.faults.drop_after if self.faults.first > 0 else None
        self.faults.first -= drop_after is not None
        if self.remember:
            self.listeners.append(listener)
        try:
            async for message in socket:
                if isinstance(message, bytes):
                    await socket.send(await self._work(listener.hear, message))
                    if drop_after is not None and len(listener.audio) >= drop_after * SAMPLE_RATE:
                        socket.transport.abort()
                elif message == END:
                    await socket.send(await self._work(listener.end))
                    return
                elif "config" in message:
                    listener.configure(message)
        except ConnectionClosed:
            pass  # the client has gone, and hears no answer
        except (ValueError, KeyError, TypeError):
            log.warning("a configuration that cannot be read")

    async def _work(self, work: Callable[..., str], *arguments: bytes) -> str:
        """In a thread, unless the recognizer is quick: the next message is read when it is done."""
        if getattr(self.recognizers, "in_thread", True):
            return await asyncio.to_thread(work, *arguments)
        return work(*arguments)


async def serve(
    recognizers: RecognizerFactory, *, host: str, port: int, ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve until cancelled; `ready` is told the URL."""
    async with LocalVosk(recognizers, host, port, remember=False) as server:
        ready(server.url)
        await asyncio.Event().wait()
