"""Deepgram's live messages (`/v1/listen`): their JSON in, our values out; and the few texts we send.

Times are seconds of *this socket's* audio; the session turns them into seconds of the call. Unknown types and unknown
fields are tolerated: Deepgram adds some every few months.
Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from bridge.errors import RemoteProtocolError

KEEP_ALIVE = '{"type":"KeepAlive"}'
"""As text: a binary one would be heard as audio."""
CLOSE_STREAM = '{"type":"CloseStream"}'


_LARGEST = 1e9  # seconds


@dataclass(frozen=True, slots=True)
class ResultWord:
    """One word of a result."""

    word: str
    """Bare: lower case, no punctuation."""
    text: str
    """`punctuated_word`: as it stands in the sentence; bare where Deepgram was not asked to write sentences."""
    start: float
    """Seconds of the socket's audio."""
    end: float
    """Likewise; never before `start`."""
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Results:
    """What Deepgram believes about one stretch of one channel.

    Source: https://developers.deepgram.com/docs/understand-endpointing-interim-results
    """

    channel: int
    """From 0: its place in the interleaved audio."""
    start: float
    """Seconds of the socket's audio."""
    end: float
    """`start` plus `duration`."""
    text: str
    """Of the best alternative; empty for silence."""
    confidence: float
    """In the text, 0 to 1; 0 for silence."""
    words: tuple[ResultWord, ...]
    is_final: bool
    """No later result covers this stretch; an interim may cover more than its final does."""
    speech_final: bool
    """A pause of `endpointing` milliseconds follows. Finals up to one of these are an utterance."""
    from_finalize: bool
    """The answer to a Finalize."""
    language: str | None
    """The one that was heard most; Deepgram says it with `language=multi` only."""


@dataclass(frozen=True, slots=True)
class UtteranceEnd:
    """No word for `utterance_end_ms` after a finalised one.

    Source: https://developers.deepgram.com/docs/utterance-end
    """

    channel: int
    last_word_end: float
    """Seconds of the socket's audio; -1: nothing new has ended."""


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """The voice activity detector heard somebody begin; comes with `vad_events=true`.

    Source: https://developers.deepgram.com/docs/speech-started
    """

    channel: int
    at: float
    """Seconds of the socket's audio; no word need start there."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The last message, after CloseStream."""


@dataclass(frozen=True, slots=True)
class DeepgramError:
    """Deepgram did not like a text of ours; the socket stays open. Both texts can be logged."""

    code: str
    """`code`, or `variant` where there is none."""
    description: str


@dataclass(frozen=True, slots=True)
class Other:
    """A type we have no use for, or do not know."""


Message = Results | UtteranceEnd | SpeechStart | Metadata | DeepgramError | Other


def parse(text: str) -> Message:
    """One text frame of Deepgram.

    Raises RemoteProtocolError for what is not JSON or lacks what its type must have: count it and go on.
    """
    try:
        return _message(json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"not a Deepgram message: {type(error).__name__}") from None


def _message(frame: dict[str, Any]) -> Message:
    match frame["type"]:
        case "Results":
            return _results(frame)
        case "UtteranceEnd":
            return UtteranceEnd(_channel(frame["channel"]), _number(frame["last_word_end"]))
        case "SpeechStarted":
            return SpeechStart(_channel(frame["channel"]), _number(frame["timestamp"]))
        case "Metadata":
            return Metadata()
        case "Error":
            code = frame.get("code") or frame.get("variant") or "Error"
            # `message` is left out: it echoes what we sent.
            return DeepgramError(_printable(code)[:80], _printable(frame.get("description"))[:200])
        case str():
            return Other()
        case _:
            raise RemoteProtocolError("type is not a string")


def _channel(index: list[int]) -> int:
    """`[channel, of how many]`: the same array is called `channel` in some types and `channel_index` in Results."""
    channel = index[0]
    if not isinstance(channel, int) or channel < 0:
        raise RemoteProtocolError("channel is not a number")
    return channel


def _number(value: float | str) -> float:
    """Python's JSON knows NaN, Infinity and numbers without end; a moment of a call is none of them."""
    number = float(value)
    if not abs(number) <= _LARGEST:
        raise RemoteProtocolError("a number is out of range")
    return number


def clean(value: object) -> str:
    """Text that can be written: half a surrogate pair, which JSON may spell out, cannot."""
    return str(value or "").encode("utf-8", "replace").decode()


def _printable(value: object) -> str:
    """Text for one line of a log."""
    return "".join(character if character.isprintable() else " " for character in str(value or ""))


def _results(frame: dict[str, Any]) -> Results:
    start = _number(frame["start"])
    end = start + max(0.0, _number(frame["duration"]))
    alternatives = frame["channel"]["alternatives"]
    best = alternatives[0] if alternatives else {}
    languages = best.get("languages")
    return Results(
        channel=_channel(frame["channel_index"]),
        start=start,
        end=end,
        text=clean(best.get("transcript")),
        confidence=_number(best.get("confidence") or 0.0),
        words=tuple(_word(word) for word in best.get("words") or ()),
        is_final=bool(frame.get("is_final")),
        speech_final=bool(frame.get("speech_final")),
        from_finalize=bool(frame.get("from_finalize")),
        language=clean(languages[0]) if languages else None,
    )


def _word(word: dict[str, Any]) -> ResultWord:
    start = _number(word["start"])
    bare = clean(word["word"])
    return ResultWord(
        word=bare,
        text=clean(word.get("punctuated_word")) or bare,
        start=start,
        end=max(start, _number(word["end"])),  # -1 has been seen on the live service
        confidence=_number(word.get("confidence") or 0.0),
    )


class Blame(Enum):
    """Where a refusal comes from, which is what decides whether trying again can help."""

    PASSING = auto()
    """Too many at once (429), their fault (5xx), or nobody there: heals by itself."""
    ACCOUNT = auto()
    """A bad key, no credit, no permission (401, 402, 403), or an address where another front door answers, with a
    redirect or a page (below 400): heals when somebody has mended it."""
    REQUEST = auto()
    """A bad option (400 and the rest): this request will never work."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Deepgram did not take the connection."""

    status: int | None
    """HTTP status; None when there was no answer."""
    reason: str
    """Deepgram's code and sentence; without an answer, what the network said."""
    request_id: str | None
    """As in Metadata; None where nothing of Deepgram's answered."""

    @property
    def blame(self) -> Blame:
        """What would have to change before it can work."""
        if self.status is None or self.status in (408, 429) or self.status >= 500:
            return Blame.PASSING
        return Blame.ACCOUNT if self.status < 400 or self.status in (401, 402, 403) else Blame.REQUEST


def parse_refusal(status: int, headers: dict[str, str], body: bytes) -> Refusal:
    """The reason from the JSON body, in both of its known schemas, or from the `dg-error` header.

    `headers` has lower-case names. Never raises: a proxy in between may answer anything.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    code = answer.get("err_code") or answer.get("error_code") or answer.get("category")
    said = answer.get("err_msg") or answer.get("message") or headers.get("dg-error")
    reason = ": ".join(str(part) for part in (code, said) if part) or f"HTTP {status}"
    request_id = answer.get("request_id") or headers.get("dg-request-id")
    return Refusal(status, reason[:300], str(request_id)[:80] if request_id else None)
