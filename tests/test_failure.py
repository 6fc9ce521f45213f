"""Exceptions of the network, as words of ours."""

import errno
import ssl
from socket import gaierror
from typing import get_args

import pytest

from bridge.failure import Failure, Kind, failure, read


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate is not valid for 'secret.example'")
    error.verify_code = code
    return error


def openssl(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "secret")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError("secret"), "timeout"),
        (gaierror(-2, "secret"), "dns"),
        (UnicodeError("secret"), "dns"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "secret"), "reset (ECONNREFUSED)"),
        (OSError("Multiple exceptions: secret"), "reset"),
        (OSError(99_999, "secret"), "reset"),
        (certificate(62), "tls (hostname mismatch)"),
        (openssl("WRONG_VERSION_NUMBER"), "tls (WRONG_VERSION_NUMBER)"),
        (openssl("a secret"), "tls"),
        (openssl(None), "tls"),
        (RuntimeError("secret"), "reset"),
    ],
)
def test_nothing_of_an_exceptions_text_is_told(error: Exception, told: str) -> None:
    assert str(failure(error, "reset")) == told


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (9, "certificate not yet valid"),  # X509_V_ERR_CERT_NOT_YET_VALID
        (10, "certificate expired"),  # X509_V_ERR_CERT_HAS_EXPIRED
        (18, "self-signed certificate"),  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        (19, "self-signed certificate in chain"),  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        (20, "unknown issuer"),  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        (21, "unknown issuer"),  # X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        (62, "hostname mismatch"),  # X509_V_ERR_HOSTNAME_MISMATCH
        (64, "address mismatch"),  # X509_V_ERR_IP_ADDRESS_MISMATCH
        (999, "certificate not accepted"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(code: int, told: str) -> None:
    assert failure(certificate(code), "reset") == Failure("tls", told)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_error_that_says_little_is_of_the_given_kind(kind: Kind) -> None:
    assert failure(OSError(), kind) == Failure(kind)


def test_a_name_that_does_not_exist_is_the_proxys_where_one_is_asked() -> None:
    assert failure(gaierror(-2, ""), "proxy") == Failure("proxy", "dns")


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("detail", [None, "certificate expired", "status 407"])
def test_a_failure_that_was_written_can_be_read(kind: Kind, detail: str | None) -> None:
    assert read(str(Failure(kind, detail))) == Failure(kind, detail)


def test_words_of_no_failure_are_no_sensible_answer() -> None:
    assert read("no connection within 10 seconds").kind == "protocol"
