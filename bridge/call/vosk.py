"""A call's audio and a Vosk server: how a live call speaks with it, and how kept audio is transcribed after the call.

Kept audio goes the way of live audio, as fast as the server takes it.
"""

import asyncio
import logging
from collections.abc import Callable
from random import Random

from bridge.audio import SAMPLES_PER_MS, TELEPHONE, AudioFormat
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.client import Client, FetchAudio
from bridge.deepgram.exchange import Finished, Interrupted, SessionEvent, SessionPolicy
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Refusal
from bridge.deepgram.mono import MonoClients
from bridge.deepgram.origins import Origin, Origins
from bridge.deepgram.session import Session
from bridge.recognition import Result
from bridge.vosk.messages import NAME, Vosk

log = logging.getLogger("bridge.call")

_LEAST_PATIENCE = 30.0  # seconds
_SLOWEST = 4.0  # times real time that a server may take for both channels
_CHUNK = 200 * SAMPLES_PER_MS  # positions
_UNPACED = 1e9  # times real time


async def transcribe(
    origin: Origin,
    request: str,
    audio: bytes,
    *,
    call_id: str,
    format: AudioFormat = TELEPHONE,
    patience: float | None = None,
) -> Transcribed | Refusal:
    """What was said in `audio`: of this format, whole samples. `request`: path and query of the server's URL.

    `patience`: seconds to wait in all; by default what the audio's length makes sensible. A server that cannot be
    reached, hangs up, or does not answer to all of it is a refusal without a status, which may heal.
    """
    seconds = len(audio) / format.octets
    patience = patience or _LEAST_PATIENCE + _SLOWEST * seconds
    hearing = _Hearing(origin, request, call_id, format, seconds, patience)
    try:
        async with asyncio.timeout(patience):
            return await hearing.run(audio)
    except TimeoutError:
        hearing.clients.abort()
        return Refusal(None, f"no answer within {patience:g} seconds", None)


class _Hearing:
    """One recording."""

    def __init__(
        self, origin: Origin, request: str, call_id: str, format_: AudioFormat, seconds: float, patience: float
    ) -> None:
        self._chunk = _CHUNK * format_.block
        self._results: list[Result] = []
        self._trouble: str | None = None
        self._finished = Finished()

        def open_(format_: AudioFormat, on_event: Callable[[SessionEvent], None], fetch: FetchAudio | None) -> Client:
            policy = SessionPolicy(
                format=format_, window=seconds + 1, speed=_UNPACED, burst=seconds + 1, deaf=patience, flush=patience
            )
            return Client(
                Session(policy, Random(), dialect=Vosk(format_)),
                origins=Origins([origin]),
                request=request,
                call_id=call_id,
                on_event=on_event,
                fetch=fetch,
            )

        self.clients = MonoClients(format_, open_, self._receive)

    async def run(self, audio: bytes) -> Transcribed | Refusal:
        """Ask, and wait for the answer."""
        self.clients.start()
        for start in range(0, len(audio), self._chunk):
            self.clients.receive_audio(audio[start : start + self._chunk])
        self.clients.finish()
        await self.clients.wait_ended()
        if self._trouble or self._finished.uncovered:
            return Refusal(None, self._trouble or "not all of it was answered", None)
        results = sorted(self._results, key=lambda final: (final.span.start, final.channel))
        skipped = self.clients.session.journal.counts["deepgram_bad_words"]
        return Transcribed(tuple(results), None, skipped, Model(NAME, ""))

    def _receive(self, event: SessionEvent) -> None:
        match event:
            case Result(is_final=True) if event.text:
                self._results.append(event)
            case Interrupted():  # who asked tries again, when the time has come
                self._trouble = event.reason
                asyncio.get_running_loop().call_soon(self.clients.abort)
            case Finished():
                self._finished = event
