from urllib.parse import parse_qsl

import pytest

from bridge.audio import TELEPHONE
from bridge.deepgram.options import check_names, doubts, names, override, parse
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


def test_blanks_around_a_value_are_no_part_of_it():
    options = parse("model=nova-2 &language= es&punctuate=+true+&vad_events=+")

    assert [options.get(name) for name in ("model", "language", "punctuate")] == ["nova-2", "es", "true"]
    assert options.get("vad_events") is None
    assert override(options, {"deepgram.language": " fr\n"}, ALLOWED).get("language") == "fr"


def test_booleans_go_out_in_lower_case():
    assert parse("punctuate=True").get("punctuate") == "true"


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
        ("model=flux-general", "Flux is flux-general-en and flux-general-multi"),
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
        ("callback=https://ann:hunter2@x.example", "sent elsewhere"),
        ("callback_method=put", "sent elsewhere"),
        ("detect_language=true", "language=multi"),
        ("summarize=v2", "recordings alone"),
        ("modle=nova-2", "did you mean model"),
        ("Model=nova-2", "did you mean model"),
        ("langauge=es", "did you mean language"),
        ("endpointing_ms=300", "did you mean endpointing"),
        ("sample-rate=16000", "did you mean sample_rate"),
        ("wss://ann:hunter2@x.example/v1/listen?model=nova-2", "parameter"),
        ("model=nova-3&amp;hunter2=x", "parameter"),
        ("model=nova3", "did you mean nova-3"),
        ("model=Nova-3", "did you mean nova-3"),
        ("model=nova-3,language=en", "one name"),
        ("model=nova-3 nova-2&language=en", "one name"),
        ("model=nova-3-phonecall", "there is no nova-3-phonecall"),
        ("model=nova-2-phonecall&language=es", "en and en-US alone"),
        ("model=nova&language=multi", "nova-3 or nova-2"),
        ("model=enhanced&keyterm=Acme", "nova-3"),
        ("language=english", "tag"),
        ("language=jp", "did you mean ja"),
        ("language_hint=es", "language=multi"),
        ("language=es&language_hint=es", "language=multi"),
        ("model=nova-2&language=multi&language_hint=es", "nova-3"),
        ("language=multi&language_hint=multi", "single language"),
        ("language=multi&language_hint=xx", "ISO 639"),
        ("extra=hunter2", "key:value"),
        ("extra=hunter2:", "key:value"),
        ("extra=:hunter2", "key:value"),
        ("extra=", "no value"),
        ("extra=call_id:hunter2", "bridge's own"),
        ("keyterm=", "no value"),
        ("keyterm=+", "no value"),
        ("redact=pci&language=es", "English alone"),
        ("redact=cardinal", "live"),
        ("punctuate=hunter2", "true or false"),
        ("endpointing=\uff13\uff10\uff10", "milliseconds or false"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(text, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "model=nova-2-acme&language=ta",
        "model=30089e05-99d1-4376-b32e-c263170674af&language=multi",
        "model=acme-calls",
        "language=multi&language_hint=en-GB&language_hint=zh-Hans",
        "tier=nova&alternatives=1&filler_words=true&version=latest",
        "extra=team:a:b",
        "utterances=true&utt_split=0.8",
        "redact=numbers&language=es",
    ],
)
def test_what_may_work_is_for_deepgram_to_say(text):
    assert parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keyterm=" + "+".join(["tretinoin"] * 200), "may refuse"),
        ("keyterm=" + "\u6771\u4eac" * 300, "may refuse"),
        ("language=multi&language_hint=is", "language_hint=is"),
        ("language=multi&redact=pii", "English alone"),
        ("language=ja&redact=numbers", "not known"),
        ("redact=numbers&no_delay=true", "no_delay"),
    ],
)
def test_what_deepgram_alone_knows_is_a_doubt(text, said):
    (doubt,) = doubts(parse(text))

    assert said in doubt


def test_what_is_known_to_work_is_none():
    assert list(doubts(parse(""))) == []
    assert list(doubts(parse("keyterm=" + "+".join(["tax"] * 400) + "&redact=pci&language=en"))) == []


def test_an_override_that_is_near_one_that_is_allowed_gets_a_hint():
    with pytest.raises(ConfigError, match="did you mean deepgram.language"):
        override(parse(""), {"deepgram.langauge": "es"}, ALLOWED)


@pytest.mark.parametrize("listed", ["language,callback", "encoding", "language, modle", "a b"])
def test_a_list_of_overrides_names_what_can_be_set(listed):
    with pytest.raises(ConfigError):
        check_names(listed)


def test_a_list_of_overrides_may_have_what_is_new():
    check_names("language, keyterm,brand_new,")
    assert names("language, keyterm,brand_new,") == {"language", "keyterm", "brand_new"}


@pytest.mark.parametrize(
    "text",
    [
        "utterance_end_ms=1000",
        "utterance_end_ms=5000",
        "tag=" + "x" * 128,
        "extra=k:" + "x" * 2046,
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
    assert options.fallback is None


def test_a_call_may_override_what_is_allowed():
    everybodys = parse("keyterm=Acme")
    options = override(everybodys, {"deepgram.language": "es", "campaign": "7"}, ALLOWED)

    assert options.fallback is everybodys
    assert options.get("language") == "es"
    assert options.get("keyterm") == "Acme"
    assert options == parse("keyterm=Acme&language=es")


def test_a_call_in_another_language_goes_without_what_that_does_not_have():
    ours = parse("language=multi&language_hint=es&redact=pci")
    options = override(ours, {"deepgram.language": "es"}, ALLOWED)

    assert options.get("language_hint") is None
    assert options.get("redact") == "pci"
    assert list(doubts(options)) == ["redact=pci redacts English alone, and language is es"]
    assert override(ours, {"deepgram.keyterm": "Acme"}, ALLOWED).get("language_hint") == "es"


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


def test_flux_is_asked_on_its_own_path_for_one_channel_and_for_nothing_that_it_refuses():
    options = parse("model=flux-general-en&eot_threshold=0.8&keyterm=Acme&endpointing=500&diarize=true&smart_format=")

    assert options.is_flux
    assert options.target([("extra", "call_id:CA1")], TELEPHONE.mono) == (
        "/v2/listen?encoding=mulaw&sample_rate=8000&model=flux-general-en&eot_threshold=0.8&keyterm=Acme"
    )
    assert list(doubts(options)) == [
        f"{name} is not sent: Flux has no such parameter, and would refuse every call"
        for name in ("diarize", "endpointing")
    ]
    assert parse("").target().startswith("/v1/listen?encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&")


def test_a_call_keeps_to_flux_or_away_from_it():
    flux = parse("model=flux-general-en")

    assert override(flux, {"deepgram.keyterm": "Acme"}, ALLOWED).get("keyterm") == "Acme"
    assert override(flux, {"deepgram.language": "es"}, ALLOWED).left_out == ("language",)
    for options, model in ((flux, "nova-3"), (parse(""), "flux-general-en")):
        with pytest.raises(ConfigError, match="cannot choose"):
            override(options, {"deepgram.model": model}, ALLOWED)


def test_what_flux_alone_has_needs_flux():
    with pytest.raises(ConfigError, match="needs a Flux model"):
        parse("eot_threshold=0.7")
