"""What we ask of Deepgram: our defaults, the operator's query string over them, a call's own over that.

Every streaming parameter passes, repeated ones repeat, and those we do not know pass too, unless they resemble one that
we know: Deepgram is the judge of values. Refused here, at the start and with the reason, is what cannot work at all,
because Deepgram would refuse it at the handshake of every call, or do nothing and not say so. What may not work is a
doubt, for the log. No sentence repeats a value that could be anything.
Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from bridge.audio import TELEPHONE, AudioFormat
from bridge.deepgram import flux_options, languages
from bridge.errors import ConfigError
from bridge.spelling import nearest

Pairs = tuple[tuple[str, str], ...]


def _audio(audio: AudioFormat) -> Pairs:
    return (
        ("encoding", audio.encoding),
        ("sample_rate", str(audio.rate)),
        ("channels", str(audio.channels)),
        ("multichannel", "true" if audio.channels > 1 else "false"),
    )


AUDIO: Pairs = _audio(TELEPHONE)
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
_KNOWN = _BOOLEANS | frozenset(
    (
        *("model", "language", "language_hint", "version", "endpointing", "utterance_end_ms", "diarize_model"),
        *flux_options.TURNS,
        *("redact", "keyterm", "keywords", "search", "replace", "tag", "extra", "tier", "alternatives"),
        *("diarize_version", "utterances", "utt_split"),  # the last two are for what is transcribed after the call
    )
)
_NOT_OURS = {
    **dict.fromkeys(("callback", "callback_method"), "would have the results sent elsewhere, and calls get none"),
    "detect_language": "is for recordings alone; live it is language=multi",
    **dict.fromkeys(
        ("paragraphs", "summarize", "topics", "intents", "sentiment", "measurements"),
        "is for recordings alone: no event would have its results",
    ),
}
"""Parameters that Deepgram has and no call can use, and why."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_MOST = {"keywords": 100, "search": 50, "replace": 200}
_LONGEST = {"tag": 128, "extra": 2048}
_KEYTERM_TOKENS = 500
_PIECE = re.compile(r"[A-Za-z0-9]{1,4}|[^\W_A-Za-z0-9]|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Options:
    """A checked set of parameters, without the audio format."""

    pairs: Pairs
    fallback: "Options | None" = field(default=None, compare=False)
    """Of one call's own: everybody's, to go on with where Deepgram refuses these."""

    left_out: tuple[str, ...] = field(default=(), compare=False)
    """Parameters that were given, and that the model has not and would refuse."""

    @property
    def is_flux(self) -> bool:
        """Whether the model is Flux, which hears one channel on a socket."""
        return flux_options.is_flux(self.get("model"))

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

    def query(self, extra: Iterable[tuple[str, str]] = (), audio: AudioFormat = TELEPHONE) -> str:
        """The query string of the request, the audio format included. `extra`: for where it is taken."""
        if self.is_flux:
            return urlencode([*_audio(audio)[:2], *self.pairs])
        return urlencode([*_audio(audio), *self.pairs, *extra])

    def target(self, extra: Iterable[tuple[str, str]] = (), audio: AudioFormat = TELEPHONE) -> str:
        """What follows the origin in the request's URL: the path and the query."""
        return f"/{'v2' if self.is_flux else 'v1'}/listen?{self.query(extra, audio)}"


def parse(text: str) -> Options:
    """The operator's query string laid over the defaults; an empty value takes a default away.

    Raises ConfigError with the reason for what cannot work.
    """
    try:
        given = parse_qsl(text.strip().lstrip("?"), keep_blank_values=True, strict_parsing=bool(text.strip()))
    except ValueError:
        raise ConfigError("this is not a query string such as model=nova-3&language=en") from None
    defaults = dict(DEFAULTS)
    for name, value in given:
        if not value.strip() and name in _KNOWN and name not in defaults:
            raise ConfigError(f"{name} has no value")
    return _checked(_overlaid(DEFAULTS, given), frozenset(name for name, _ in given))


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
            meant = nearest(name, allowed)
            hint = f" (did you mean {OVERRIDE_PREFIX}{meant}?)" if meant and meant != name else ""
            raise ConfigError(f"{key} is not on the list of options a call may set{hint}")
        wanted.append((name, value))
    if not wanted:
        return options
    own = _checked(_overlaid(options.pairs, wanted), frozenset(name for name, _ in wanted))
    if own.is_flux != options.is_flux:
        raise ConfigError("a call cannot choose between Flux and other models; DEEPGRAM_OPTIONS does")
    return replace(own, fallback=options)


def names(text: str) -> frozenset[str]:
    """The names in a list with commas between them."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def check_names(text: str) -> None:
    """Check a list of names of options. Raises ConfigError for those that no call can set."""
    for name in sorted(names(text)):
        _check_name(name)


def doubts(options: Options) -> Iterator[str]:
    """A sentence for each thing that may not work, and that Deepgram alone knows."""
    if options.is_flux:
        yield from flux_options.doubts(options.pairs, options.left_out)
    tokens = _tokens(options)
    if tokens > _KEYTERM_TOKENS:
        yield (
            f"keyterm has about {tokens} tokens; Deepgram takes {_KEYTERM_TOKENS}, counts them in its own way, and may "
            "refuse every call"
        )
    for hint in options.all("language_hint"):
        if not languages.may_be_expected(hint):
            yield f"language_hint={hint} is not known to be one that Deepgram takes; it may refuse every call"
    language = options.get("language") or "en"
    for kind in options.all("redact"):
        if doubt := languages.fault_in_redaction(kind, language) or languages.doubt_of_redaction(kind, language):
            yield doubt
    if options.all("redact") and options.get("no_delay") == "true":
        yield "no_delay=true has Deepgram redact less than it could"


def _overlaid(base: Pairs, given: list[tuple[str, str]]) -> Pairs:
    names = {name for name, _ in given}
    kept = [pair for pair in base if pair[0] not in names]
    new = [
        (name, value.strip().lower() if name in _BOOLEANS or name == "endpointing" else value.strip())
        for name, value in given
        if value.strip()
    ]
    return tuple(kept + new)


def _checked(pairs: Pairs, given: frozenset[str]) -> Options:
    """The pairs, less what was there before and is ruled out by what is given now, and what Flux has not."""
    options = Options(pairs)
    if options.is_flux:
        foreign = {name for name, _ in pairs} & _KNOWN - flux_options.PARAMETERS
        kept = tuple(pair for pair in pairs if pair[0] not in foreign)
        options = Options(kept, left_out=tuple(sorted(given & foreign)))
    ruled_out = {
        "utterance_end_ms": options.get("interim_results") != "true",
        "language_hint": not _takes_hints(options),
    }
    kept = tuple(pair for pair in options.pairs if pair[0] in given or not ruled_out.get(pair[0]))
    options = replace(options, pairs=kept)
    for name in sorted(given):
        _check_name(name)
    for check in (_values, _extra, _model, _turns, _language, _keyterms, _utterance_end, _formatting):
        check(options)
    if (
        "redact" in given and not options.is_flux
    ):  # else a call speaks another language than the operator's others, and must be transcribed
        _redaction(options)
    return options


def _check_name(name: str) -> None:
    if name in dict(AUDIO):
        raise ConfigError(f"{name} is the bridge's own ({name}={dict(AUDIO)[name]}) and cannot be set")
    if name in _NOT_OURS:
        raise ConfigError(f"{name} {_NOT_OURS[name]}")
    meant = None if name in _KNOWN else nearest(name, _KNOWN | _NOT_OURS.keys() | dict(AUDIO).keys())
    if meant:
        raise ConfigError(
            f"{name if _NAME.fullmatch(name.lower()) else 'a parameter'} is unknown: did you mean {meant}?"
        )
    if not _NAME.fullmatch(name):
        raise ConfigError("a parameter's name is small letters, digits and _, as in model=nova-3&language=en")


def _values(options: Options) -> None:
    for name, value in options.pairs:
        if name in _BOOLEANS and value not in ("true", "false"):
            raise ConfigError(f"{name} takes true or false")
        if name in _LONGEST and len(value) > _LONGEST[name]:
            raise ConfigError(f"{name} is longer than Deepgram's {_LONGEST[name]} characters")
    for name, most in _MOST.items():
        if len(options.all(name)) > most:
            raise ConfigError(f"{name} is given more than Deepgram's {most} times")
    endpointing = options.get("endpointing")
    if endpointing is not None and endpointing != "false" and not _is_number(endpointing):
        raise ConfigError("endpointing takes milliseconds or false")


def _extra(options: Options) -> None:
    for pair in options.all("extra"):
        key, _, value = pair.partition(":")
        if not key.strip() or not value.strip():
            raise ConfigError("extra takes key:value")
        if key == "call_id":
            raise ConfigError("extra=call_id:… is the bridge's own and cannot be set")


def _model(options: Options) -> None:
    model = options.get("model")
    if model is None:
        raise ConfigError("model cannot be empty: Deepgram would silently take its oldest")
    if not _MODEL.fullmatch(model):
        raise ConfigError("model takes one name such as nova-3")
    if fault := languages.fault_in_model(model):
        raise ConfigError(fault)
    if not languages.is_known(model) and (meant := nearest(model, languages.FAMILIES)):
        raise ConfigError(f"there is no model {model}: did you mean {meant}?")
    nova3 = languages.family(model) == "nova-3"
    if options.all("keyterm") and not nova3 and not options.is_flux:
        raise ConfigError(f"keyterm needs a nova-3 model, and model is {model}; below nova-3 it is keywords")
    if options.all("keywords") and nova3:
        raise ConfigError(f"keywords does not work with {model}; with nova-3 it is keyterm")
    if options.get("diarize_model") == "v2":
        raise ConfigError("diarize_model=v2 is not for live audio; use latest or v1")


def _turns(options: Options) -> None:
    if options.is_flux:
        flux_options.check(options.pairs)
    elif found := [name for name in flux_options.TURNS if options.get(name) is not None]:
        raise ConfigError(f"{found[0]} needs a Flux model: {' or '.join(flux_options.MODELS)}")


def _language(options: Options) -> None:
    language, model = options.get("language") or "en", options.get("model") or ""
    if fault := languages.fault_in_language(language):
        raise ConfigError(f"language {fault}")
    if fault := languages.fault_in_pair(model, language):
        raise ConfigError(fault)
    for hint in options.all("language_hint"):
        if fault := languages.fault_in_hint(hint):
            raise ConfigError(f"language_hint {fault}")
        if not _takes_hints(options):
            raise ConfigError("language_hint needs a nova-3 model and language=multi; without them it does nothing")


def _takes_hints(options: Options) -> bool:
    model = options.get("model") or ""
    if options.is_flux:
        return model == "flux-general-multi"
    return options.get("language") == languages.MULTI and languages.family(model) in ("nova-3", None)


def _keyterms(options: Options) -> None:
    # Deepgram's own tokens are pieces of words, so there are at least as many as words.
    if sum(len(term.split()) for term in options.all("keyterm")) > _KEYTERM_TOKENS:
        raise ConfigError(f"keyterm has more than Deepgram's {_KEYTERM_TOKENS} tokens in all")


def _tokens(options: Options) -> int:
    """About how many tokens the keyterms have: the tokenizer is not public, so four letters of a word count as one."""
    return sum(len(_PIECE.findall(term)) for term in options.all("keyterm"))


def _redaction(options: Options) -> None:
    language = options.get("language") or "en"
    for kind in options.all("redact"):
        if fault := languages.fault_in_redaction(kind, language):
            raise ConfigError(fault)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _utterance_end(options: Options) -> None:
    value = options.get("utterance_end_ms")
    if value is None:
        return
    if options.get("interim_results") != "true":
        raise ConfigError("utterance_end_ms needs interim_results=true")
    if not _is_number(value) or not 1000 <= int(value) <= 5000:
        raise ConfigError("utterance_end_ms takes 1000 to 5000")


def _formatting(options: Options) -> None:
    punctuated = "true" in (options.get("punctuate"), options.get("smart_format"))
    if options.get("dictation") == "true" and not punctuated:
        raise ConfigError("dictation needs punctuate=true")
