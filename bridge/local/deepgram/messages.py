"""The JSON of `/v1/listen` as the server sees it: what clients send, read, and what it sends, written.

Pure. Field names and wordings are Deepgram's: clients take them apart, the error sentences included.
Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.audio import SAMPLE_RATE
from bridge.local.deepgram import asking, finds
from bridge.local.deepgram.request import (
    MAX_KEYTERM_TOKENS,
    ListenRequest,
    Refusal,
    is_nova_3,
    keyterm_tokens,
)
from bridge.recognition import Result, SpeechStart, Word
from bridge.writing import joined

CLIENT_TYPES = ("CloseStream", "Configure", "Sync", "KeepAlive", "Finalize")
CONFIGURE_FIELDS = ("features", "processors", "keyterms", "language_hints")

NET_0000 = "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000"
NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
DATA_0000 = "Deepgram could not decode the received bytes as audio (DATA-0000). See https://dpgr.am/data0000"
"""The wording is ours, in the style of the others: no public log has the real one."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Keeps the socket open. Also stands for the undocumented `Sync`, which has no known effect."""


@dataclass(frozen=True, slots=True)
class Finalize:
    """Settle what you have heard."""

    channel: int | None
    """None: every channel."""


@dataclass(frozen=True, slots=True)
class CloseStream:
    """No more audio will come."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Change the parameters on the way."""

    keyterms: tuple[str, ...] | None
    """None: as they are."""
    numerals: bool | None = None
    """None: as it is."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that is none of the above."""

    description: str


ClientMessage = KeepAlive | Finalize | CloseStream | Configure | Unreadable


def read_text(text: str) -> ClientMessage:
    """Read one text message; the complaints are worded as Deepgram's JSON library words them."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number may be too long for Python, and good JSON
        line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (1, 1)
        return Unreadable(f"expected value at line {line} column {column}")
    end = f"at line {text.count(chr(10)) + 1} column {len(text) - text.rfind(chr(10)) - 1}"
    if not isinstance(message, dict):
        return Unreadable(f"invalid type: expected a message with a `type` {end}")
    if "type" not in message:
        return Unreadable(f"missing field `type` {end}")
    match message.pop("type"):
        case "KeepAlive" | "Sync":
            return KeepAlive()
        case "CloseStream":
            return CloseStream()
        case "Finalize":
            return _read_finalize(message, end)
        case "Configure":
            return _read_configure(message, end)
        case other:
            return Unreadable(f"unknown variant `{other}`, expected one of {_names(CLIENT_TYPES)} {end}")


def _read_finalize(message: Mapping[str, Any], end: str) -> ClientMessage:
    channel = message.get("channel")
    if channel is not None and (not isinstance(channel, int) or isinstance(channel, bool) or channel < 0):
        return Unreadable(f"invalid type: expected a channel number {end}")
    return Finalize(channel)


def _read_configure(message: Mapping[str, Any], end: str) -> ClientMessage:
    for name in message:
        if name not in CONFIGURE_FIELDS:
            return Unreadable(f"unknown field `{name}`, expected one of {_names(CONFIGURE_FIELDS)} {end}")
    features = message.get("features") or {}
    numerals = features.get("numerals") if isinstance(features, dict) else features
    if numerals is not None and not isinstance(numerals, bool):
        return Unreadable(f"invalid type: expected a boolean for `numerals` {end}")
    keyterms = message.get("keyterms")
    if keyterms is None:
        return Configure(None, numerals)
    if not isinstance(keyterms, list) or not all(isinstance(term, str) for term in keyterms):
        return Unreadable(f"invalid type: expected a list of strings for `keyterms` {end}")
    return Configure(tuple(keyterms), numerals)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def is_configurable(request: ListenRequest, configure: Configure) -> bool:
    """Whether a `Configure` has an effect; if not, its answer says why."""
    return configure.keyterms is None or (
        is_nova_3(request.model) and keyterm_tokens(configure.keyterms) <= MAX_KEYTERM_TOKENS
    )


def configure_answer(request: ListenRequest, request_id: str, configure: Configure) -> str:
    """`ConfigureSuccess` or `ConfigureFailure`: exactly one of the two answers each `Configure`."""
    if configure.keyterms is None:
        return json.dumps({"type": "ConfigureSuccess", "request_id": request_id})
    if not is_nova_3(request.model):
        code, description = "NOT_SUPPORTED", "Keyterms can only be changed with Nova-3 models."
    elif keyterm_tokens(configure.keyterms) > MAX_KEYTERM_TOKENS:
        code = "LIMIT_EXCEEDED"
        description = f"The maximum number of tokens across all keyterms is {MAX_KEYTERM_TOKENS}."
    else:
        return json.dumps({"type": "ConfigureSuccess", "request_id": request_id, "keyterms": configure.keyterms})
    prefix = "CONFIGURE_KEYTERMS_" if code == "NOT_SUPPORTED" else "CONFIGURE_KEYTERM_"
    return json.dumps(
        {
            "type": "ConfigureFailure",
            "request_id": request_id,
            "code": prefix + code,
            "description": description,
        }
    )


def schema_error(text: str, description: str) -> str:
    """`Error`: a text message that cannot be read; the socket stays open."""
    return json.dumps(
        {
            "type": "Error",
            "variant": "SchemaError",
            "description": f"Could not deserialize last text message: {description}",
            "message": text,
        }
    )


def refusal_body(refusal: Refusal, request_id: str) -> dict[str, str]:
    """The body of a refused handshake."""
    return {"err_code": refusal.code, "err_msg": refusal.message, "request_id": request_id}


def pretended(request_id: str, pretences: Sequence[asking.Pretence]) -> str:
    """`Warning`: what of the request is only pretended. Of the shape that it has elsewhere in Deepgram's API, in the
    messages of `/v2/listen`.
    """
    description = asking.warning(list(pretences))
    return json.dumps({"type": "Warning", "request_id": request_id, "code": asking.CODE, "description": description})


class Writer:
    """Writes the messages of one connection; what is the same in all of them is put together once."""

    def __init__(self, request: ListenRequest, request_id: str) -> None:
        self._request = request
        self._channels = request.heard_channels
        self._multilingual = request.language == "multi"
        self._request_id = request_id
        arch = "-".join(request.model.split("-")[:2]) if "-" in request.model else request.model
        self._model_info = {"name": request.model, "version": "local", "arch": arch}
        self._model_uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{request.model}.local"))
        self._metadata: dict[str, Any] = {
            "request_id": request_id,
            "model_info": self._model_info,
            "model_uuid": self._model_uuid,
        }
        if request.extra:
            self._metadata["extra"] = dict(request.extra)
        if request.diarize:
            self._metadata["diarize_info"] = finds.DIARIZER
        self._terms = asking.features(request).search

    def results(self, heard: Result, *, from_finalize: bool = False) -> str:
        """`Results`, of a result as it was rendered. Every optional flag is sent, as the Rust SDK insists on them."""
        message: dict[str, Any] = {
            "type": "Results",
            "channel_index": [heard.channel, self._channels],
            "duration": _seconds(heard.span.length),
            "start": _seconds(heard.span.start),
            "is_final": heard.is_final,
            "speech_final": heard.ends_turn,
            "channel": self.channel(heard),
            "metadata": self._metadata,
            "from_finalize": from_finalize,
        }
        if self._request.detect_entities and heard.is_final:
            message["entities"] = finds.entities(heard)
        return json.dumps(message)

    def channel(self, heard: Result) -> dict[str, Any]:
        """What is believed of one channel: the transcripts, and the hits of a search."""
        channel: dict[str, Any] = {"alternatives": [self.alternative(heard.words), *finds.others(heard)]}
        if self._terms:
            channel["search"] = finds.search(heard, self._terms)
        return channel

    def alternative(self, words: Sequence[Word]) -> dict[str, Any]:
        """What is believed to have been said: text, confidence, words."""
        alternative: dict[str, Any] = {
            "transcript": joined(word.text if self._request.punctuated else word.word for word in words),
            "confidence": round(sum(word.confidence for word in words) / (len(words) or 1), 6),
            "words": [self._word(word) for word in words],
        }
        if self._multilingual:
            counted = Counter(word.language or _ENGLISH for word in words)
            alternative["languages"] = [language for language, _ in counted.most_common()]
            if is_nova_3(self._request.model):
                alternative["languages_hinted"] = list(self._request.language_hints)
        return alternative

    def _word(self, heard: Word) -> dict[str, Any]:
        word: dict[str, Any] = {
            "word": heard.word,
            "start": _seconds(heard.span.start),
            "end": _seconds(heard.span.end),
            "confidence": round(heard.confidence, 6),
        }
        if self._request.punctuated:
            word["punctuated_word"] = heard.text
        if self._multilingual:
            word["language"] = heard.language or _ENGLISH
        if self._request.diarize:
            word["speaker"] = heard.speaker or 0
        return word

    def speech_started(self, heard: SpeechStart) -> str:
        channel = [heard.channel, self._channels]
        return json.dumps({"type": "SpeechStarted", "channel": channel, "timestamp": _seconds(heard.at)})

    def utterance_end(self, channel: int, last_word_end: int) -> str:
        """`UtteranceEnd`, whose `channel` is a list where that of `Results` is an object."""
        return json.dumps(
            {
                "type": "UtteranceEnd",
                "channel": [channel, self._channels],
                "last_word_end": _seconds(last_word_end),
            }
        )

    def about(self, *, sha256: str, created: str, duration: float, channels: int) -> dict[str, Any]:
        """What is said of all the audio; `model_info` is keyed by the model's uuid where that of `Results` is not."""
        about: dict[str, Any] = {
            "transaction_key": "deprecated",
            "request_id": self._request_id,
            "sha256": sha256,
            "created": created,
            "duration": round(duration, 6),
            "channels": channels,
            "models": [self._model_uuid],
            "model_info": {self._model_uuid: self._model_info},
        }
        if self._request.extra:
            about["extra"] = dict(self._request.extra)
        if self._request.diarize:
            about["diarize_info"] = finds.DIARIZER
        return about

    def metadata(self, *, sha256: str, created: str, duration: float, channels: int) -> str:
        """`Metadata`."""
        about = self.about(sha256=sha256, created=created, duration=duration, channels=channels)
        return json.dumps({"type": "Metadata", **about})


_ENGLISH = "en"  # where no one tells another language

ODD_WORD = "odd"
"""The word that a fault puts into finals."""


def _seconds(samples: int) -> float:
    """As Deepgram writes them, of single precision."""
    return round(samples / SAMPLE_RATE, 6)


def with_odd_word(text: str) -> str:
    """A `Results` with one word more, of which it does not say when it was spoken; one that says nothing stays so."""
    message = json.loads(text)
    for alternative in message["channel"]["alternatives"]:
        if alternative["words"]:
            alternative["transcript"] += f" {ODD_WORD}"
            alternative["words"].append({"word": ODD_WORD, "start": None, "confidence": 0.5})
    return json.dumps(message)
