"""A private authority and a certificate for this machine, made for one run and valid for a day."""

import ssl
import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
_CHECKS = ("basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1,DNS:localhost")


class Authority:
    """Its files lie in a folder that the caller deletes."""

    def __init__(self, folder: Path) -> None:
        """Raises SystemExit where there is no openssl."""
        self.certificate = folder / "authority.pem"
        """For `SSL_CERT_FILE`."""
        key, server, server_key = (folder / name for name in ("authority.key", "server.pem", "server.key"))
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl(*_KEY, *usage, "-subj", "/CN=bench", "-keyout", key, "-out", self.certificate)
        checks = [part for check in _CHECKS for part in ("-addext", check)]
        signed_by = ("-CA", self.certificate, "-CAkey", key)
        _openssl(*_KEY, *checks, *signed_by, "-subj", "/CN=localhost", "-keyout", server_key, "-out", server)
        self.serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """For who serves."""
        self.serving.load_cert_chain(server, server_key)


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", "req", "-x509", *map(str, arguments)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        raise SystemExit("--tls makes a certificate with openssl, and there is none here.") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"openssl made no certificate:\n{error.stderr.decode()[-500:]}") from None
