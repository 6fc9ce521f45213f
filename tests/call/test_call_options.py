"""What a call may wish for."""

from bridge.call.call_options import CallOptions
from bridge.deepgram import options
from bridge.redaction.rules import Rules

OURS = options.parse("language=en")


def test_a_call_may_set_what_it_is_allowed_to():
    call_options = CallOptions(OURS, frozenset({"language"}))

    assert call_options.of("CA1", {"deepgram.language": "es"}).get("language") == "es"
    assert call_options.of("CA1", {"team": "blue"}) == OURS


def test_what_may_not_work_is_granted_and_logged(caplog):
    call_options = CallOptions(options.parse("redact=pci"), frozenset({"language"}))

    assert call_options.of("CA1", {"deepgram.language": "es"}).get("language") == "es"
    assert "options of the call may not work" in caplog.text


def test_what_cannot_be_granted_is_ignored_and_logged_without_its_value(caplog):
    call_options = CallOptions(OURS, frozenset({"language", "keyterm"}))

    assert call_options.of("CA1", {"deepgram.callback": "https://elsewhere.example"}) == OURS
    assert "options of the call ignored" in caplog.text
    assert "elsewhere" not in caplog.text


def test_a_call_may_have_more_taken_out_but_not_less(caplog):
    call_options = CallOptions(OURS, redaction=Rules(frozenset(("card",))))

    assert call_options.rules("CA1", ()).names == ["card"]
    assert call_options.rules("CA1", ("email", "cards")).names == ["card", "email"]
    assert "nothing known to redact" in caplog.text
    assert "cards" not in caplog.text
