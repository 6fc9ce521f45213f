"""Signatures: Twilio's own library is the oracle for what is signed; the traps of its `validate` are tests here."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from twiml.signature import (
    SIGNATURE_HEADER,
    sign_form,
    sign_url,
    upgrade_candidates,
    verify_form,
    verify_upgrade,
    webhook_candidates,
)

TOKEN = "12345678901234567890123456789012"
VOICE = "https://bridge.example.com/twiml/voice"
MEDIA = "wss://bridge.example.com/media/twilio"
FORM = {"CallSid": "CA1", "From": "+15550001", "To": "+15550002", "FromCity": "", "CallerName": "Zoë & Co 📞"}


def by_hand(token: str, text: str) -> str:
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def twilios(url: str, form: dict[str, str] | MultiDict[str] | None = None, token: str = TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, form or {}))


# -- webhooks


def test_a_form_is_signed_as_twilios_library_and_its_description_say() -> None:
    fields = "".join(name + FORM[name] for name in sorted(FORM))
    assert sign_form(TOKEN, VOICE, FORM) == twilios(VOICE, FORM) == by_hand(TOKEN, VOICE + fields)


utf8 = st.characters(codec="utf-8")


@given(st.dictionaries(st.text(utf8, max_size=10), st.text(utf8, max_size=20), max_size=8))
def test_what_twilio_signs_is_accepted_and_nothing_less(form: dict[str, str]) -> None:
    signature = twilios(VOICE, form)
    assert verify_form([TOKEN], VOICE, form, signature) == VOICE
    assert RequestValidator(TOKEN).validate(VOICE, form, signature)
    assert verify_form([TOKEN], VOICE, {**form, "More than ten": "1"}, signature) is None


def test_fields_that_are_empty_count() -> None:
    signature = twilios(VOICE, FORM)
    without = {name: value for name, value in FORM.items() if value}
    named_only = {**without, "FromCity": " "}
    assert verify_form([TOKEN], VOICE, FORM, signature)
    assert not verify_form([TOKEN], VOICE, named_only, signature)
    # An empty field still adds its name.
    assert by_hand(TOKEN, VOICE + "FromCity") == sign_form(TOKEN, VOICE, {"FromCity": ""})
    assert not verify_form([TOKEN], VOICE, without, signature)


def test_fields_that_repeat_are_all_signed_in_order_of_value() -> None:
    form = MultiDict([("Event", "ringing"), ("Event", "answered"), ("A", "1")])
    signature = by_hand(TOKEN, VOICE + "A1EventansweredEventringing")
    assert sign_form(TOKEN, VOICE, form) == signature
    assert verify_form([TOKEN], VOICE, form, signature)
    assert not verify_form([TOKEN], VOICE, MultiDict([("Event", "ringing"), ("A", "1")]), signature)


def test_new_fields_are_signed_without_being_known() -> None:
    form = {**FORM, "SomethingNewIn2030": "yes"}
    assert verify_form([TOKEN], VOICE, form, twilios(VOICE, form))


def test_a_port_may_be_there_or_not() -> None:
    with_port = "https://bridge.example.com:443/twiml/voice"
    assert verify_form([TOKEN], VOICE, FORM, twilios(with_port, FORM)) == with_port
    assert verify_form([TOKEN], with_port, FORM, twilios(VOICE, FORM)) == VOICE
    odd = "https://bridge.example.com:8443/twiml/voice"
    assert verify_form([TOKEN], odd, FORM, twilios(odd, FORM)) == odd
    assert verify_form([TOKEN], odd, FORM, twilios(VOICE, FORM)) == VOICE


def test_an_ipv6_literal_keeps_its_brackets_where_twilios_library_breaks_it() -> None:
    with_port, without = "https://[2001:db8::1]:8443/twiml/voice", "https://[2001:db8::1]/twiml/voice"
    assert webhook_candidates(with_port) == (with_port, without)
    assert webhook_candidates(without) == (without, "https://[2001:db8::1]:443/twiml/voice")
    signature = twilios(without, FORM)
    assert not RequestValidator(TOKEN).validate(with_port, FORM, signature)
    assert verify_form([TOKEN], with_port, FORM, signature) == without


def test_a_webhook_has_no_twin_and_no_other_slash() -> None:
    assert not verify_form([TOKEN], VOICE, FORM, twilios("wss://bridge.example.com/twiml/voice", FORM))
    assert not verify_form([TOKEN], VOICE, FORM, twilios(VOICE + "/", FORM))


def test_a_query_is_signed_as_it_stands() -> None:
    url = VOICE + "?tenant=a%20b&x="
    assert verify_form([TOKEN], url, FORM, twilios(url, FORM)) == url
    assert verify_form([TOKEN], VOICE + "?", FORM, twilios(VOICE + "?", FORM)) == VOICE + "?"
    assert webhook_candidates(url)[1] == "https://bridge.example.com:443/twiml/voice?tenant=a%20b&x="


# -- upgrades


def test_an_upgrade_signs_the_url_alone() -> None:
    assert sign_url(TOKEN, MEDIA) == by_hand(TOKEN, MEDIA) == twilios(MEDIA)


@pytest.mark.parametrize(
    "signed",
    [
        "wss://bridge.example.com/media/twilio",
        "wss://bridge.example.com/media/twilio/",
        "wss://bridge.example.com:443/media/twilio",
        "wss://bridge.example.com:443/media/twilio/",
        "https://bridge.example.com/media/twilio",
        "https://bridge.example.com/media/twilio/",
        "https://bridge.example.com:443/media/twilio",
        "https://bridge.example.com:443/media/twilio/",
    ],
)
def test_an_upgrade_is_accepted_under_each_spelling_of_its_url(signed: str) -> None:
    assert verify_upgrade([TOKEN], MEDIA, twilios(signed)) == signed
    # And the other way round: whichever of them the TwiML said.
    assert verify_upgrade([TOKEN], signed, twilios(MEDIA)) == MEDIA


def test_the_first_candidate_is_what_the_twiml_says() -> None:
    assert upgrade_candidates(MEDIA)[0] == MEDIA
    assert len(set(upgrade_candidates(MEDIA))) == 8


def test_port_443_of_wss_which_twilios_library_takes_for_80() -> None:
    with_port = "wss://bridge.example.com:443/media/twilio"
    assert not RequestValidator(TOKEN).validate(MEDIA, {}, twilios(with_port))
    assert verify_upgrade([TOKEN], MEDIA, twilios(with_port)) == with_port
    on_port_80 = "wss://bridge.example.com:80/media/twilio"
    assert RequestValidator(TOKEN).validate(MEDIA, {}, twilios(on_port_80))
    assert verify_upgrade([TOKEN], MEDIA, twilios(on_port_80)) is None


def test_a_bare_host_is_found_with_and_without_its_slash() -> None:
    assert verify_upgrade([TOKEN], "wss://h.example", twilios("wss://h.example/")) == "wss://h.example/"
    assert verify_upgrade([TOKEN], "wss://h.example/", twilios("wss://h.example")) == "wss://h.example"


def test_an_ipv6_literal_on_an_upgrade() -> None:
    signed = "https://[2001:db8::1]:443/media/twilio/"
    assert verify_upgrade([TOKEN], "wss://[2001:db8::1]/media/twilio", twilios(signed)) == signed


def test_a_plain_socket_of_this_machine_has_its_own_port_and_twin() -> None:
    signed = "http://127.0.0.1:8080/media/twilio"
    assert verify_upgrade([TOKEN], "ws://127.0.0.1:8080/media/twilio", twilios(signed)) == signed
    assert "ws://localhost:80/m" in upgrade_candidates("ws://localhost/m")


@pytest.mark.parametrize(
    "signed",
    [
        "wss://other.example.com/media/twilio",
        "wss://bridge.example.com/media/telnyx",
        "wss://bridge.example.com/media/twilio?token=1",
        "wss://bridge.example.com:8443/media/twilio",
        "http://bridge.example.com/media/twilio",
        "",
    ],
)
def test_another_url_is_not_this_one(signed: str) -> None:
    assert verify_upgrade([TOKEN], MEDIA, twilios(signed)) is None


# -- tokens and headers


def test_every_token_that_may_be_in_use_is_tried() -> None:
    for tokens in (["new", "old"], ("old", "new"), ["old"], "old"):
        assert verify_upgrade(tokens, MEDIA, twilios(MEDIA, token="old")) == MEDIA
    assert verify_upgrade(["new"], MEDIA, twilios(MEDIA, token="old")) is None
    assert verify_upgrade([], MEDIA, twilios(MEDIA)) is None


def test_a_token_given_as_text_is_one_token_and_not_its_letters() -> None:
    assert verify_upgrade("old", MEDIA, twilios(MEDIA, token="o")) is None


def test_an_empty_token_lets_nobody_in() -> None:
    for tokens in ("", [""], ["", "new"]):
        assert verify_upgrade(tokens, MEDIA, twilios(MEDIA, token="")) is None
        assert verify_form(tokens, VOICE, FORM, twilios(VOICE, FORM, token="")) is None


@pytest.mark.parametrize("header", [None, "", "é", "\udcff\udc00", "=", "A" * 10_000, twilios(MEDIA) + " "])
def test_a_header_that_is_no_signature_is_not_valid(header: str | None) -> None:
    assert verify_upgrade([TOKEN], MEDIA, header) is None
    assert verify_form([TOKEN], VOICE, FORM, header) is None


@given(st.integers(0, 27), st.characters(codec="ascii"))
def test_no_character_of_a_signature_can_be_changed(place: int, character: str) -> None:
    genuine = twilios(MEDIA)
    tampered = genuine[:place] + character + genuine[place + 1 :]
    assert bool(verify_upgrade([TOKEN], MEDIA, tampered)) == (tampered == genuine)


def test_a_url_or_a_field_that_is_no_utf8_is_not_valid() -> None:
    assert verify_form([TOKEN], VOICE + "?q=\udcff", FORM, twilios(VOICE, FORM)) is None
    assert verify_form([TOKEN], VOICE, {"a": "\udcff"}, twilios(VOICE, FORM)) is None


def test_the_header_is_twilios() -> None:
    assert SIGNATURE_HEADER.lower() == "x-twilio-signature"
