"""What we ask of Deepgram: our defaults, the operator's query string over them, a call's own over that.

Every streaming parameter passes, repeated ones repeat, and those we do not know pass too: Deepgram is the judge of
values. Refused here, at the start and with the reason, is what cannot work at all, because Deepgram would refuse it at
the handshake of every call. Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from bridge.errors import ConfigError

Pairs = tuple[tuple[str, str], ...]

AUDIO: Pairs = (("encoding", "mulaw"), ("sample_rate", "8000"), ("channels", "2"), ("multichannel", "true"))
"""The format of what we send; not anybody's to change."""

DEFAULTS: Pairs = (
    ("model", "nova-3"),
    ("interim_results", "true"),
    ("endpointing", "300"),
    ("utterance_end_ms", "1000"),
    ("vad_events", "true"),
    ("smart_format", "true"),
)

OVERRIDE_PREFIX = "deepgram."
"""A `<Parameter name="deepgram.language" value="es"/>` overrides `language` for its call."""

_BOOLEANS = frozenset(
    (
        *("interim_results", "vad_events", "punctuate", "smart_format", "no_delay", "numerals", "dictation"),
        *("profanity_filter", "filler_words", "diarize", "detect_entities", "mip_opt_out"),
    )
)
_MOST = {"keywords": 100, "search": 50, "replace": 200}
_LONGEST = {"tag": 128, "extra": 2048}
_KEYTERM_TOKENS = 500


@dataclass(frozen=True, slots=True)
class Options:
    """A checked set of parameters, without the audio format."""

    pairs: Pairs
    fallback: "Options | None" = field(default=None, compare=False)
    """Of one call's own: everybody's, to go on with where Deepgram refuses these."""

    @property
    def own(self) -> bool:
        """Whether they are one call's."""
        return self.fallback is not None

    def get(self, name: str) -> str | None:
        """The last value of a parameter."""
        return dict(self.pairs).get(name)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated."""
        return [value for key, value in self.pairs if key == name]

    def query(self, extra: Iterable[tuple[str, str]] = ()) -> str:
        """The query string of the request, the audio format included."""
        return urlencode([*AUDIO, *self.pairs, *extra])


def parse(text: str) -> Options:
    """The operator's query string laid over the defaults; an empty value takes a default away.

    Raises ConfigError with the reason for what cannot work.
    """
    try:
        given = parse_qsl(text.strip().lstrip("?"), keep_blank_values=True, strict_parsing=bool(text.strip()))
    except ValueError:
        raise ConfigError(f"{text!r} is not a query string such as model=nova-3&language=en") from None
    return Options(_checked(_overlaid(DEFAULTS, given), frozenset(name for name, _ in given)))


def override(options: Options, parameters: Mapping[str, str], allowed: frozenset[str]) -> Options:
    """One call's own over the operator's: its `deepgram.*` parameters.

    A name may carry a number, so that a parameter can be repeated: `deepgram.keyterm.2`.
    Raises ConfigError where a name is not in `allowed` or the whole cannot work.
    """
    wanted = []
    for key, value in parameters.items():
        if not key.startswith(OVERRIDE_PREFIX):
            continue
        name, _, number = key.removeprefix(OVERRIDE_PREFIX).partition(".")
        if name not in allowed or (number and not number.isdecimal()):
            raise ConfigError(f"{key} is not on the list of options a call may set")
        wanted.append((name, value))
    if not wanted:
        return options
    own = _checked(_overlaid(options.pairs, wanted), frozenset(name for name, _ in wanted))
    return Options(own, fallback=options)


def _overlaid(base: Pairs, given: list[tuple[str, str]]) -> Pairs:
    names = {name for name, _ in given}
    kept = [pair for pair in base if pair[0] not in names]
    new = [
        (name, value.lower() if name in _BOOLEANS or name == "endpointing" else value)
        for name, value in given
        if value != ""
    ]
    return tuple(kept + new)


def _checked(pairs: Pairs, given: frozenset[str]) -> Pairs:
    """The pairs, less a default of ours that the operator's own choice rules out."""
    if dict(pairs).get("interim_results") != "true" and "utterance_end_ms" not in given:
        pairs = tuple(pair for pair in pairs if pair[0] != "utterance_end_ms")
    options = Options(pairs)
    for check in (_audio, _values, _model, _utterance_end, _formatting):
        check(options)
    return pairs


def _audio(options: Options) -> None:
    for name, value in AUDIO:
        asked = options.all(name)
        if asked:
            raise ConfigError(f"{name} is the bridge's own ({name}={value}) and cannot be set")


def _values(options: Options) -> None:
    for name, value in options.pairs:
        if name in _BOOLEANS and value not in ("true", "false"):
            raise ConfigError(f"{name} takes true or false, not {value!r}")
        if name in _LONGEST and len(value) > _LONGEST[name]:
            raise ConfigError(f"{name} is longer than Deepgram's {_LONGEST[name]} characters")
    for name, most in _MOST.items():
        if len(options.all(name)) > most:
            raise ConfigError(f"{name} is given more than Deepgram's {most} times")
    endpointing = options.get("endpointing")
    if endpointing is not None and endpointing != "false" and not endpointing.isdecimal():
        raise ConfigError(f"endpointing takes milliseconds or false, not {endpointing!r}")
    language = options.get("language")
    if language and "_" in language:
        raise ConfigError(f"language {language!r} wants a hyphen: {language.replace('_', '-')}")


def _model(options: Options) -> None:
    model = options.get("model")
    if model is None:
        raise ConfigError("model cannot be empty: Deepgram would silently take its oldest")
    if model.startswith("flux"):
        raise ConfigError("Flux models hear one channel on another endpoint (/v2/listen); use a nova model")
    nova3 = model.startswith("nova-3")
    if options.all("keyterm") and not nova3:
        raise ConfigError(f"keyterm needs a nova-3 model, and model is {model}; below nova-3 it is keywords")
    if options.all("keywords") and nova3:
        raise ConfigError(f"keywords does not work with {model}; with nova-3 it is keyterm")
    if sum(len(term.split()) for term in options.all("keyterm")) > _KEYTERM_TOKENS:
        raise ConfigError(f"keyterm has more than Deepgram's {_KEYTERM_TOKENS} tokens in all")
    if options.get("diarize_model") == "v2":
        raise ConfigError("diarize_model=v2 is not for live audio; use latest or v1")


def _utterance_end(options: Options) -> None:
    value = options.get("utterance_end_ms")
    if value is None:
        return
    if options.get("interim_results") != "true":
        raise ConfigError("utterance_end_ms needs interim_results=true")
    if not value.isdecimal() or not 1000 <= int(value) <= 5000:
        raise ConfigError(f"utterance_end_ms takes 1000 to 5000, not {value!r}")


def _formatting(options: Options) -> None:
    punctuated = "true" in (options.get("punctuate"), options.get("smart_format"))
    if options.get("dictation") == "true" and not punctuated:
        raise ConfigError("dictation needs punctuate=true")
