"""A pre-recorded request, `POST /v1/listen`: what is asked, its body as channels, and the answer's JSON.

Pure. Where it is asked for the same as a live request, `request` reads it. Of the answer there are metadata, channels
and utterances, not what a language model would add.
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

from msgspec import structs

from bridge.audio import SAMPLE_RATE
from bridge.errors import ConfigError
from bridge.local.deepgram import asking, finds
from bridge.local.deepgram.containers import TooLong, decode_file, missing
from bridge.local.deepgram.decoder import SampleDecoder, Undecodable, mixed
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
from bridge.local.features import Rendering
from bridge.local.recognition import Abilities, Heard, Listening, RecognizerFactory, result
from bridge.local.wav import parse_wav
from bridge.recognition import Alternative, Result, Word
from bridge.spans import Span
from bridge.writing import joined

UTT_SPLIT = 0.8
"""Seconds between two words that part two utterances, unless the request says otherwise."""
LONGEST = 12 * 3600 * SAMPLE_RATE
"""Samples of a recording; ours, Deepgram takes what it works through in ten minutes."""
STRETCH = 10 * SAMPLE_RATE
"""Octets of each channel that are heard at a time: between two stretches others have their turn."""

CORRUPT = Refusal(400, "Bad Request", "Bad Request: failed to process audio: corrupt or unsupported data")
NO_JSON = Refusal(400, "Bad Request", "Content-type was application/json, but we could not process the JSON payload.")
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
    # Recordings have more diarizers; whichever it is, the words are told apart.
    named = [("diarize", "true") if key == "diarize_model" else (key, value) for key, value in pairs]
    listen = parse_request((key, value) for key, value in named if key not in _LIVE_ONLY)
    return listen if isinstance(listen, Refusal) else BatchRequest(listen, utterances, utt_split)


def _read_split(value: str | None) -> float:
    try:
        seconds = UTT_SPLIT if value is None else float(value)
    except ValueError:
        raise undeserializable(f"utt_split: invalid float literal: `{value}`") from None
    if not isfinite(seconds) or seconds < 0:
        raise Refused("Bad Request: utt_split must be a positive number of seconds.")
    return seconds


def read_json(body: bytes) -> str | Refusal:
    """The URL that a body of `application/json` names."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return NO_JSON
    url = message.get("url") if isinstance(message, dict) else None
    return url if isinstance(url, str) else NO_JSON


def decode(request: ListenRequest, body: bytes) -> tuple[ListenRequest, Sequence[bytes]] | Refusal:
    """The request as the body's header completes it, and the channels, each as mu-law at 8 kHz."""
    if request.is_pcm:
        channels: Sequence[bytes] = SampleDecoder(request).feed(body)
    else:
        found = _unpacked(request, body)
        if isinstance(found, Refusal):
            return found
        channels = found
        request = replace(request, encoding="mulaw", sample_rate=SAMPLE_RATE, channels=len(channels))
    if not channels or not channels[0]:
        return CORRUPT
    return request, channels


def _unpacked(request: ListenRequest, body: bytes) -> Sequence[bytes] | Refusal:
    """The channels of a file; mixed into one unless they are to be heard apart."""
    try:
        if not (lacking := missing(request)):
            return decode_file(request, body, LONGEST)
        if body[:4] != b"RIFF":
            return lacking
        # A WAV file needs no library.
        channels = parse_wav(body) if _is_sane(body) else ()
        return channels if request.multichannel else [mixed(channels)]
    except (ConfigError, Undecodable):
        return CORRUPT
    except TooLong:
        return TOO_LARGE


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
        self.finals: list[list[Result]] = [[] for _ in range(request.listen.heard_channels)]
        """What has been heard so far, by channel."""
        listening = Listening(request.utt_split, interim_results=False, alternatives=request.listen.alternatives)
        self._channels = channels
        self._recognizers = [recognizers(channel, listening) for channel in range(len(self.finals))]
        self._at = 0

    def hear(self) -> bool:
        """The next stretch of every channel; False: that was the last."""
        until = self._at + STRETCH
        ended = not self.finals or until >= len(self._channels[0])
        for finals, recognizer, channel in zip(self.finals, self._recognizers, self._channels, strict=False):
            finals += _finals(recognizer.receive_audio(channel[self._at : until]))
            if ended:
                finals += _finals(recognizer.flush())
        self._at = until
        return not ended


def _finals(heard: Iterable[Heard]) -> Iterator[Result]:
    return (item for item in heard if isinstance(item, Result) and item.is_final)


def whole(channel: int, finals: Sequence[Result]) -> Result:
    """All of a channel's finals as one. Where one of them has a further alternative, all have one together."""
    words = [word for final in finals for word in final.words]
    span = Span(0, finals[-1].span.end if finals else 0)
    others = []
    for place in range(max((len(final.alternatives) for final in finals), default=0)):
        chosen = [final.alternatives[place] if place < len(final.alternatives) else None for final in finals]
        text = joined(other.text if other else final.text for other, final in zip(chosen, finals, strict=True))
        likely = [other.confidence for other in chosen if other]
        others.append(Alternative(text, sum(likely) / len(likely)))
    return structs.replace(result(channel, span, words, is_final=True), alternatives=tuple(others))


def answer(
    request: BatchRequest,
    writer: Writer,
    heard: Sequence[Sequence[Result]],
    *,
    abilities: Abilities,
    sha256: str,
    created: str,
    duration: float,
) -> dict[str, Any]:
    """The body of a 200. `heard`: the finals by channel; `created` as in the events, `duration` in seconds."""
    listen, features = request.listen, asking.features(request.listen)
    rendered = [
        Rendering(features, punctuated=listen.punctuated).render(whole(channel, finals))
        for channel, finals in enumerate(heard)
    ]
    results: dict[str, Any] = {"channels": [_channel(listen, writer, channel) for channel in rendered]}
    if request.utterances:
        results["utterances"] = [
            _utterance(listen, channel.channel, utterance, writer)
            for channel in rendered
            for utterance in split(channel.words, request.utt_split)
        ]
    about = writer.about(sha256=sha256, created=created, duration=duration if heard else 0.0, channels=len(heard))
    if found := asking.pretences(listen, abilities):
        about["warnings"] = [
            {"parameter": parameter, "type": asking.CODE.lower(), "message": message} for parameter, message in found
        ]
    return {"metadata": about, "results": results}


def _channel(request: ListenRequest, writer: Writer, heard: Result) -> dict[str, Any]:
    channel = writer.channel(heard)
    if request.detect_entities:
        # Of a recording they stand beside the words, of a live connection beside the channel.
        channel["alternatives"][0]["entities"] = finds.entities(heard)
    return channel


def split(words: Sequence[Word], pause: float) -> list[list[Word]]:
    """One channel's words as utterances: a new one begins where nothing was said for longer than `pause` seconds, and
    with another speaker.
    """
    utterances = [[words[0]]] if words else []
    for before, word in pairwise(words):
        if word.span.start - before.span.end > pause * SAMPLE_RATE or word.speaker != before.speaker:
            utterances.append([])
        utterances[-1].append(word)
    return utterances


def _utterance(request: ListenRequest, channel: int, words: Sequence[Word], writer: Writer) -> dict[str, Any]:
    speaker = {"speaker": words[0].speaker or 0} if request.diarize else {}
    return {
        "start": round(words[0].span.start / SAMPLE_RATE, 6),
        "end": round(words[-1].span.end / SAMPLE_RATE, 6),
        "channel": channel,
        **writer.alternative(words),
        **speaker,
        "id": str(uuid.uuid4()),
    }
