from urllib.parse import parse_qsl

import pytest

from bridge.deepgram.options import override, parse
from bridge.errors import ConfigError

ALLOWED = frozenset({"language", "keyterm", "model", "encoding"})


def asked(options):
    return parse_qsl(options.query())


def test_the_defaults_are_those_of_a_telephone_bridge():
    assert parse("").query() == (
        "encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&model=nova-3&interim_results=true"
        "&endpointing=300&utterance_end_ms=1000&vad_events=true&smart_format=true"
    )


def test_what_the_operator_says_replaces_a_default():
    pairs = asked(parse("model=nova-2&endpointing=500"))

    assert pairs.count(("model", "nova-2")) == 1
    assert ("model", "nova-3") not in pairs
    assert ("endpointing", "500") in pairs


def test_repeated_parameters_repeat_in_order():
    assert parse("keyterm=Acme&keyterm=Anvil+Co").all("keyterm") == ["Acme", "Anvil Co"]


def test_parameters_we_do_not_know_pass():
    assert ("brand_new", "x:y z") in asked(parse("brand_new=x%3Ay+z"))


def test_an_empty_value_takes_a_default_away():
    assert parse("vad_events=&utterance_end_ms=").get("vad_events") is None


def test_interims_off_takes_our_own_utterance_end_with_it():
    assert parse("interim_results=false").get("utterance_end_ms") is None


def test_a_call_id_can_be_added_to_the_query():
    assert parse("").query([("extra", "call_id:CA1")]).endswith("&extra=call_id%3ACA1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("encoding=linear16", "bridge's own"),
        ("channels=1", "bridge's own"),
        ("multichannel=true", "bridge's own"),
        ("model=nova-2&keyterm=Acme", "keyterm needs a nova-3"),
        ("keywords=Acme:2", "keyterm"),
        ("interim_results=false&utterance_end_ms=1000", "needs interim_results"),
        ("utterance_end_ms=999", "1000 to 5000"),
        ("utterance_end_ms=5001", "1000 to 5000"),
        ("utterance_end_ms=soon", "1000 to 5000"),
        ("dictation=true&smart_format=false", "punctuate"),
        ("diarize_model=v2", "v2"),
        ("model=flux-general-en", "Flux"),
        ("model=", "oldest"),
        ("endpointing=short", "milliseconds or false"),
        ("language=en_US", "en-US"),
        ("tag=" + "x" * 129, "128"),
        ("extra=" + "x" * 2049, "2048"),
        ("&".join(["search=x"] * 51), "50 times"),
        ("&".join(["replace=x:y"] * 201), "200 times"),
        ("model=nova-2&" + "&".join(["keywords=x"] * 101), "100 times"),
        ("keyterm=" + "+".join(["x"] * 501), "500 tokens"),
        ("nonsense", "query string"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(text, reason):
    with pytest.raises(ConfigError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "utterance_end_ms=1000",
        "utterance_end_ms=5000",
        "tag=" + "x" * 128,
        "extra=" + "x" * 2048,
        "&".join(["search=x"] * 50),
        "&".join(["replace=x:y"] * 200),
        "model=nova-2&" + "&".join(["keywords=x"] * 100),
        "keyterm=" + "+".join(["x"] * 500),
        "dictation=true",
        "dictation=true&punctuate=true&smart_format=false",
        "dictation=false&smart_format=false",
        "smart_format=false",
    ],
)
def test_what_deepgram_just_takes_passes(text):
    assert set(parse_qsl(text)) <= set(asked(parse(text)))


@pytest.mark.parametrize(
    "name",
    [
        *("interim_results", "vad_events", "punctuate", "smart_format", "no_delay", "numerals", "dictation"),
        *("profanity_filter", "filler_words", "diarize", "detect_entities", "mip_opt_out"),
    ],
)
def test_a_switch_takes_true_or_false_in_any_case_and_nothing_else(name):
    assert parse(f"{name}=True&utterance_end_ms=").get(name) == "true"
    with pytest.raises(ConfigError, match=f"{name} takes true or false"):
        parse(f"{name}=yes")


def test_endpointing_may_be_switched_off():
    assert parse("endpointing=False").get("endpointing") == "false"


def test_a_call_without_wishes_has_the_options_of_all():
    options = override(parse("keyterm=Acme"), {"campaign": "7"}, ALLOWED)

    assert options == parse("keyterm=Acme")
    assert not options.own and not parse("").own


def test_a_call_may_override_what_is_allowed():
    options = override(parse("keyterm=Acme"), {"campaign": "7", "deepgram.language": "es"}, ALLOWED)

    assert options.own
    assert options == parse("keyterm=Acme&language=es")


def test_a_call_may_repeat_a_parameter_by_number():
    options = override(parse("keyterm=Acme"), {"deepgram.keyterm.1": "Anvil", "deepgram.keyterm.2": "Rocket"}, ALLOWED)

    assert options.all("keyterm") == ["Anvil", "Rocket"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"deepgram.callback": "https://elsewhere.example"},
        {"deepgram.keyterm.x": "Acme"},
        {"deepgram.encoding": "opus"},
        {"deepgram.model": "nova-2", "deepgram.keyterm": "Acme"},
    ],
)
def test_a_call_may_not_override_the_rest(parameters):
    with pytest.raises(ConfigError):
        override(parse(""), parameters, ALLOWED)


def test_no_wishes_change_nothing():
    options = parse("")

    assert override(options, {"from": "+15550100"}, ALLOWED) is options
