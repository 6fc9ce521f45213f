"""A pre-recorded request, `POST /v1/listen`: what is asked, its body as channels, and the answer's JSON.

Pure. Where it is asked for the same as a live request, `request` reads it. Bodies are raw audio or WAV files, never
URLs, and of the answer there are metadata, channels and utterances, not what a language model would add.
Source: https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded
"""

import json
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite
from typing import Any

from bridge.audio import SAMPLE_RATE
from bridge.errors import ConfigError
from bridge.local.deepgram.decoder import Decoder
from bridge.local.deepgram.messages import Writer
from bridge.local.deepgram.request import (
    MAX_CHANNELS,
    SAMPLE_RATES,
    ListenRequest,
    Refusal,
    Refused,
    last,
    parse_request,
    read_boolean,
    read_values,
    undeserializable,
)
from bridge.local.recognition import Heard, Listening, RecognizerFactory
from bridge.local.wav import parse_wav
from bridge.recognition import Result, Word

UTT_SPLIT = 0.8
"""Seconds between two words that part two utterances, unless the request says otherwise."""
STRETCH = 10 * SAMPLE_RATE
"""Octets of each channel that are heard at a time: between two stretches others have their turn."""

CORRUPT = Refusal(400, "Bad Request", "Bad Request: failed to process audio: corrupt or unsupported data")
NO_JSON = Refusal(400, "Bad Request", "Content-type was application/json, but we could not process the JSON payload.")
NO_URLS = Refusal(400, "REMOTE_CONTENT_ERROR", "This local server hears what is in the body; it fetches no URLs.")
TOO_LARGE = Refusal(413, "PAYLOAD_TOO_LARGE", "The body is larger than this local server takes.")

_LIVE_ONLY = frozenset(("interim_results", "endpointing", "utterance_end_ms", "vad_events", "no_delay"))
_DIARIZERS = ("latest", "v1", "v2")


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """The parameters that matter here."""

    listen: ListenRequest
    utterances: bool
    utt_split: float
    """Seconds."""


def parse_batch_request(query: Iterable[tuple[str, str]]) -> BatchRequest | Refusal:
    """Read the query, decoded but otherwise as it came; what is for live audio only is ignored."""
    pairs = tuple(query)
    values = read_values(pairs)
    try:
        utterances, utt_split = read_boolean(values, "utterances"), _read_split(last(values, "utt_split"))
    except Refused as refused:
        return refused.refusal
    diarizer = last(values, "diarize_model")
    if diarizer not in (None, *_DIARIZERS):
        return Refusal(400, "Bad Request", f"Bad Request: diarize_model must be one of {', '.join(_DIARIZERS)}.")
    listen = parse_request((key, value) for key, value in pairs if key not in _LIVE_ONLY | {"diarize_model"})
    return listen if isinstance(listen, Refusal) else BatchRequest(listen, utterances, utt_split)


def _read_split(value: str | None) -> float:
    try:
        seconds = UTT_SPLIT if value is None else float(value)
    except ValueError:
        raise undeserializable(f"utt_split: invalid float literal: `{value}`") from None
    if not isfinite(seconds) or seconds < 0:
        raise Refused("Bad Request: utt_split must be a positive number of seconds.")
    return seconds


def read_json(body: bytes) -> Refusal:
    """Why a body of `application/json`, which names a URL, is not transcribed."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return NO_JSON
    return NO_URLS if isinstance(message, dict) and isinstance(message.get("url"), str) else NO_JSON


def decode(request: ListenRequest, body: bytes) -> tuple[ListenRequest, Sequence[bytes]] | Refusal:
    """The request as the body's header completes it, and the channels, each as mu-law at 8 kHz."""
    if request.encoding:
        channels: Sequence[bytes] = Decoder(request).feed(body)
    else:
        try:
            channels = parse_wav(body) if _is_sane(body) else ()
        except ConfigError:
            return CORRUPT
        request = replace(request, encoding="mulaw", sample_rate=SAMPLE_RATE, channels=len(channels))
    if not channels or not channels[0]:
        return CORRUPT
    return request, channels


def _is_sane(wav: bytes) -> bool:
    """Whether a WAV file claims a number of channels and a sample rate that are not out to make it enormous."""
    at = wav.find(b"fmt ", 12)
    if at < 0 or len(wav) < at + 16:
        return False
    channels, rate = struct.unpack_from("<HI", wav, at + 10)
    return bool(1 <= channels <= MAX_CHANNELS and SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1])


class Hearing:
    """The channels of one recording on their way through their recognizers."""

    def __init__(self, request: BatchRequest, channels: Sequence[bytes], recognizers: RecognizerFactory) -> None:
        """`request`, with `channels`, is as `decode` left it."""
        self.words: list[list[Word]] = [[] for _ in range(request.listen.heard_channels)]
        """What has been heard so far, by channel."""
        listening = Listening(request.utt_split, interim_results=False)
        self._channels = channels
        self._recognizers = [recognizers(channel, listening) for channel in range(len(self.words))]
        self._at = 0

    def hear(self) -> bool:
        """The next stretch of every channel; False: that was the last."""
        until = self._at + STRETCH
        ended = not self.words or until >= len(self._channels[0])
        for words, recognizer, channel in zip(self.words, self._recognizers, self._channels, strict=False):
            words += _finals(recognizer.receive_audio(channel[self._at : until]))
            if ended:
                words += _finals(recognizer.flush())
        self._at = until
        return not ended


def _finals(heard: Iterable[Heard]) -> Iterator[Word]:
    for item in heard:
        if isinstance(item, Result) and item.is_final:
            yield from item.words


def answer(
    request: BatchRequest,
    writer: Writer,
    words: Sequence[Sequence[Word]],
    *,
    sha256: str,
    created: str,
    duration: float,
) -> dict[str, Any]:
    """The body of a 200. `words` by channel, `created` as in the events, `duration` in seconds."""
    alternatives = [writer.alternative(channel) for channel in words]
    if request.listen.detect_entities:
        alternatives = [{**alternative, "entities": []} for alternative in alternatives]
    results: dict[str, Any] = {"channels": [{"alternatives": [alternative]} for alternative in alternatives]}
    if request.utterances:
        results["utterances"] = [
            _utterance(index, utterance, writer)
            for index, channel in enumerate(words)
            for utterance in split(channel, request.utt_split)
        ]
    about = writer.about(sha256=sha256, created=created, duration=duration if words else 0.0, channels=len(words))
    return {"metadata": about, "results": results}


def split(words: Sequence[Word], pause: float) -> list[list[Word]]:
    """One channel's words as utterances: a new one begins where nothing was said for longer than `pause` seconds."""
    utterances = [[words[0]]] if words else []
    for before, word in pairwise(words):
        if word.span.start - before.span.end > pause * SAMPLE_RATE:
            utterances.append([])
        utterances[-1].append(word)
    return utterances


def _utterance(channel: int, words: Sequence[Word], writer: Writer) -> dict[str, Any]:
    return {
        "start": round(words[0].span.start / SAMPLE_RATE, 6),
        "end": round(words[-1].span.end / SAMPLE_RATE, 6),
        "channel": channel,
        **writer.alternative(words),
        "id": str(uuid.uuid4()),
    }
