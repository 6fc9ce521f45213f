"""What Flux takes at the handshake, and what it refuses."""

import pytest

from bridge.local.deepgram.flux.request import FluxRequest, Thresholds, parse_flux_request
from bridge.local.deepgram.request import Refusal, parse_request

USUAL = (("model", "flux-general-en"), ("encoding", "mulaw"), ("sample_rate", "8000"))


def accepted(*more: tuple[str, str], model: str = "flux-general-en") -> FluxRequest:
    request = parse_flux_request((("model", model), *USUAL[1:], *more))
    assert isinstance(request, FluxRequest), request
    return request


def refused(*query: tuple[str, str]) -> Refusal:
    refusal = parse_flux_request(query)
    assert isinstance(refusal, Refusal), refusal
    return refusal


def test_the_least_that_can_be_asked():
    request = accepted()
    assert (request.listen.model, request.listen.encoding, request.listen.sample_rate) == USUAL_VALUES
    assert request.thresholds == Thresholds(eager=None, eot=0.7, timeout_ms=5000)
    assert (request.keyterms, request.language_hints, request.numerals) == ((), (), False)


USUAL_VALUES = ("flux-general-en", "mulaw", 8000)


def test_all_that_can_be_asked():
    request = accepted(
        ("eager_eot_threshold", "0.4"),
        ("eot_threshold", "0.8"),
        ("eot_timeout_ms", "3000"),
        ("keyterm", "Acme"),
        ("keyterm", "hot line"),
        ("language_hint", "en"),
        ("language_hint", "es"),
        ("numerals", "true"),
        ("redact", "numbers"),
        ("tag", "a"),
        ("mip_opt_out", "true"),
        ("profanity_filter", "false"),
        model="flux-general-multi",
    )
    assert request.thresholds == Thresholds(eager=0.4, eot=0.8, timeout_ms=3000)
    assert (request.keyterms, request.language_hints) == (("Acme", "hot line"), ("en", "es"))
    assert request.numerals
    assert request.multilingual


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("eot_threshold", "0.4", "between 0.5 and 1.0"),
        ("eot_threshold", "nan", "invalid float"),
        ("eot_threshold", "high", "invalid float"),
        ("eager_eot_threshold", "0.95", "between 0.3 and 0.9"),
        ("eager_eot_threshold", "0.8", "less than or equal to eot_threshold"),
        ("eot_timeout_ms", "100", "between 500 and 60000"),
        ("eot_timeout_ms", "-5", "invalid digit"),
        ("keyterm", " ", "between 1 and 100 characters"),
        ("keyterm", "x" * 101, "between 1 and 100 characters"),
        ("language_hint", "es", "only supported by flux-general-multi"),
        ("redact", "pci", "redact must be"),
        ("sample_rate", "fast", "invalid digit"),
        ("tag", "x" * 129, "longer than 128"),
    ],
)
def test_a_value_that_is_refused(name, value, complaint):
    query = dict(USUAL) | {name: value}
    refusal = refused(*query.items())
    assert refusal.status == 400
    assert complaint in refusal.message


@pytest.mark.parametrize(
    "name", ["channels", "multichannel", "interim_results", "endpointing", "diarize", "eot_treshold"]
)
def test_what_flux_does_not_know_is_refused(name):
    refusal = refused(*USUAL, (name, "1"))
    assert refusal.code == "INVALID_QUERY_PARAMETER"
    assert f"unknown field `{name}`" in refusal.message


def test_too_many_keyterms():
    assert "at most 100" in refused(*USUAL, *(("keyterm", str(number)) for number in range(101))).message


def test_an_unknown_hint():
    query = (("model", "flux-general-multi"), ("language_hint", "xx"))
    assert "`xx`" in refused(*query).message


def test_models():
    assert "missing field `model`" in refused(*USUAL[1:]).message
    assert "No such model" in refused(("model", "nova-3")).message


def test_on_v1_flux_is_refused_with_the_way_to_go():
    refusal = parse_request(USUAL)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "V2_MODEL_ON_V1_LISTEN_ENDPOINT"
    assert "`/v2/listen`" in refusal.message
