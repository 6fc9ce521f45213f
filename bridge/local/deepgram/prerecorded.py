"""The shell of a pre-recorded request: reads the body, lets the recognizers work where they belong, answers once.

What request and answer mean is `batch`'s business, who may ask the server's.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar

import aiohttp
from aiohttp import web

from bridge.audio import SAMPLE_RATE
from bridge.egress import DIRECT, Route
from bridge.events import timestamp
from bridge.local.deepgram import batch
from bridge.local.deepgram.faults import Faults
from bridge.local.deepgram.fetching import fetch, guard_for
from bridge.local.deepgram.messages import Writer
from bridge.local.deepgram.request import Refusal
from bridge.local.recognition import RecognizerFactory, abilities

P = ParamSpec("P")
T = TypeVar("T")


class Posted:
    """What tests may know of a pre-recorded request, refused or not. Times are the event loop's, in seconds."""

    def __init__(
        self, index: int, request_id: str, query: tuple[tuple[str, str], ...], headers: Mapping[str, str]
    ) -> None:
        self.index = index
        self.request_id = request_id
        self.query = query
        self.headers = headers
        """Its names in any case."""
        self.request: batch.BatchRequest | None = None
        self.refusal: Refusal | None = None
        self.body = b""
        """As it came; empty where the request was refused before it was read."""
        self.answer: dict[str, Any] | None = None
        """Of a 200."""
        self.ended = asyncio.Event()
        """Answered, refused, or given up."""

    def __repr__(self) -> str:
        outcome = self.refusal or ("answered" if self.answer else "not answered")
        return f"<Posted {self.index} {len(self.body)} octets, {outcome}>"


class Prerecorded:
    """Transcribes bodies, one request at a time for each `transcribe`, any number at once."""

    def __init__(
        self,
        recognizers: RecognizerFactory,
        executor: Executor | None,
        most: int,
        route: Callable[[str], Route] = lambda _: DIRECT,
    ) -> None:
        """`executor`: where recognizers work; None: right here, because they are quick. `most`: octets of a body.
        `route`: how a recording's address is reached.
        """
        self._recognizers, self._executor, self._most, self._route = recognizers, executor, most, route

    async def transcribe(self, posted: Posted, request: web.Request, faults: Faults) -> dict[str, Any] | Refusal | None:
        """The answer to an accepted request; None: the client is gone."""
        assert posted.request is not None
        created = timestamp(time.time())
        body = await self._read(request)
        if not isinstance(body, bytes):
            return body
        posted.body = body
        if request.content_type == "application/json":
            url = batch.read_json(body)
            fetched = url if isinstance(url, Refusal) else await self._fetch(url, request)
            if isinstance(fetched, Refusal):
                return fetched
            body = fetched
        decoded = await self._work(batch.decode, posted.request.listen, body)
        if isinstance(decoded, Refusal):
            return decoded
        listen, channels = decoded
        duration = len(channels[0]) / SAMPLE_RATE
        await _misbehave(request, faults, duration)
        asked = batch.BatchRequest(listen, posted.request.utterances, posted.request.utt_split)
        hearing = await self._work(batch.Hearing, asked, channels, self._recognizers)
        while request.transport is not None and await self._work(hearing.hear):
            pass
        if request.transport is None:
            return None
        return await self._work(
            batch.answer,
            asked,
            Writer(listen, posted.request_id),
            hearing.finals,
            abilities=abilities(self._recognizers),
            sha256=hashlib.sha256(body).hexdigest(),
            created=created,
            duration=duration,
        )

    async def _fetch(self, url: str, request: web.Request) -> bytes | Refusal:
        return await fetch(url, self._most, route=self._route, guard=guard_for(request.remote))

    async def _read(self, request: web.Request) -> bytes | Refusal | None:
        if (request.content_length or 0) > self._most:
            return batch.TOO_LARGE
        body = bytearray()
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > self._most:
                    return batch.TOO_LARGE
        except web.RequestPayloadError:
            return batch.CORRUPT  # its encoding is not what its headers say
        except (ConnectionError, aiohttp.ClientError):
            return None  # what was uploaded so far is of no use
        return bytes(body)

    async def _work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._executor is None:
            await asyncio.sleep(0)  # the live connections have their turn
            return function(*args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **kwargs))


async def _misbehave(request: web.Request, faults: Faults, duration: float) -> None:
    """The faults that so many seconds of audio bring about."""
    if faults.drop_after is not None and duration >= faults.drop_after and request.transport:
        request.transport.abort()
    if faults.stop_answering_after is not None and duration >= faults.stop_answering_after:
        await asyncio.Event().wait()  # until the server stops
    await asyncio.sleep(faults.delay)
