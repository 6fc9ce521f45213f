"""A real S3 server on loopback, moto's, in a process of its own."""

import contextlib
import itertools
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from bridge.store.archive.objects import StoredObjects, open_objects
from scripts import objects
from scripts.benchmark.target import free_port

_SECONDS = 30.0  # the server may take to start
_numbers = itertools.count()


@contextlib.contextmanager
def answering(process: "subprocess.Popen[bytes]", url: str) -> Iterator[None]:
    """A server from its first answer on, whatever that is; it is killed then."""
    ends = time.monotonic() + _SECONDS
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=1.0).close()
                break
            except urllib.error.HTTPError as refused:
                refused.close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > ends:
                    raise
                time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


class S3:
    """Started at its port, as often as is wanted."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "a-key",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_REGION": "us-east-1",
        }
        """With which the bridge finds it."""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """With nothing in it."""
        command = objects.s3_server()
        if command is None:
            pytest.skip("there is no S3 server here: ./scripts/objects installs it where it can")
        command += ["-H", "127.0.0.1", "-p", str(self.port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_clean())
        with answering(process, f"{self.url}/moto-api/"):
            yield

    def make_bucket(self, name: str | None = None) -> str:
        """Of this name, or a fresh one; its name."""
        name = name or f"bucket-{next(_numbers)}"
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT"), timeout=_SECONDS).close()
        return name


def _clean() -> dict[str, str]:
    """Without what would have another Python import the packages of this one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """One for all tests."""
    server = S3()
    with server.running():
        yield server


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> StoredObjects:
    """An empty one, below a prefix."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return open_objects(f"s3://{s3.make_bucket()}/calls/eu")
