"""The shell around Deepgram's pre-recorded API: one recording out, one transcript or one refusal back.

It neither tries again nor decides whether that is worth it: a refusal says if it may heal, the caller knows the rest.
What is sent and what the answer means is `batch`'s business.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
from yarl import URL

from bridge import __version__
from bridge.audio import TELEPHONE, AudioFormat
from bridge.deepgram import batch
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.messages import Refusal, parse_refusal
from bridge.deepgram.options import Options
from bridge.egress import DIRECT, Route
from bridge.errors import RemoteProtocolError
from bridge.failure import Failure, failure

log = logging.getLogger("bridge.deepgram")

_CONNECT_TIMEOUT = 10.0  # seconds for TCP and TLS
_LEAST_PATIENCE = 60.0
_UPLOAD_SPEED = 4.0  # times real time: half a megabit a second
_PROCESSING = 600.0  # seconds after which Deepgram itself gives up, with a 504
_LEAST_ANSWER = 2**20
_UPLOAD_CHUNK = 2**16
_LONGEST_LINE = 2**16  # octets of a header


def patience_for(seconds: float) -> float:
    """Seconds to wait in all for the transcript of so many seconds of audio: a slow upload, then a slow Deepgram."""
    return _LEAST_PATIENCE + seconds / _UPLOAD_SPEED + min(seconds, _PROCESSING)


def open_session(route: Route = DIRECT) -> aiohttp.ClientSession:
    """What `transcribe` asks with."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=route.tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=route.proxy_url,
        trust_env=False,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    )


async def transcribe(
    session: aiohttp.ClientSession,
    origin: str,
    key: str,
    options: Options,
    audio: bytes,
    *,
    call_id: str,
    format: AudioFormat = TELEPHONE,
    patience: float | None = None,
) -> Transcribed | Refusal:
    """What was said in `audio`: of this format, whole samples.

    `origin`: of the live API, `wss://…`. `key`: the API key. `options`: of the live request. `patience`: seconds to
    wait in all; by default what the audio's length makes sensible. A network that fails, an answer that does not come
    and one that is no transcript are refusals without a status, which may heal.
    """
    seconds = len(audio) / format.octets
    if patience is None:
        patience = patience_for(seconds)
    try:
        async with asyncio.timeout(patience):
            outcome = await _ask(session, batch.url(origin, options), key, format, audio)
    except aiohttp.ConnectionTimeoutError:
        outcome = Refusal(None, f"no connection within {_CONNECT_TIMEOUT:g} seconds", None)
    except TimeoutError:
        outcome = Refusal(None, f"no answer within {patience:g} seconds", None)
    except (OSError, aiohttp.ClientError, ValueError) as error:  # the last: a key that no header can hold
        outcome = Refusal(None, str(failure_of(error)), None)
    _tell(outcome, call_id, seconds)
    return outcome


async def _ask(
    session: aiohttp.ClientSession, url: str, key: str, format: AudioFormat, audio: bytes
) -> Transcribed | Refusal:
    header = format.wav_header(len(audio))
    async with session.post(
        URL(url, encoded=True),
        data=_upload(header, audio),
        headers={
            "Authorization": f"Token {key}",
            "Content-Type": batch.CONTENT_TYPE,
            "Content-Length": str(len(header) + len(audio)),
            "User-Agent": f"media-stream-bridge/{__version__}",
        },
        # The key must not follow a redirect to another server.
        allow_redirects=False,
        # How long all of it may take is `patience`, whatever the session's own timeout is.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT),
    ) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = await read_body(response, max(_LEAST_ANSWER, len(audio)))
        if response.status != 200:
            return parse_refusal(response.status, headers, answer, key)
    try:
        # The words of a long call take longer to read than a live call may be held up.
        return await asyncio.to_thread(batch.parse, answer, len(audio) / format.octets)
    except RemoteProtocolError as error:
        return Refusal(None, str(error), headers.get("dg-request-id"))


def failure_of(error: Exception) -> Failure:
    """What an exception of aiohttp's says, without its words, which may hold the URL, options and all."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return Failure("proxy", f"status {error.status}")
        case aiohttp.ClientProxyConnectionError():
            return failure(error.os_error, "proxy")
        case aiohttp.ClientConnectorCertificateError():
            return failure(error.certificate_error, "tls")
        case aiohttp.ClientConnectorError():
            return failure(error.os_error, "connect")
        case OSError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return failure(error, "reset")
        case _:
            return Failure("protocol")


async def _upload(header: bytes, audio: bytes) -> AsyncIterator[bytes]:
    """In pieces, so that copying a long call holds up nothing else."""
    yield header
    for at in range(0, len(audio), _UPLOAD_CHUNK):
        yield audio[at : at + _UPLOAD_CHUNK]


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, as far as `most` octets: more is no transcript, words are far shorter than their audio."""
    answer = bytearray()
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > most:
            response.close()
            break
    return bytes(answer)


def _tell(outcome: Transcribed | Refusal, call_id: str, seconds: float) -> None:
    about = {"call_id": call_id, "seconds": round(seconds, 3), "request_id": outcome.request_id}
    if isinstance(outcome, Transcribed):
        log.info("deepgram transcribed", extra={**about, "finals": len(outcome.results), "skipped": outcome.skipped})
    else:
        log.warning("deepgram refused", extra={**about, "status": outcome.status, "reason": outcome.reason})
