"""What Flux is asked, which takes other parameters than Deepgram's other models and refuses a call over one it lacks.

Sources: https://developers.deepgram.com/reference/speech-to-text/listen-flux and docs/flux/configuration beside it.
"""

from collections.abc import Iterator, Sequence

from bridge.errors import ConfigError

MODELS = ("flux-general-en", "flux-general-multi")

TURNS = ("eot_threshold", "eager_eot_threshold", "eot_timeout_ms")
"""When a turn ends: parameters that no other model has."""

PARAMETERS = frozenset(
    ("model", *TURNS, "keyterm", "language_hint", "profanity_filter", "numerals", "redact", "mip_opt_out", "tag")
)
"""All that are known."""

CHUNK_MS = 80
"""Milliseconds of audio in a message, as Deepgram strongly recommends."""

_RANGES = {"eot_threshold": (0.5, 1.0), "eager_eot_threshold": (0.3, 0.9), "eot_timeout_ms": (500, 60_000)}
_REDACTED = ("numbers", "aggressive_numbers", "false")
_MOST_KEYTERMS = 100

_RECORDED = {
    "flux-general-en": (("model", "nova-3"), ("language", "en")),
    "flux-general-multi": (("model", "nova-3"), ("language", "multi")),
}


def is_flux(model: str | None) -> bool:
    """Whether a model is one of Flux's."""
    return model is not None and model.startswith("flux")


def fault_in_model(model: str) -> str | None:
    """What is wrong with a model of Flux, if anything is."""
    return None if model in MODELS else f"there is no model {model}: Flux is {' and '.join(MODELS)}"


def check(pairs: Sequence[tuple[str, str]]) -> None:
    """Raises ConfigError for what Flux surely refuses."""
    given = dict(pairs)
    for name, (least, most) in _RANGES.items():
        value = _number(given[name]) if name in given else least
        whole = name != "eot_timeout_ms" or given.get(name, "0").isdecimal()
        if value is None or not whole or not least <= value <= most:
            raise ConfigError(f"{name} takes {least} to {most}")
    if any(name == "redact" and value not in _REDACTED for name, value in pairs):
        raise ConfigError("Flux redacts numbers and aggressive_numbers alone")
    if "language_hint" in given and given["model"] != "flux-general-multi":
        raise ConfigError("language_hint needs flux-general-multi")


def doubts(pairs: Sequence[tuple[str, str]], left_out: Sequence[str]) -> Iterator[str]:
    """A sentence for each thing that may not work. `left_out`: parameters that were given and that Flux has not."""
    given = dict(pairs)
    for name in left_out:
        yield f"{name} is not sent: Flux has no such parameter, and would refuse every call"
    if sum(name == "keyterm" for name, _ in pairs) > _MOST_KEYTERMS:
        yield f"keyterm is given more than {_MOST_KEYTERMS} times; Flux may refuse every call"
    eager, end = _number(given.get("eager_eot_threshold", "0")), _number(given.get("eot_threshold", "0.7"))
    if eager is not None and end is not None and eager > end:
        yield "eager_eot_threshold is above eot_threshold; Flux may refuse every call"


def recorded(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What the pre-recorded API, which has no Flux, is asked instead: the nearest model, written as Flux writes."""
    model = dict(pairs)["model"]
    kept = [pair for pair in pairs if pair[0] not in (*TURNS, "model", "language_hint")]
    return (*_RECORDED[model], ("punctuate", "true"), *kept)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
