"""What a client asks for with `/v2/listen?…`, and what is wrong with it.

Pure. Flux takes few parameters and, unlike `/v1/listen`, refuses those that it does not know. What both have, the
encoding and its rate, is read by the same rules as there.
Source: https://developers.deepgram.com/docs/flux/configuration and reference/speech-to-text/listen-flux
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from bridge.local.deepgram.request import (
    NO_SUCH_MODEL,
    ListenRequest,
    Refusal,
    Refused,
    last,
    parse_request,
    read_boolean,
    read_values,
    undeserializable,
)

MODELS = ("flux-general-en", "flux-general-multi")
PARAMETERS = (
    "model", "encoding", "sample_rate", "eager_eot_threshold", "eot_threshold", "eot_timeout_ms", "keyterm",
    "language_hint", "profanity_filter", "numerals", "redact", "mip_opt_out", "tag",
)  # fmt: skip
LANGUAGES = ("en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl")
"""Those of `flux-general-multi`."""
REDACTED = ("numbers", "aggressive_numbers")
MAX_KEYTERMS = 100
MAX_KEYTERM = 100
"""Characters of one keyterm."""
EOT_THRESHOLDS = (0.5, 1.0)
"""At 1.0 no silence ends a turn, but the time-out and `ForceEndTurn` do."""
EAGER_THRESHOLDS = (0.3, 0.9)
TIMEOUTS = (500, 60_000)
"""Milliseconds."""

_AS_IN_V1 = ("encoding", "sample_rate", "profanity_filter", "numerals", "mip_opt_out", "tag")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a turn ends."""

    eager: float | None = None
    """Confidence at which an end is told early; None: never."""
    eot: float = 0.7
    """Confidence at which a turn ends."""
    timeout_ms: int = 5000
    """Silence that ends a turn whatever the confidence."""

    def complaint(self) -> str | None:
        """What of it Flux does not take, in a sentence; None: nothing."""
        for name, value, (least, most) in (
            ("eager_eot_threshold", self.eager, EAGER_THRESHOLDS),
            ("eot_threshold", self.eot, EOT_THRESHOLDS),
            ("eot_timeout_ms", self.timeout_ms, TIMEOUTS),
        ):
            if value is not None and not least <= value <= most:
                return f"{name} must be between {least} and {most}"
        if self.eager is not None and self.eager > self.eot:
            return "eager_eot_threshold must be less than or equal to eot_threshold"
        return None


@dataclass(frozen=True, slots=True)
class FluxRequest:
    """The parameters that matter here."""

    listen: ListenRequest
    """What it has in common with a request to `/v1/listen`."""
    thresholds: Thresholds
    keyterms: tuple[str, ...]
    language_hints: tuple[str, ...]
    numerals: bool

    @property
    def multilingual(self) -> bool:
        return self.listen.model == "flux-general-multi"


def parse_flux_request(query: Iterable[tuple[str, str]]) -> FluxRequest | Refusal:
    """Read the query, decoded but otherwise as it came."""
    pairs = tuple(query)
    values = read_values(pairs)
    try:
        model = _read_model(values)
        listen = parse_request((key, value) for key, value in pairs if key in _AS_IN_V1)
        if isinstance(listen, Refusal):
            return listen
        request = FluxRequest(
            listen=replace(listen, query=pairs, model=model, interim_results=True, punctuated=True),
            thresholds=_read_thresholds(values),
            keyterms=tuple(values.get("keyterm", ())),
            language_hints=tuple(values.get("language_hint", ())),
            numerals=read_boolean(values, "numerals"),
        )
        _check(request, values)
    except Refused as refused:
        return refused.refusal
    return request


def keyterms_complaint(keyterms: Sequence[str]) -> str | None:
    """What is wrong with these keyterms; None: nothing."""
    if len(keyterms) > MAX_KEYTERMS:
        return f"at most {MAX_KEYTERMS} keyterms are allowed"
    if any(not term.strip() or len(term) > MAX_KEYTERM for term in keyterms):
        return f"a keyterm must have between 1 and {MAX_KEYTERM} characters"
    return None


def hints_complaint(hints: Sequence[str], *, multilingual: bool) -> str | None:
    """What is wrong with these language hints; None: nothing."""
    if hints and not multilingual:
        return "language hints are only supported by flux-general-multi"
    unknown = next((hint for hint in hints if hint.partition("-")[0] not in LANGUAGES), None)
    return None if unknown is None else f"unknown language hint `{unknown}`"


def _read_model(values: Mapping[str, Sequence[str]]) -> str:
    for name in values:
        if name not in PARAMETERS:
            variants = ", ".join(f"`{known}`" for known in PARAMETERS)
            raise undeserializable(f"unknown field `{name}`, expected one of {variants}")
    model = last(values, "model")
    if model is None:
        raise undeserializable("missing field `model`")
    if model not in MODELS:
        raise Refused(NO_SUCH_MODEL)
    return model


def _read_thresholds(values: Mapping[str, Sequence[str]]) -> Thresholds:
    usual = Thresholds()
    eager = _read_share(values, "eager_eot_threshold")
    eot = _read_share(values, "eot_threshold")
    timeout = last(values, "eot_timeout_ms")
    if timeout is not None and not (timeout.isascii() and timeout.isdigit() and len(timeout) < 10):
        raise undeserializable(f"eot_timeout_ms: invalid digit found in `{timeout}`")
    return Thresholds(
        eager=eager,
        eot=usual.eot if eot is None else eot,
        timeout_ms=usual.timeout_ms if timeout is None else int(timeout),
    )


def _read_share(values: Mapping[str, Sequence[str]], name: str) -> float | None:
    value = last(values, name)
    try:
        share = None if value is None else float(value)
    except ValueError:
        share = float("nan")
    if share is not None and not isfinite(share):
        raise undeserializable(f"{name}: invalid float literal: `{value}`")
    return share


def _check(request: FluxRequest, values: Mapping[str, Sequence[str]]) -> None:
    complaint = (
        request.thresholds.complaint()
        or keyterms_complaint(request.keyterms)
        or hints_complaint(request.language_hints, multilingual=request.multilingual)
    )
    if complaint:
        raise Refused(f"Bad Request: {complaint}.")
    if any(value not in REDACTED for value in values.get("redact", ())):
        raise Refused(f"Bad Request: redact must be {' or '.join(REDACTED)} on /v2/listen.")
