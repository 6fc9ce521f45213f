import pytest

from bridge.deepgram import languages


@pytest.mark.parametrize("language", ["en", "en-US", "es-419", "zh-Hant", "hi-Latn", "taq", "multi", "EN-us"])
def test_a_language_is_a_tag(language):
    assert languages.fault_in_language(language) is None


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("english", "tag"),
        ("en us", "tag"),
        ("", "tag"),
        ("en-", "tag"),
        ("en_US", "en-US"),
        ("xx", "ISO 639"),
        ("xx-99", "ISO 639"),
        ("jp", "did you mean ja"),
        ("cn", "did you mean zh"),
    ],
)
def test_what_is_no_language_is_told(language, said):
    assert said in languages.fault_in_language(language)


@pytest.mark.parametrize(
    ("model", "language"),
    [
        ("nova-2-phonecall", "es"),
        ("nova-2-phonecall", "en-GB"),
        ("nova-2-medical", "multi"),
        ("nova-3-medical", "de"),
        ("nova-2", "ta"),
        ("nova", "multi"),
        ("enhanced-general", "multi"),
        ("general", "multi"),
        ("base-phonecall", "fr"),
    ],
)
def test_a_model_is_not_asked_for_a_language_that_it_does_not_know(model, language):
    assert languages.fault_in_pair(model, language)


@pytest.mark.parametrize(
    ("model", "language"),
    [
        ("nova-3", "multi"),
        ("nova-3-medical", "multi"),
        ("nova-3-medical", "en-GB"),
        ("nova-2", "multi"),
        ("nova-2", "es-419"),
        ("nova-2-phonecall", "en-US"),
        ("nova-2-acme", "ta"),
        ("nova-3-acme", "multi"),
        ("acme", "multi"),
        ("nova-3", "ga"),
    ],
)
def test_what_may_be_known_is_for_deepgram_to_say(model, language):
    assert languages.fault_in_pair(model, language) is None


def test_families():
    assert languages.family("nova-2-phonecall") == "nova-2"
    assert languages.family("nova-3") == "nova-3"
    assert languages.family("nova3") is None
    assert languages.is_known("phonecall")
    assert languages.is_known("30089e05-99d1-4376-b32e-c263170674af")
    assert not languages.is_known("nova3")


@pytest.mark.parametrize(("hint", "taken"), [("en-GB", True), ("zh-Hans", True), ("is", False)])
def test_which_hints_are_known(hint, taken):
    assert languages.fault_in_hint(hint) is None
    assert languages.may_be_expected(hint) is taken


@pytest.mark.parametrize("hint", ["multi", "english", "xx"])
def test_what_is_no_hint(hint):
    assert languages.fault_in_hint(hint)


@pytest.mark.parametrize(
    ("kind", "language", "fault", "doubt"),
    [
        ("pci", "en", None, None),
        ("pci", "en-GB", None, None),
        ("pci", "es", "English alone", None),
        ("pii", "multi", None, "multi"),
        ("numbers", "es", None, None),
        ("numbers", "multi", None, None),
        ("true", "ja", None, "ja"),
        ("false", "ja", None, None),
        ("cardinal", "en", "not for live audio", None),
    ],
)
def test_what_is_redacted_in_which_language(kind, language, fault, doubt):
    found = languages.fault_in_redaction(kind, language)
    doubted = languages.doubt_of_redaction(kind, language)

    assert found is None if fault is None else fault in found
    if fault is None:
        assert doubted is None if doubt is None else doubt in doubted
