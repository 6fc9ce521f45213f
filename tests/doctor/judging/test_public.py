"""Our public address, by what was measured of it."""

import json

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging import public
from bridge.doctor.judging.network import Answer, Lifetime
from bridge.failure import Failure

DAY = 86_400.0
HEALTH = json.dumps({"status": "ok", "calls": 3}).encode()


@pytest.mark.parametrize(
    ("found", "mark", "said"),
    [
        (("93.184.216.34",), Mark.FINE, "calls.example.com is 93.184.216.34"),
        (("2606:2800:220:1::1", "93.184.216.34"), Mark.FINE, "2606:2800:220:1::1, 93.184.216.34"),
        (("10.0.0.7",), Mark.DOUBT, "calls.example.com is 10.0.0.7 here, an address that no one outside"),
        (("127.0.0.1",), Mark.DOUBT, "127.0.0.1"),
        (("fe80::1%eth0",), Mark.DOUBT, "fe80::1%eth0"),
        (Failure("dns"), Mark.BROKEN, "there is no host"),
        (Failure("timeout"), Mark.BROKEN, "in time"),
    ],
)
def test_the_name(found, mark, said):
    finding = public.name(found, "calls.example.com")

    assert finding.mark is mark
    assert said in finding.said
    assert bool(finding.remedy) is (mark is not Mark.FINE)


def test_an_address_is_no_name():
    assert public.name(("10.0.0.7",), "10.0.0.7").said.startswith("10.0.0.7 is an address that no one outside")
    assert public.name(("93.184.216.34",), "93.184.216.34").mark is Mark.FINE


@pytest.mark.parametrize(
    ("left", "mark", "said"),
    [
        (90 * DAY, Mark.FINE, "good for 90 days"),
        (14 * DAY, Mark.FINE, "good for 14 days"),
        (13.5 * DAY, Mark.DOUBT, "ends in 13 days"),
        (1.5 * DAY, Mark.DOUBT, "ends in 1 day"),
        (600.0, Mark.DOUBT, "ends within a day"),
    ],
)
def test_the_end_of_the_certificate(left, mark, said):
    finding = public.certificate(Lifetime(1e9 + left - 90 * DAY, 1e9 + left), "calls.example.com", 1e9)

    assert (finding.mark, said in finding.said) == (mark, True)


@pytest.mark.parametrize(
    ("whole", "left", "mark", "said"),
    [
        (6.6 * DAY, 2.2 * DAY, Mark.FINE, "good for 2 days"),
        (6.6 * DAY, 1.2 * DAY, Mark.DOUBT, "ends in 1 day"),
        (DAY / 2, DAY / 6, Mark.FINE, "good for some hours"),  # Caddy's own authority
        (DAY / 2, DAY / 24, Mark.DOUBT, "ends within a day"),
    ],
)
def test_a_certificate_that_lives_for_days_is_not_always_late(whole, left, mark, said):
    finding = public.certificate(Lifetime(1e9 + left - whole, 1e9 + left), "calls.example.com", 1e9)

    assert (finding.mark, said in finding.said) == (mark, True)


def test_a_certificate_that_is_not_trusted():
    finding = public.certificate(Failure("tls", "certificate expired"), "calls.example.com", 0.0)

    assert finding.mark is Mark.BROKEN
    assert "certbot renew" in finding.remedy


@pytest.mark.parametrize(
    ("found", "said", "remedy"),
    [
        (Answer(502), "does not reach the bridge (502)", "bridge serve"),
        (Answer(503, "text/html", b"<html>"), "does not reach the bridge (503)", "port 8080"),
        (Answer(504), "(504)", "port 8080"),
        (Answer(530), "the tunnel", "start it"),
        (Answer(404, "text/html", b"", None, "ERR_NGROK_3200"), "ERR_NGROK_3200", "start it"),
        (
            Answer(301, location="https://www.example.com"),
            "redirects to https://www.example.com",
            "PUBLIC_URL=https://www",
        ),
        (Answer(308), "redirects to another place", "PUBLIC_URL"),
        (Answer(401), "asks who we are (401)", "without a login"),
        (Answer(403), "asks who we are (403)", "without a login"),
        (Answer(429), "no more requests", "raise its limit"),
        (Answer(404, "text/html", b"<h1>"), "with a page (404)", "without changing the path"),
        (Answer(200, "text/html", b"<h1>"), "with a page (200)", "without changing the path"),
        (Answer(200, "application/json", b'{"status": "up"}'), "with something else (200)", "port 8080"),
        (Answer(200, "application/json", b"[1]"), "with something else", "port 8080"),
        (Answer(200, "application/json", b"[" * 10_000), "with something else", "port 8080"),
        (Failure("connect", "ECONNREFUSED"), "nothing listens", "start the proxy"),
        (Failure("tls", "WRONG_VERSION_NUMBER"), "no TLS", "do TLS"),
    ],
)
def test_what_answers_in_the_bridges_place(found, said, remedy):
    finding = public.health(found, "calls.example.com", 8080)

    assert finding.mark is Mark.BROKEN
    assert said in finding.said
    assert remedy in finding.remedy


def test_the_bridge_is_known_by_its_health():
    assert public.health(Answer(200, "application/json", HEALTH), "calls.example.com", 8080).mark is Mark.FINE


@pytest.mark.parametrize(
    ("found", "mark", "said", "remedy"),
    [
        (403, Mark.BROKEN, "refuses the signature", "TWILIO_AUTH_TOKEN"),
        (401, Mark.BROKEN, "refuses the signature", "PUBLIC_URL"),
        (400, Mark.BROKEN, "lets no WebSocket through", "proxy_set_header Upgrade"),
        (426, Mark.BROKEN, "lets no WebSocket through", "Cloudflare"),
        (200, Mark.BROKEN, "lets no WebSocket through", "proxy_http_version 1.1"),
        (404, Mark.BROKEN, "no /media/twilio", "/media/"),
        (503, Mark.DOUBT, "no more calls", "/readyz"),
        (500, Mark.BROKEN, "answered with 500", "log"),
        (Failure("timeout"), Mark.BROKEN, "in time", "firewall"),
    ],
)
def test_an_upgrade_that_is_refused(found, mark, said, remedy):
    finding = public.media(found, "calls.example.com", signed=True)

    assert finding.mark is mark
    assert said in finding.said
    assert remedy in finding.remedy


@pytest.mark.parametrize(("signed", "said"), [(True, "with a signature"), (False, "unsigned")])
def test_an_upgrade_that_works(signed, said):
    finding = public.media(101, "calls.example.com", signed=signed)

    assert (finding.mark, said in finding.said) == (Mark.FINE, True)
