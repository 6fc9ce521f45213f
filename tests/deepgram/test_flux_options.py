"""What Flux takes, and what the pre-recorded API is asked in its place."""

import pytest

from bridge.deepgram import flux_options
from bridge.deepgram.options import doubts, parse
from bridge.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model=flux", "there is no model flux"),
        ("model=flux-general-en&eot_threshold=0.4", "0.5 to 1.0"),
        ("model=flux-general-en&eot_threshold=much", "0.5 to 1.0"),
        ("model=flux-general-en&eager_eot_threshold=1", "0.3 to 0.9"),
        ("model=flux-general-en&eot_timeout_ms=100", "500 to 60000"),
        ("model=flux-general-en&eot_timeout_ms=700.5", "500 to 60000"),
        ("model=flux-general-en&redact=pci", "alone"),
        ("model=flux-general-en&language_hint=es", "needs flux-general-multi"),
    ],
)
def test_what_flux_surely_refuses_stops_the_start(text, reason):
    with pytest.raises(ConfigError, match=reason):
        parse(text)


def test_what_flux_takes():
    text = "model=flux-general-multi&language_hint=es&language_hint=en&redact=numbers&numerals=true&eot_timeout_ms=700"

    assert list(doubts(parse(text))) == []
    assert {name for name, _ in parse(text).pairs} <= flux_options.PARAMETERS


def test_what_flux_may_refuse_is_a_doubt():
    terms = "&keyterm=a" * 101

    assert [doubt.partition(" ")[0] for doubt in doubts(parse(f"model=flux-general-en{terms}"))] == ["keyterm"]
    (doubt,) = doubts(parse("model=flux-general-en&eager_eot_threshold=0.8"))
    assert doubt == "eager_eot_threshold is above eot_threshold; Flux may refuse every call"


def test_the_pre_recorded_api_is_asked_for_the_nearest_model():
    pairs = parse("model=flux-general-multi&eot_threshold=0.8&keyterm=Acme&language_hint=es&tag=t").pairs

    assert flux_options.recorded(pairs) == (
        *(("model", "nova-3"), ("language", "multi"), ("punctuate", "true")),
        *(("keyterm", "Acme"), ("tag", "t")),
    )
    assert ("language", "en") in flux_options.recorded(parse("model=flux-general-en").pairs)
