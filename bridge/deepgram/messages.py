"""Deepgram's live messages (`/v1/listen`): their JSON in, our values out; and the few texts we send.

Positions are samples of *this socket's* audio; the session moves them to their place in the call. Unknown types and
unknown fields are tolerated: Deepgram adds some every few months. Known fields are read one by one (`words`), so that
an odd one costs itself only.
Sources: https://developers.deepgram.com/reference/speech-to-text/listen-streaming and, on UtteranceEnd, SpeechStarted
and finals, https://developers.deepgram.com/docs/utterance-end, .../speech-started,
.../understand-endpointing-interim-results
"""

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, TypeVar

from bridge.audio import samples
from bridge.deepgram.extras import read_alternatives, read_entities, read_hits
from bridge.deepgram.usual import read_usual
from bridge.deepgram.words import Oddities, channel, clean, languages, moment, number, read_words, share
from bridge.errors import RemoteProtocolError
from bridge.failure import Failure
from bridge.recognition import Recognized, Result, SpeechStart, TurnEnd, Word
from bridge.spans import Span
from bridge.text import hide
from bridge.writing import joined

T = TypeVar("T")

TOO_LARGE = 413
"""Status of a request that would be taken if it were smaller."""

KEEP_ALIVE = '{"type":"KeepAlive"}'
"""As text: a binary one would be heard as audio."""
CLOSE_STREAM = '{"type":"CloseStream"}'


def finalize(channel: int) -> str:
    """Asks for the final of what one channel has said so far."""
    return f'{{"type":"Finalize","channel":{channel}}}'


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
class ConfigureAnswer:
    """Whether Deepgram has changed its options on the way; https://developers.deepgram.com/docs/configure"""

    request_id: str | None
    code: str | None = None
    """Why not; None: it has."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A type we have no use for, or do not know."""


Message = Recognized | Metadata | DeepgramError | ConfigureAnswer | Other


class Parsed(NamedTuple):
    """A message, and what of it could not be read."""

    message: Message
    bad_words: int = 0
    """Words with something odd; their result has been read all the same."""
    bad_fields: int = 0
    """Other fields that were odd, and that it could do without."""


def parse(text: str | bytes) -> Parsed:
    """One frame of Deepgram. JSON is taken from a binary frame too: what stands in it is a result all the same.

    Raises RemoteProtocolError for what is not JSON, or lacks what its type cannot be understood without: the channel,
    every trace of a place, or what was said. Count it and go on; the audio it was about stays uncovered.
    """
    usual = read_usual(text)
    return Parsed(usual) if usual else parse_odd(text)


def parse_odd(text: str | bytes) -> Parsed:
    """As `parse`, field by field."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not a Deepgram message: {type(error).__name__}") from None
    if not isinstance(frame, dict):
        raise RemoteProtocolError("not a JSON object")
    match frame.get("type"):
        case "Results":
            odd = Oddities()
            result = _result(frame, odd)
            return Parsed(result, odd.words, odd.fields)
        case "UtteranceEnd":
            # -1 says that this turn has been ended already.
            ended = _needed(number(frame.get("last_word_end")), "last_word_end")
            return Parsed(TurnEnd(_channel(frame, "channel"), samples(ended) if ended >= 0 else None))
        case "SpeechStarted":
            at = _needed(moment(frame.get("timestamp")), "timestamp")
            return Parsed(SpeechStart(_channel(frame, "channel"), samples(at)))
        case "Metadata":
            return Parsed(Metadata())
        case "Error":
            code = frame.get("code") or frame.get("variant") or "Error"
            # `message` is left out: it echoes what we sent.
            return Parsed(DeepgramError(_printable(code)[:80], _printable(frame.get("description"))[:200]))
        case "ConfigureSuccess":
            return Parsed(ConfigureAnswer(_request_id(frame)))
        case "ConfigureFailure":
            code, description = _printable(frame.get("code"))[:80], _printable(frame.get("description"))[:200]
            return Parsed(ConfigureAnswer(_request_id(frame), code or "ConfigureFailure", description))
        case str():
            return Parsed(Other())
        case _:
            raise RemoteProtocolError("type is not a string")


def _result(frame: dict[str, Any], odd: Oddities) -> Result:
    alternatives = _alternatives(frame)
    silent, best = not alternatives, alternatives[0] if alternatives else {}
    confidence = share(best.get("confidence"))
    odd.fields += confidence is None and best.get("confidence") is not None
    within = _place(frame)
    words = read_words(best.get("words"), within, confidence or 0.0, odd)
    text = best.get("transcript")
    if not isinstance(text, str):
        # Without a transcript the words tell what was said; without both it is not known to be silence.
        if not words and not silent:
            raise RemoteProtocolError("a result without a transcript")
        odd.fields += not silent
        text = joined(word.text for word in words)
    if within is None:
        odd.fields += 1
    return Result(
        channel=_channel(frame, "channel_index"),
        span=_span(within, words),
        text=clean(text),
        confidence=confidence or 0.0,
        words=words,
        # Only what is surely a final may cover audio: "false" is a true value to Python.
        is_final=_flag(frame, "is_final", odd),
        ends_turn=_flag(frame, "speech_final", odd),
        from_finalize=_flag(frame, "from_finalize", odd),
        languages=languages(best.get("languages"), odd),
        alternatives=read_alternatives(alternatives[1:], odd),
        hits=read_hits(frame["channel"].get("search"), odd),
        entities=read_entities(frame.get("entities"), best.get("words"), len(words), odd),
    )


def _alternatives(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """The best one first; none is how silence may be told."""
    heard = frame.get("channel")
    alternatives = heard.get("alternatives") if isinstance(heard, dict) else None
    if not isinstance(alternatives, list) or not all(isinstance(one, dict) for one in alternatives[:1]):
        raise RemoteProtocolError("a result without alternatives")
    return alternatives


def _place(frame: dict[str, Any]) -> tuple[float, float] | None:
    """Start and end in seconds of the socket's audio; None where they cannot be right."""
    start, duration = moment(frame.get("start")), moment(frame.get("duration"))
    return None if start is None or duration is None else (start, start + duration)


def _span(within: tuple[float, float] | None, words: tuple[Word, ...]) -> Span:
    if within and (within[1] > within[0] or not words):
        return Span(samples(within[0]), samples(within[1]))
    # A result that does not tell its place is where its words are, and covers no more than they do.
    if not words:
        raise RemoteProtocolError("a result without a place")
    return Span(min(word.span.start for word in words), max(word.span.end for word in words))


def _channel(frame: dict[str, Any], name: str) -> int:
    """The array is called `channel` in some types and `channel_index` in Results."""
    return _needed(channel(frame.get(name)), name)


def _flag(frame: dict[str, Any], name: str, odd: Oddities) -> bool:
    value = frame.get(name)
    odd.fields += not (value is None or isinstance(value, bool))
    return value is True


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise RemoteProtocolError(f"{name} cannot be read")
    return value


def _request_id(frame: dict[str, Any]) -> str | None:
    return _printable(frame.get("request_id"))[:80] or None


def _printable(value: object) -> str:
    """Text for one line of a log."""
    return "".join(character if character.isprintable() else " " for character in str(value or ""))


class Blame(Enum):
    """Where a refusal comes from, which is what decides whether trying again can help."""

    PASSING = auto()
    """Too many at once (429), a fault of theirs (5xx), or no answer: heals by itself."""
    ACCOUNT = auto()
    """A bad key, no credit, no permission (401, 402, 403), a proxy that wants to know who we are (407), or an address
    where another server answers, with a redirect or a page (below 400): heals when a person has mended it."""
    REQUEST = auto()
    """A bad option (400 and the rest): this request will never work."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Deepgram did not take the connection."""

    status: int | None
    """HTTP status; None when there was no answer."""
    reason: str
    """Deepgram's code and sentence; without an answer, a word of ours (`bridge.failure`)."""
    request_id: str | None
    """As in Metadata; None where nothing of Deepgram's answered."""

    @property
    def may_be_over_options(self) -> bool:
        """Whether the request may be accepted with other options. Deepgram's 403 is about what was asked for, such as
        a model that the project has no access to; https://developers.deepgram.com/docs/errors
        """
        return (self.blame is Blame.REQUEST and self.status != TOO_LARGE) or self.status == 403

    @property
    def in_short(self) -> str:
        """In words of ours, for those who may not read Deepgram's."""
        match self.status:
            case None:
                return "there is no answer"
            case 401:
                return "the key is refused"
            case 402:
                return "the project has no credit"
            case 403:
                return "the project may not use the model"
            case 407:
                return "the proxy wants to know who we are"
            case status if self.blame is Blame.PASSING:
                return f"it is busy or fails ({status})"
            case status if status < 400:
                return f"another server answers ({status})"
            case status:
                return f"the request is refused ({status})"

    @property
    def blame(self) -> Blame:
        """What would have to change before it can work."""
        if self.status is None or self.status in (408, 429) or self.status >= 500:
            return Blame.PASSING
        return Blame.ACCOUNT if self.status < 400 or self.status in (401, 402, 403, 407) else Blame.REQUEST


def parse_refusal(status: int, headers: dict[str, str], body: bytes, key: str = "") -> Refusal:
    """The reason from the JSON body, in both of its known schemas, or from the `dg-error` header.

    `headers` has lower-case names. Never raises: a proxy in between may answer anything, also with the `key` in it.
    """
    if status == 407:
        return Refusal(status, str(Failure("proxy", "status 407")), None)
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
    return Refusal(status, hide(reason, key)[:300], hide(str(request_id), key)[:80] if request_id else None)
