"""What a client asks for with `/v1/listen?…`, and what is wrong with it; what only recordings have is in `batch`.

Pure: query and headers in, a `ListenRequest` or a `Refusal` out. Values are checked as Deepgram checks them
at the handshake, in its words where they are known; keys that it does not know are ignored, as there.
Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming and docs/errors
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import RemoteProtocolError
from bridge.local.recognition import Listening

ENCODINGS = (
    "linear16", "linear32", "flac", "alaw", "mulaw", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex", "g729",
)  # fmt: skip
PCM = ("linear16", "linear32", "alaw", "mulaw")
"""Encodings of single samples, which need no library to be decoded."""
DECODED = (*PCM, "flac", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex")
"""Encodings that this server can hear."""
BOOLEANS = (
    "detect_entities", "diarize", "dictation", "filler_words", "interim_results", "mip_opt_out",
    "multichannel", "no_delay", "numerals", "profanity_filter", "punctuate", "smart_format", "vad_events",
)  # fmt: skip
MAX_CHANNELS = 20
MAX_KEYTERM_TOKENS = 500
MAX_KEYWORDS = 100
MAX_SEARCHES = 50
MAX_TAG = 128
"""Characters of one tag."""
MAX_ALTERNATIVES = 10
"""Ours; Deepgram names none."""
MAX_EXTRA = 2048
"""Characters of one `key:value`."""
SAMPLE_RATES = (1000, 384_000)
"""Lowest and highest, Hz; ours, Deepgram names none."""
NOT_REDACTED = ("cardinal", "ordinal", "percent")
"""Kinds of entities that are told, but not taken out (docs/supported-entity-types)."""

NO_SUCH_MODEL = "Bad Request: No such model/language/tier combination found."
_FLUX_ON_V1 = (
    "Flux models are not supported on the `/v1/listen` endpoint. Please use the `/v2/listen` endpoint for "
    "conversational speech-to-text requests."
)
_LANGUAGE = re.compile(r"multi|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the handshake fails."""

    status: int
    code: str
    message: str


REFUSALS: Mapping[int, Refusal] = {
    refusal.status: refusal
    for refusal in (
        Refusal(400, "Bad Request", "Invalid query string."),
        Refusal(401, "INVALID_AUTH", "Invalid credentials."),
        Refusal(
            402,
            "ASR_PAYMENT_REQUIRED",
            "Project does not have enough credits for an ASR request and does not have an overage agreement.",
        ),
        Refusal(403, "INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
        Refusal(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
        Refusal(503, "Service Unavailable", "The service is temporarily unavailable."),
    )
}
"""What Deepgram says with a status (docs/errors)."""


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """The parameters that matter here; `query` holds everything that was sent."""

    query: tuple[tuple[str, str], ...]
    model: str
    language: str
    language_hints: tuple[str, ...]
    encoding: str | None
    sample_rate: int
    """Hz."""
    channels: int
    multichannel: bool
    interim_results: bool
    endpointing: float | None
    """Seconds; None: never."""
    utterance_end: float | None
    """Seconds of silence before an `UtteranceEnd`; None: none is sent."""
    vad_events: bool
    punctuated: bool
    diarize: bool
    detect_entities: bool
    alternatives: int
    """Transcripts of the same speech, at the most."""
    extra: Mapping[str, str]

    @property
    def listening(self) -> Listening:
        return Listening(self.endpointing, self.interim_results, self.alternatives)

    def asks(self, flag: str) -> bool:
        """Whether a parameter that is true or false is true."""
        return dict(self.query).get(flag) == "true"

    @property
    def is_pcm(self) -> bool:
        """The audio is samples, and what they are stands in the request. Everything else has a header, or is packets,
        and says itself how many channels it has.
        """
        return self.encoding in PCM

    @property
    def heard_channels(self) -> int:
        """Channels that are transcribed. Several channels of samples without `multichannel` come to nothing, as users
        of the real service report: results and metadata of zero duration."""
        decoded = not self.is_pcm or self.channels == 1 or self.multichannel
        return self.channels if decoded else 0


class Refused(RemoteProtocolError):
    """Carries a refusal out of the reading of a request."""

    def __init__(self, message: str, code: str = "Bad Request") -> None:
        super().__init__(message)
        self.refusal = Refusal(400, code, message)


def parse_request(query: Iterable[tuple[str, str]]) -> ListenRequest | Refusal:
    """Read the query, decoded but otherwise as it came; a repeated key is a list."""
    pairs = tuple(query)
    values = read_values(pairs)
    try:
        request = _read(pairs, values)
        _check_limits(values)
        _check_model(request, values)
    except Refused as refused:
        return refused.refusal
    return request


def read_values(query: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Every value of every key, in order."""
    values: dict[str, list[str]] = {}
    for key, value in query:
        values.setdefault(key, []).append(value)
    return values


def is_nova_3(model: str) -> bool:
    """Only these take keyterms, and only these take no keywords."""
    return model == "nova-3" or model.startswith("nova-3-")


def keyterm_tokens(keyterms: Iterable[str]) -> int:
    """About how many tokens: the tokenizer is not public, so words count by pieces of four letters."""
    return sum(len(_TOKEN.findall(term)) for term in keyterms)


def _read(pairs: tuple[tuple[str, str], ...], values: Mapping[str, list[str]]) -> ListenRequest:
    encoding, sample_rate, channels = _read_format(values)
    flags = {name: read_boolean(values, name) for name in BOOLEANS}
    return ListenRequest(
        query=pairs,
        model=last(values, "model") or "general",
        language=last(values, "language") or "en",
        language_hints=tuple(values.get("language_hint", ())),
        encoding=encoding,
        sample_rate=sample_rate,
        channels=channels,
        multichannel=flags["multichannel"],
        interim_results=flags["interim_results"],
        endpointing=_read_endpointing(values),
        utterance_end=_read_utterance_end(values, flags["interim_results"]),
        vad_events=flags["vad_events"],
        punctuated=flags["punctuate"] or flags["smart_format"] or flags["detect_entities"],
        diarize=flags["diarize"] or "diarize_model" in values,
        detect_entities=flags["detect_entities"],
        alternatives=_number(values, "alternatives", 1, MAX_ALTERNATIVES) or 1,
        extra=dict(_key_value(pair) for pair in values.get("extra", ())),
    )


def _read_format(values: Mapping[str, list[str]]) -> tuple[str | None, int, int]:
    """Encoding, sample rate and channels; the last two are only read with the first."""
    encoding = last(values, "encoding")
    if encoding is None:
        if "sample_rate" in values:
            raise Refused("Bad Request: sample_rate is only read together with encoding, which is missing.")
        return None, 8000, 1
    if encoding not in ENCODINGS:
        variants = ", ".join(f"`{name}`" for name in ENCODINGS)
        raise undeserializable(f"unknown variant `{encoding}`, expected one of {variants}")
    if encoding not in DECODED:
        raise Refused(f"Bad Request: this local server hears {', '.join(DECODED)}, but not {encoding}.")
    sample_rate = _number(values, "sample_rate", *SAMPLE_RATES)
    if sample_rate is None:
        raise Refused(f"Bad Request: encoding={encoding} needs a sample_rate.")
    return encoding, sample_rate, _number(values, "channels", 1, MAX_CHANNELS) or 1


def _read_endpointing(values: Mapping[str, list[str]]) -> float | None:
    if last(values, "endpointing") == "false":
        return None
    milliseconds = _number(values, "endpointing", 0, 60_000)
    return 0.01 if milliseconds is None else milliseconds / 1000


def _read_utterance_end(values: Mapping[str, list[str]], interim_results: bool) -> float | None:
    milliseconds = _number(values, "utterance_end_ms", 1000, 5000)
    if milliseconds is None:
        return None
    if not interim_results:
        raise Refused("Bad Request: utterance_end_ms needs interim_results=true.")
    return milliseconds / 1000


def _check_limits(values: Mapping[str, list[str]]) -> None:
    for name, most in (("keywords", MAX_KEYWORDS), ("search", MAX_SEARCHES)):
        if len(values.get(name, ())) > most:
            raise Refused(f"Bad Request: at most {most} {name} are allowed.")
    for name, longest in (("tag", MAX_TAG), ("extra", MAX_EXTRA)):
        if any(len(value) > longest for value in values.get(name, ())):
            raise Refused(f"Bad Request: {name} is longer than {longest} characters.")
    for option in values.get("redact", ()):
        if option in NOT_REDACTED:
            raise Refused(f"Bad Request: {option} is not a valid value of redact.")
    if "callback" in values:
        raise Refused("Bad Request: this local server answers in place, not to a callback.")


def _check_model(request: ListenRequest, values: Mapping[str, list[str]]) -> None:
    """Not against a list of models, which changes all the time, but against what is known not to work."""
    model, language = request.model, request.language
    if model.startswith("flux"):
        raise Refused(_FLUX_ON_V1, "V2_MODEL_ON_V1_LISTEN_ENDPOINT")
    if not _LANGUAGE.fullmatch(language):
        raise Refused(NO_SUCH_MODEL)
    if language == "multi" and not (is_nova_3(model) or model.startswith("nova-2")):
        raise Refused(NO_SUCH_MODEL)
    if model.endswith("-phonecall") and (is_nova_3(model) or language not in ("en", "en-US")):
        raise Refused(NO_SUCH_MODEL)
    for hint in request.language_hints:
        if hint == "multi" or not _LANGUAGE.fullmatch(hint):
            raise Refused(f"Bad Request: unknown language_hint `{hint}`.")
    if last(values, "diarize_model") not in (None, "latest", "v1"):
        raise Refused("Bad Request: diarize_model must be latest or v1 on streaming requests.")
    if "keyterm" in values and not is_nova_3(model):
        raise Refused("Bad Request: keyterm is only supported for Nova-3 models; use keywords instead.")
    if "keywords" in values and is_nova_3(model):
        raise Refused("Bad Request: keywords are not supported for Nova-3 models; use keyterm instead.")
    if keyterm_tokens(values.get("keyterm", ())) > MAX_KEYTERM_TOKENS:
        raise Refused(
            f"Keyterm limit exceeded. The maximum number of tokens across all keyterms is {MAX_KEYTERM_TOKENS}."
        )


def last(values: Mapping[str, Sequence[str]], name: str) -> str | None:
    """What counts of a key that may have been sent more than once."""
    return values[name][-1] if name in values else None


def undeserializable(what: str) -> Refused:
    """A value that is not of its parameter's type."""
    return Refused(f"Failed to deserialize query parameters: {what}", "INVALID_QUERY_PARAMETER")


def read_boolean(values: Mapping[str, Sequence[str]], name: str) -> bool:
    """Lower case only: `True`, which some clients send, is refused."""
    value = last(values, name)
    if value not in (None, "true", "false"):
        raise undeserializable(f"{name}: provided string was not `true` or `false`: `{value}`")
    return value == "true"


def _number(values: Mapping[str, Sequence[str]], name: str, least: int, most: int) -> int | None:
    value = last(values, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise undeserializable(f"{name}: invalid digit found in `{value}`")
    if not least <= int(value) <= most:
        raise Refused(f"Bad Request: {name} must be between {least} and {most}.")
    return int(value)


def _key_value(pair: str) -> tuple[str, str]:
    key, colon, value = pair.partition(":")
    if not colon:
        raise Refused("Bad Request: extra must have the form key:value.")
    return key, value
