"""Sentences that would stop a start, and what to type about each."""

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging.settings import fault, names, typed, useless

FILES = {
    "BRIDGE_ENDPOINTS": "/etc/endpoints.toml",
    "BRIDGE_TOKENS_FILE": "/etc/tokens.toml",
    "BRIDGE_REDACT_PATTERNS": "/etc/patterns",
}


@pytest.mark.parametrize(
    ("sentence", "said", "remedy"),
    [
        (
            "unknown setting BRIDGE_CHUNKS (did you mean BRIDGE_CHUNK_MS?); bridge/docs/settings.md lists them all",
            "unknown setting BRIDGE_CHUNKS (did you mean BRIDGE_CHUNK_MS?)",
            "rename BRIDGE_CHUNKS to BRIDGE_CHUNK_MS",
        ),
        (
            "WEBHOOK_URl is no setting of the bridge (did you mean WEBHOOK_URL?); if it is another program's, set it",
            "WEBHOOK_URl is no setting",
            "rename WEBHOOK_URl to WEBHOOK_URL",
        ),
        ("DEEPGRAM_OPTIONS: modle is unknown: did you mean model?", "modle", "rename modle to model"),
        ("DEEPGRAM_OPTIONS: there is no model nova3: did you mean nova-3?", "nova3", "rename nova3 to nova-3"),
        (
            "DEEPGRAM_OPTIONS: language is not a code of ISO 639 (did you mean ja?)",
            "language is not a code",
            "write language=ja in DEEPGRAM_OPTIONS",
        ),
        (
            "unknown setting BRIDGE_X; bridge/docs/settings.md lists them all",
            "unknown setting BRIDGE_X",
            "unset BRIDGE_X",
        ),
        ("PORT: must be a whole number", "PORT: must be", "correct PORT, or unset it for its default"),
        (
            "HOST: is a placeholder that nothing has filled in; type the value itself",
            "type the value itself",
            "correct HOST, or unset it",
        ),
        ("DEEPGRAM_API_KEY: must be the key alone", "must be the key alone", "export DEEPGRAM_API_KEY=…"),
        ("set PUBLIC_URL to the https origin", "set PUBLIC_URL", "export PUBLIC_URL=https://…"),
        ("BRIDGE_SAY needs PUBLIC_URL: why; set PUBLIC_URL, or unset BRIDGE_SAY", "why", "set PUBLIC_URL, or unset"),
        ("BRIDGE_ENDPOINTS: the file is no TOML (line 7)", "no TOML", "mend line 7 of /etc/endpoints.toml, or unset"),
        ("BRIDGE_ENDPOINTS: endpoint crm: url is missing", "is missing", "mend endpoint crm of /etc/endpoints.toml"),
        ("BRIDGE_ENDPOINTS: endpoint number 2: name is missing", "number 2", "mend endpoint number 2 of /etc/"),
        (
            "BRIDGE_TOKENS_FILE: the token crm has no rights: leave",
            "no rights",
            "mend the token crm of /etc/tokens.toml",
        ),
        ("BRIDGE_TOKENS_FILE: is no TOML: it consists of", "is no TOML", "mend /etc/tokens.toml, or unset"),
        (
            "BRIDGE_TOKENS_FILE: it cannot be read: No such file",
            "be read",
            "set BRIDGE_TOKENS_FILE to a file that can be",
        ),
        ("BRIDGE_REDACT_PATTERNS: line 2 has an expression", "line 2", "mend line 2 of /etc/patterns"),
        ("endpoint webhook: it leads astray; post elsewhere", "leads astray", "correct WEBHOOK_URL: post elsewhere"),
        ("endpoint twilio: it leads astray", "leads astray", "correct BRIDGE_TWILIO_TRANSCRIPTION_URL"),
        ("endpoint crm: it leads astray", "leads astray", "correct the url of crm in the file of BRIDGE_ENDPOINTS"),
        ("this host has no disk", "no disk", "correct it"),
    ],
)
def test_what_to_type_is_named(sentence, said, remedy):
    found = fault(sentence, FILES)

    assert (found.check, found.mark) == ("settings", Mark.BROKEN)
    assert said in found.said and found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("sentence", "remedy"),
    [
        ("BRIDGE_PAUSE does nothing with BRIDGE_DIAL", "unset BRIDGE_PAUSE, or set what it needs"),
        ("TWILIO_AUTH_TOKEN checks no stream; unset TWILIO_SIGNATURE", "unset TWILIO_SIGNATURE"),
        ("DEEPGRAM_OPTIONS: keyterm has many; Deepgram counts", "correct DEEPGRAM_OPTIONS, unless it is meant so"),
    ],
)
def test_what_does_nothing_may_be_left_out(sentence, remedy):
    found = useless(sentence)

    assert (found.mark, found.remedy) == (Mark.DOUBT, remedy)


def test_a_setting_is_known_by_its_letters():
    assert names("set PORT, DATA_DIR and HTTP: TOML is no setting, BRIDGE_X is") == ["PORT", "DATA_DIR", "BRIDGE_X"]
    assert typed("BRIDGE_X") == "correct BRIDGE_X" and "openssl rand" in typed("WEBHOOK_SECRET")
