"""Why a peer was not reached."""

from typing import get_args

import pytest

from bridge.doctor.judging.network import Answer, may_be_tls, speaks_tls, unreached
from bridge.failure import _CERTIFICATE, Failure, Kind


@pytest.mark.parametrize(
    ("why", "said", "remedy"),
    [
        (Failure("timeout"), "does not answer in time", "firewall"),
        (Failure("dns"), "there is no host", "dig +short peer.example"),
        (Failure("connect", "ECONNREFUSED"), "nothing listens", "open the port"),
        (Failure("blocked", "private"), "not dialled (private)", "BRIDGE_EGRESS_ALLOW"),
        (Failure("connect", "ENETUNREACH"), "no way to peer.example (ENETUNREACH)", "network"),
        (Failure("connect"), "no way to peer.example", "network"),
        (Failure("proxy", "status 407"), "(407)", "user:password"),
        (Failure("proxy", "dns"), "the proxy leads nowhere", "HTTPS_PROXY"),
        (Failure("tls", "certificate expired"), "(certificate expired)", "renew"),
        (Failure("tls", "certificate not yet valid"), "(certificate not yet valid)", "clock"),
        (Failure("tls", "self-signed certificate"), "(self-signed certificate)", "trust"),
        (Failure("tls", "unknown issuer"), "(unknown issuer)", "fullchain.pem"),
        (Failure("tls", "hostname mismatch"), "(hostname mismatch)", "name"),
        (Failure("tls", "address mismatch"), "(address mismatch)", "name"),
        (Failure("tls", "WRONG_VERSION_NUMBER"), "speaks no TLS", "port"),
        (Failure("tls", "SOMETHING_NEW"), "(SOMETHING_NEW)", "openssl s_client"),
        (Failure("tls"), "no secure connection", "openssl s_client"),
        (Failure("reset", "ECONNRESET"), "closes the connection", "log"),
        (Failure("protocol"), "no sensible HTTP", "another program"),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_a_failure_is_a_sentence_and_a_remedy(why, said, remedy, ours):
    told, do = unreached(why, "peer.example", "SETTING", ours=ours)

    assert said in told and "peer.example" in told
    assert remedy in do


@pytest.mark.parametrize("kind", get_args(Kind))
def test_no_kind_of_failure_is_forgotten(kind):
    assert all(unreached(Failure(kind), "peer.example", "SETTING"))


@pytest.mark.parametrize("detail", [*_CERTIFICATE.values()])
@pytest.mark.parametrize("ours", [True, False])
def test_every_fault_of_a_certificate_has_a_remedy_of_its_own(detail, ours):
    assert "openssl" not in unreached(Failure("tls", detail), "peer.example", "SETTING", ours=ours)[1]


@pytest.mark.parametrize(
    ("outcome", "may"),
    [
        (Failure("reset"), True),
        (Failure("protocol"), True),
        (Failure("timeout"), False),
        (Answer(400), True),
        (Answer(200), False),
        (Answer(502), False),
    ],
)
def test_what_a_server_of_tls_says_to_who_speaks_without(outcome, may):
    assert may_be_tls(outcome) is may


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("PUBLIC_URL", "write https:// in PUBLIC_URL, in the place of http://"),
        ("DEEPGRAM_URL", "write wss:// in DEEPGRAM_URL, in the place of ws://"),
    ],
)
def test_a_port_of_tls_wants_another_scheme(setting, remedy):
    assert speaks_tls("peer.example", setting) == ("peer.example speaks TLS at that port", remedy)


def test_what_to_type_has_the_port():
    assert "-connect peer.example:443" in unreached(Failure("tls"), "peer.example", "X")[1]
    assert "-connect 127.0.0.1:8443" in unreached(Failure("tls"), "127.0.0.1:8443", "X")[1]
