"""Serves recordings: a call's audio as a WAV file that is made while it is sent, whole or any range of it.

Inbound is the left channel, outbound the right, call time 0 the first sample, and the length is the call's. `calls`
decides which call is served, to which client, and how long it is; one piece at a time is in memory.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from bridge.audio import CHANNELS, SAMPLE_RATE, WAVE_FORMAT_MULAW, WAVE_FORMAT_PCM, mulaw_to_pcm, wav_header
from bridge.contract.operation import Answer, Parameter
from bridge.errors import StoreError
from bridge.store.archive.base import Recorded
from bridge.web.http import refusal
from bridge.web.ranges import Range, parse_range

log = logging.getLogger("bridge.recordings")

_PIECE = 32 * 1024  # samples per channel: 64 kB of mu-law
_LONGEST = 36 * 3600 * SAMPLE_RATE  # a WAV header counts octets in 32 bits: PCM of 37 hours


_WAV = {"audio/wav": {"type": "string", "contentMediaType": "audio/wav"}}
_ETAG = {"ETag": "Of the recording as it is."}
HEADERS = (
    Parameter("Range", "One range of octets; others are not taken, and all is sent.", {"type": "string"}, "header"),
    Parameter("If-Range", "The `ETag` that the range is of.", {"type": "string"}, "header"),
    Parameter("If-Match", "The `ETag` that is wanted.", {"type": "string"}, "header"),
    Parameter("If-None-Match", "The `ETag` of what the client has.", {"type": "string"}, "header"),
)
"""What a client may ask with."""
ANSWERS = {
    200: Answer("The recording: inbound left, outbound right, 8 kHz.", _WAV, _ETAG),
    206: Answer("The range that was asked for.", _WAV, {**_ETAG, "Content-Range": "Which octets, of how many."}),
    304: Answer("The client has it.", headers=_ETAG),
}
REFUSES = {
    412: "The recording is not what `If-Match` names.",
    416: "There is no such range; `Content-Range` says how many octets there are.",
}


class WavPiece(NamedTuple):
    """Read `samples` from `start` on, encode them, and send these `octets` of the result."""

    start: int
    samples: int
    octets: slice


@dataclass(frozen=True, slots=True)
class WavFile:
    """A WAV file of `samples` per channel: a header, then pieces of a recording."""

    samples: int
    pcm: bool = False
    """16-bit PCM, not mu-law."""

    @property
    def header(self) -> bytes:
        return wav_header(self.samples * self._block, encoding=WAVE_FORMAT_PCM if self.pcm else WAVE_FORMAT_MULAW)

    @property
    def size(self) -> int:
        """Octets."""
        return len(self.header) + self.samples * self._block

    def pieces(self, start: int, stop: int) -> Iterator[WavPiece]:
        """The pieces to read for the octets `start` to `stop`, counted after the header."""
        while start < stop:
            first = start // self._block
            end = min(stop, (first + _PIECE) * self._block)
            last = -(-end // self._block)
            yield WavPiece(first, last - first, slice(start - first * self._block, end - first * self._block))
            start = end

    def encode(self, mulaw: bytes) -> bytes:
        """Interleaved mu-law, in the encoding of this file."""
        return mulaw_to_pcm(mulaw) if self.pcm else mulaw

    @property
    def _block(self) -> int:
        """Octets of one sample of all channels."""
        return CHANNELS * (2 if self.pcm else 1)


async def respond(
    request: web.Request, recording: Recorded, duration: float, *, pcm: bool = False
) -> web.StreamResponse:
    """Answer a GET or HEAD with the WAV of a call of `duration` seconds: mu-law, or 16-bit PCM.

    Longer audio is cut, shorter is filled with silence. A single range, `If-Range`, `If-Match` and `If-None-Match`
    follow RFC 9110. If the recording cannot be read, because it was deleted meanwhile for example, the connection is
    cut: the client sees that the file is not complete.
    """
    wav = WavFile(min(max(0, round(duration * SAMPLE_RATE)), _LONGEST), pcm)
    tag = f"{recording.version}-{wav.samples}-{'pcm' if pcm else 'ulaw'}"
    status, span = _decide(request, wav.size, tag)
    if status in REFUSES:
        return _refused(status, wav.size)
    response = web.StreamResponse(status=status)
    response.etag = tag
    response.headers["Accept-Ranges"] = "bytes"
    # A cache must ask again before using its copy: the recording may be deleted by then, or access withdrawn.
    response.headers["Cache-Control"] = "private, no-cache"
    if status != 304:
        response.content_length = span.stop - span.start
    if status == 206:
        response.headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{wav.size}"
    if status in (200, 206):
        response.content_type = "audio/wav"
        response.headers["Content-Disposition"] = f'attachment; filename="{recording.call_id}.wav"'
    try:
        await response.prepare(request)
        if request.method == "GET" and span.stop:
            await _send(response, recording, wav, span)
    except ConnectionError:
        pass  # the client has left
    except StoreError as error:
        log.warning("download cut off", extra={"call_id": recording.call_id, "reason": str(error)})
        if request.transport:
            request.transport.abort()
    return response


def _refused(status: int, size: int) -> web.Response:
    if status == 412:
        return refusal(412, "The recording has changed.")
    return refusal(416, "The recording has no such range.", {"Content-Range": f"bytes */{size}"})


def _decide(request: web.Request, size: int, tag: str) -> tuple[int, Range]:
    """The status, and which octets to send. The order of the checks is that of RFC 9110, section 13.2.2."""
    if request.if_match is not None and not any(
        each.value in (tag, "*") and not each.is_weak for each in request.if_match
    ):
        return 412, Range(0, 0)
    if request.if_none_match is not None and any(each.value in (tag, "*") for each in request.if_none_match):
        return 304, Range(0, 0)
    # A date in `If-Range` never matches: there is no Last-Modified that it could have come from.
    same = request.headers.get("If-Range", f'"{tag}"') == f'"{tag}"'
    if request.method != "GET" or not same:
        return 200, Range(0, size)
    span = parse_range(request.headers.get("Range"), size)
    if span is None:
        return 200, Range(0, size)
    return (206, span) if span.stop else (416, span)


async def _send(response: web.StreamResponse, recording: Recorded, wav: WavFile, span: Range) -> None:
    header = wav.header
    if span.start < len(header):
        await response.write(header[span.start : span.stop])
    for piece in wav.pieces(max(0, span.start - len(header)), span.stop - len(header)):
        audio = await recording.read(piece.start, piece.samples)
        await response.write(wav.encode(audio)[piece.octets])
