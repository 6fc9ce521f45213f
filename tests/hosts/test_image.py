"""The image, where a Docker daemon answers: built, started, stopped."""

import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.proxies import program

pytestmark = pytest.mark.hosts

TOP = Path(__file__).parent.parent.parent
BUILD, START = 600, 60
"""Seconds."""
ENVIRONMENT = ("-e", "DEEPGRAM_API_KEY=key", "-e", "TWILIO_SIGNATURE=off", "-e", "DEEPGRAM_URL=ws://127.0.0.1:9")


def docker(*arguments: str | Path, seconds: float = START) -> str:
    """What it writes; it must be content."""
    command = [program("docker"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module", params=["", "root-disk"])
def image(request: pytest.FixtureRequest) -> Iterator[str]:
    """The usual one, and the one for hosts whose disks belong to root."""
    if subprocess.run([program("docker"), "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker daemon answers")
    name = f"media-stream-bridge-test:{uuid.uuid4().hex}"
    target = ("--target", request.param) if request.param else ()
    docker("build", "-t", name, *target, TOP, seconds=BUILD)
    yield name
    docker("image", "rm", "--force", name)


def test_it_gets_healthy_is_not_root_and_stops_when_told_to(image: str) -> None:
    container = docker("run", "--detach", *ENVIRONMENT, image)
    try:
        ends = time.monotonic() + START
        while docker("inspect", "--format", "{{.State.Health.Status}}", container) != "healthy":
            assert time.monotonic() < ends, docker("logs", container)
            time.sleep(0.5)
        (process,) = docker("top", container, "-eo", "uid,args").splitlines()[1:]
        assert process.split()[0] == "10001" and "bridge serve" in process
        assert docker("exec", "--user", "10001", container, "sh", "-c", 'test -w "$DATA_DIR" && echo writable')
        docker("stop", "--time", "30", container)
        # 137: it was killed, since the signal had not reached it.
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    finally:
        docker("rm", "--force", "--volumes", container)
