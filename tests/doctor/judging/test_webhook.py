"""An endpoint, by what it made of a test event."""

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging import webhook
from bridge.doctor.judging.network import Answer, Lifetime
from bridge.failure import Failure


def judged(outcome, took=0.1, setting="WEBHOOK_URL", **given):
    return webhook.judge("webhook", setting, outcome, took, "app.example.com", **given)


@pytest.mark.parametrize(
    ("outcome", "said", "remedy"),
    [
        (Answer(301, location="app.example.com"), "redirects elsewhere (301)", "https://"),
        (Answer(302, location="login.example.com"), "redirects to login.example.com", "WEBHOOK_URL"),
        (Answer(308), "redirects elsewhere (308)", "slash"),
        (Answer(400), "rejects a test event (400)", "types that it does not know"),
        (Answer(422), "rejects a test event (422)", "WEBHOOK_SECRET"),
        (Answer(401), "refuses the signature, or us (401)", "WEBHOOK_SECRET"),
        (Answer(403), "refuses the signature, or us (403)", "before it is parsed"),
        (Answer(404), "no such path", "correct the path"),
        (Answer(405), "no POST", "take POST"),
        (Answer(410), "gone", "unset"),
        (Answer(413), "too large", "client_max_body_size"),
        (Answer(415), "application/json", "JSON"),
        (Answer(429), "no more posts", "limit"),
        (Answer(500, "text/html"), "fails (500)", "log"),
        (Answer(502), "does not reach the endpoint", "start the endpoint"),
        (Answer(304), "answers with 304", "2xx"),
        (Answer(418), "answers with 418", "2xx"),
        (Failure("timeout"), "has not answered a test event within 15 s", "answer 2xx first"),
        (Failure("tls", "self-signed certificate"), "self-signed", "SSL_CERT_FILE"),
        (Failure("connect", "ECONNREFUSED"), "nothing listens", "WEBHOOK_URL"),
        (Failure("dns"), "no host app.example.com", "dig"),
    ],
)
def test_every_answer_has_its_likely_fault(outcome, said, remedy):
    finding = judged(outcome, took=15.0)

    assert finding.mark is Mark.BROKEN
    assert said in finding.said
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("outcome", "took", "secure", "mark", "said"),
    [
        (Answer(204), 0.03, True, Mark.FINE, "took a test event: 204 in 0.03 s"),
        (Answer(200, "application/json"), 0.03, True, Mark.FINE, "200"),
        (Answer(200, "text/html"), 0.03, True, Mark.DOUBT, "web page"),
        (Answer(200), 9.0, True, Mark.DOUBT, "9.00 s"),
        (Answer(200), 0.1, False, Mark.DOUBT, "unencrypted"),
    ],
)
def test_what_is_taken_may_be_doubtful(outcome, took, secure, mark, said):
    finding = judged(outcome, took, secure=secure)

    assert (finding.mark, said in finding.said) == (mark, True)


def test_twilios_format_is_signed_with_the_auth_token():
    assert "TWILIO_AUTH_TOKEN" in judged(Answer(403), setting="BRIDGE_TWILIO_TRANSCRIPTION_URL").remedy


@pytest.mark.parametrize(
    ("found", "mark", "said"),
    [
        (None, Mark.FINE, "is there"),
        (Lifetime(1e9, 1e9 + 90 * 86_400), Mark.FINE, "is there"),
        (Lifetime(1e9 - 90 * 86_400, 1e9 + 3_000), Mark.DOUBT, "ends within 1 hours"),
        (Failure("tls", "certificate expired"), Mark.BROKEN, "certificate expired"),
    ],
)
def test_one_that_is_not_posted_to(found, mark, said):
    finding = webhook.reach("webhook", "WEBHOOK_URL", found, "app.example.com", 1e9)

    assert (finding.mark, said in finding.said) == (mark, True)
