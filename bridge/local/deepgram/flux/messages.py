"""The JSON of `/v2/listen` as the server sees it: what clients send, read, and what it sends, written.

Pure. Source: https://developers.deepgram.com/reference/speech-to-text/listen-flux, docs/flux/configure and
docs/flux/force-end-turn. Two codes of `ConfigureFailure` are ours: the pages name only `INVALID_THRESHOLD`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.audio import SAMPLE_RATE
from bridge.local.deepgram.flux.request import FluxRequest, Thresholds, hints_complaint, keyterms_complaint
from bridge.local.deepgram.flux.turns import TurnInfo, transcript
from bridge.recognition import Word

UNPARSABLE = "UNPARSABLE_CLIENT_MESSAGE"
_NO_FORMAT = "Text message received from client did not match any of the formats we expect."


@dataclass(frozen=True, slots=True)
class CloseStream:
    """No more audio will come."""


@dataclass(frozen=True, slots=True)
class ForceEndTurn:
    """End the turn now."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Change settings on the way; None: as it is."""

    thresholds: Mapping[str, Any]
    keyterms: tuple[str, ...] | None
    language_hints: tuple[str, ...] | None
    numerals: bool | None


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A text that is none of the above, which ends the stream: `KeepAlive` and `Finalize` are among them."""


ClientMessage = CloseStream | ForceEndTurn | Configure | Unparsable

_THRESHOLDS = {"eager_eot_threshold": (float, int), "eot_threshold": (float, int), "eot_timeout_ms": (int,)}


def read_text(text: str) -> ClientMessage:
    """Read one text message."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return Unparsable()
    match message:
        case {"type": "CloseStream"}:
            return CloseStream()
        case {"type": "ForceEndTurn"}:
            return ForceEndTurn()
        case {"type": "Configure"}:
            return _read_configure(message)
    return Unparsable()


def _read_configure(message: Mapping[str, Any]) -> ClientMessage:
    thresholds = message.get("thresholds") or {}
    keyterms, hints = message.get("keyterms"), message.get("language_hints")
    numerals = message.get("numerals")
    if not isinstance(thresholds, dict) or not all(
        value is None or (type(value) in _THRESHOLDS.get(name, ())) for name, value in thresholds.items()
    ):
        return Unparsable()
    if not _are_texts(keyterms) or not _are_texts(hints) or not isinstance(numerals, bool | None):
        return Unparsable()
    return Configure(
        {name: value for name, value in thresholds.items() if value is not None},
        None if keyterms is None else tuple(keyterms),
        None if hints is None else tuple(hints),
        numerals,
    )


def _are_texts(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, str) for item in value))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a `Configure` has no effect."""

    code: str
    description: str


def configured(request: FluxRequest, change: Configure) -> FluxRequest | Failure:
    """The request as it stands after a `Configure`, which takes effect as a whole or not at all."""
    given = change.thresholds
    thresholds = Thresholds(
        eager=given.get("eager_eot_threshold", request.thresholds.eager),
        eot=given.get("eot_threshold", request.thresholds.eot),
        timeout_ms=given.get("eot_timeout_ms", request.thresholds.timeout_ms),
    )
    if complaint := thresholds.complaint():
        return Failure("INVALID_THRESHOLD", complaint)
    if complaint := keyterms_complaint(change.keyterms or ()):
        return Failure("INVALID_KEYTERM", complaint)
    if complaint := hints_complaint(change.language_hints or (), multilingual=request.multilingual):
        return Failure("INVALID_LANGUAGE_HINT", complaint)
    return replace(
        request,
        thresholds=thresholds,
        keyterms=request.keyterms if change.keyterms is None else change.keyterms,
        language_hints=request.language_hints if change.language_hints is None else change.language_hints,
        numerals=request.numerals if change.numerals is None else change.numerals,
    )


class Writer:
    """Writes the messages of one connection, and numbers them."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._sequence = 0

    def connected(self) -> str:
        """`Connected`, the first."""
        return self._write("Connected", {"request_id": self._request_id})

    def turn_info(self, told: TurnInfo, request: FluxRequest) -> str:
        """`TurnInfo`."""
        body: dict[str, Any] = {
            "request_id": self._request_id,
            "event": told.event,
            "turn_index": told.index,
            "audio_window_start": _seconds(told.window.start),
            "audio_window_end": _seconds(told.window.end),
            "transcript": transcript(told.words),
            "words": [_word(word) for word in told.words],
            "end_of_turn_confidence": round(told.confidence, 4),
        }
        if told.trigger:
            body["trigger"] = told.trigger
        if request.multilingual:
            body |= {"languages": ["en"] if told.words else [], "languages_hinted": list(request.language_hints)}
        return self._write("TurnInfo", body)

    def configure_answer(self, outcome: FluxRequest | Failure) -> str:
        """`ConfigureSuccess`, with all that is in force now, or `ConfigureFailure`."""
        body: dict[str, Any] = {"request_id": self._request_id}
        if isinstance(outcome, Failure):
            return self._write("ConfigureFailure", {**body, "code": outcome.code, "description": outcome.description})
        thresholds = outcome.thresholds
        body["thresholds"] = {"eot_threshold": thresholds.eot, "eot_timeout_ms": thresholds.timeout_ms}
        if thresholds.eager is not None:
            body["thresholds"]["eager_eot_threshold"] = thresholds.eager
        body |= {"keyterms": list(outcome.keyterms), "numerals": outcome.numerals}
        if outcome.multilingual:
            body["language_hints"] = list(outcome.language_hints)
        return self._write("ConfigureSuccess", body)

    def unparsable(self) -> str:
        """`Error`, which is fatal: the text cannot be read."""
        return self._write("Error", {"code": UNPARSABLE, "description": _NO_FORMAT})

    def _write(self, kind: str, body: Mapping[str, Any]) -> str:
        text = json.dumps({"type": kind, **body, "sequence_id": self._sequence})
        self._sequence += 1
        return text


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "confidence": round(word.confidence, 4),
        "start": _seconds(word.span.start),
        "end": _seconds(word.span.end),
    }


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 6)
