"""Which certificates are trusted."""

import pytest

from bridge.certificates import trusted
from bridge.errors import ConfigError
from tests.fakes.certificates import AUTHORITY


def names(context):
    return {value for authority in context.get_ca_certs() for part in authority["subject"] for _, value in part}


def test_a_private_authority_is_trusted_beside_the_others():
    usual = names(trusted({}))

    assert names(trusted({"SSL_CERT_FILE": str(AUTHORITY)})) == usual | {"A private authority of tests"}
    assert names(trusted({"SSL_CERT_FILE": ""})) == usual


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nnonsense"])
def test_a_file_without_certificates_stops_the_start(tmp_path, content):
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match="SSL_CERT_FILE must name a file"):
        trusted({"SSL_CERT_FILE": str(path)})
