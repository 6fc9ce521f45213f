"""Deepgram, by what it answered."""

import json

import pytest

from bridge.deepgram.messages import Refusal
from bridge.doctor.finding import Mark
from bridge.doctor.judging import deepgram
from bridge.doctor.judging.network import Answer
from bridge.failure import Failure


def answered(**body):
    return Answer(200, "application/json", json.dumps(body).encode())


@pytest.mark.parametrize(
    ("refusal", "mark", "said", "remedy"),
    [
        (Refusal(400, "Bad Request: No such model", None), Mark.BROKEN, "No such model", "DEEPGRAM_OPTIONS"),
        (Refusal(401, "INVALID_AUTH", None), Mark.BROKEN, "refuses the key", "DEEPGRAM_API_KEY"),
        (Refusal(402, "ASR_PAYMENT_REQUIRED", None), Mark.BROKEN, "no credit", "pay in"),
        (Refusal(403, "INSUFFICIENT_PERMISSIONS", None), Mark.BROKEN, "may not use model=nova-3", "another model"),
        (Refusal(404, "HTTP 404", None), Mark.BROKEN, "no Deepgram answers", "DEEPGRAM_URL"),
        (Refusal(407, "proxy (status 407)", None), Mark.BROKEN, "407", "user:password"),
        (Refusal(429, "TOO_MANY_REQUESTS", None), Mark.DOUBT, "no more requests", "limit"),
        (Refusal(302, "HTTP 302", None), Mark.BROKEN, "another server", "DEEPGRAM_URL"),
        (Refusal(200, "HTTP 200", None), Mark.BROKEN, "another server", "DEEPGRAM_URL"),
        (Refusal(503, "HTTP 503", None), Mark.BROKEN, "is failing (503)", "status.deepgram.com"),
        (Refusal(None, "timeout", None), Mark.BROKEN, "in time", "firewall"),
        (Refusal(None, "tls (unknown issuer)", None), Mark.BROKEN, "unknown issuer", "SSL_CERT_FILE"),
        (Refusal(None, "words of no failure", None), Mark.BROKEN, "no sensible HTTP", "DEEPGRAM_URL"),
    ],
)
def test_a_refusal_has_its_remedy(refusal, mark, said, remedy):
    finding = deepgram.listening(refusal, "api.deepgram.com", "model=nova-3")

    assert finding.mark is mark
    assert said in finding.said and "api.deepgram.com" in finding.said
    assert remedy in finding.remedy


def test_a_key_that_is_known_lacks_a_right():
    finding = deepgram.listening(Refusal(401, "x", None), "api.deepgram.com", "model=nova-3", key_is_known=True)

    assert "may not transcribe" in finding.said
    assert "Member" in finding.remedy


def test_what_works_says_with_what():
    assert deepgram.listening(None, "api.deepgram.com", "model=nova-3").said == (
        "api.deepgram.com takes the key, and hears model=nova-3"
    )


@pytest.mark.parametrize(
    ("answers", "mark", "said"),
    [
        ([answered(balances=[{"amount": 120.5, "units": "usd"}])], Mark.FINE, "120.50"),
        ([answered(balances=[{"amount": 3, "units": "usd"}, {"amount": 3.5}])], Mark.FINE, "6.50"),
        ([answered(balances=[{"amount": 1}]), answered(balances=[{"amount": 2, "units": "USD"}])], Mark.DOUBT, "3.00"),
        ([answered(balances=[{"amount": 0.0, "units": "usd"}])], Mark.DOUBT, "0.00"),
        ([answered(balances=[{"amount": 90, "units": "hour"}])], Mark.SKIPPED, "tells no balance"),
        ([answered(balances=[{"amount": "1"}, 3, None])], Mark.SKIPPED, "tells no balance"),
        ([answered(balances=None)], Mark.SKIPPED, "tells no balance"),
        ([answered()], Mark.SKIPPED, "tells no balance"),
        ([Answer(200, "text/html", b"<html>")], Mark.SKIPPED, "tells no balance"),
        ([Answer(403)], Mark.SKIPPED, "may not read"),
        ([Failure("timeout")], Mark.SKIPPED, "may not read"),
        ([], Mark.SKIPPED, "may not read"),
    ],
)
def test_the_balance(answers, mark, said):
    finding = deepgram.balance(answers, "api.deepgram.com")

    assert (finding.mark, said in finding.said) == (mark, True)


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        (answered(projects=[{"project_id": "a"}, {"project_id": 1}, "b", {}]), ["a"]),
        (answered(projects="no"), []),
        (Answer(200, body=b"[]"), []),
        (Answer(401), []),
        (Failure("reset"), []),
    ],
)
def test_the_projects_of_a_key(answer, ids):
    assert deepgram.projects(answer) == ids


def test_a_key_is_known_where_its_token_is():
    assert deepgram.is_known(Answer(200))
    assert not deepgram.is_known(Answer(401))
    assert not deepgram.is_known(Failure("dns"))


@pytest.mark.parametrize(
    ("refusal", "mark", "said"),
    [
        (None, Mark.FINE, "opens a socket"),
        (Refusal(404, "HTTP 404", None), Mark.BROKEN, "no Vosk server"),
        (Refusal(None, "connect (ECONNREFUSED)", None), Mark.BROKEN, "nothing listens"),
    ],
)
def test_a_vosk_server(refusal, mark, said):
    finding = deepgram.vosk(refusal, "127.0.0.1:2700")

    assert (finding.mark, said in finding.said) == (mark, True)
