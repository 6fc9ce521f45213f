"""What is asked of a call, on its way to another process."""

import json

import pytest

from bridge.call.requests import Outcome, Request, StreamNote
from bridge.deepgram.configuring import Configuration


@pytest.mark.parametrize(
    "request_",
    [
        Request("pause", "page"),
        Request("stop", "api"),
        Request("configure", "api", Configuration(("Acme", "Zoë\0\ud800"), None)),
        Request("configure", "api", Configuration((), True)),
        Request("configure", "page", Configuration(None, False)),
    ],
)
def test_a_request_arrives_as_it_was(request_):
    text = request_.to_json()
    assert text.isascii()
    assert Request.read(text) == request_


@pytest.mark.parametrize(
    "outcome", [Outcome("done", paused_at=1.5), Outcome("done"), Outcome("refused", "Deepgram: no.")]
)
def test_an_outcome_arrives_as_it_was(outcome):
    assert Outcome.read(outcome.to_json()) == outcome


def test_a_long_refusal_is_cut():
    assert len(Outcome("refused", "x" * 1_000_000).to_json()) < 5000


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"action": "later", "by": "api"},
        {"action": ["pause"], "by": "api"},
        {"action": "pause", "by": "someone"},
        {"action": "configure", "by": "api"},
        {"action": "configure", "by": "api", "keyterms": "Acme"},
        {"action": "configure", "by": "api", "keyterms": [], "numerals": 1},
    ],
)
def test_what_is_not_known_is_no_request(said):
    assert Request.read(json.dumps(said)) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"became": "done"}', '{"became": "later", "sentence": "", "paused_at": null}'],
)
def test_what_is_not_known_is_no_outcome(text):
    assert Outcome.read(text) is None


@pytest.mark.parametrize("error", [None, "31921 close error"])
def test_what_a_carrier_says_of_a_stream_arrives_as_it_was(error):
    note = StreamNote("twilio", "CA1", "MZ1", error)
    assert StreamNote.read(note.to_json()) == note
    assert Request.read(note.to_json()) is None


@pytest.mark.parametrize("text", ["{", Request("pause", "api").to_json(), '{"action": "note stream", "carrier": "x"}'])
def test_what_is_no_such_note(text):
    assert StreamNote.read(text) is None
