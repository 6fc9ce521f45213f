"""A real server of Azure Blob Storage on loopback, Azurite, in a process of its own."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import itertools
import subprocess
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from bridge.store.archive.objects import StoredObjects, open_objects
from scripts import objects
from scripts.benchmark.target import free_port
from tests.fakes.s3 import answering

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite"""

_VERSION = "2021-08-06"
_numbers = itertools.count()


class Azure:
    """Started at its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.environment = {
            "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{self.port}/{ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        }
        """With which the bridge finds it."""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """With nothing in it."""
        command = objects.azure_server()
        if command is None:
            pytest.skip("there is no Azurite here: ./scripts/objects installs it where it can")
        options = ["--blobPort", str(self.port), "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
        process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with answering(process, f"http://127.0.0.1:{self.port}/"):
            yield

    def make_container(self) -> str:
        """A fresh one; its name. The library makes none: https://learn.microsoft.com/rest/api/storageservices"""
        name, date = f"container-{next(_numbers)}", formatdate(usegmt=True)
        signed = f"PUT{12 * chr(10)}x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
        signed += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        digest = hmac.digest(base64.b64decode(KEY), signed.encode(), hashlib.sha256)
        headers = {
            "x-ms-date": date,
            "x-ms-version": _VERSION,
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30.0)
        with contextlib.closing(connection):
            connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
            assert connection.getresponse().status == 201
        return name


@pytest.fixture(scope="session")
def azure() -> Iterator[Azure]:
    """One for all tests."""
    server = Azure()
    with server.running():
        yield server


@pytest.fixture
def container(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> StoredObjects:
    """An empty one, below a prefix."""
    for name, value in azure.environment.items():
        monkeypatch.setenv(name, value)
    return open_objects(f"az://{azure.make_container()}/calls/eu")
