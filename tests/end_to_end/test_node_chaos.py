"""A chaos run of nodes that is stopped leaves nothing behind: no node, no PostgreSQL, no balancer."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.fakes import postgres
from tests.fakes.waiting import until

ROOT = Path(__file__).parent.parent.parent

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are told by /proc"),
]


@pytest.fixture
def folder():
    """Where the run has all that it makes; PostgreSQL must get there as another user."""
    postgres.server()  # or the test is skipped
    place = Path(tempfile.mkdtemp(prefix="stopped-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def processes(folder):
    """Those that know of the folder, each with what it is."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = [(process / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue  # it is gone
        if any(os.fsencode(folder) in each for each in said) and said[0]:
            found[int(process.name)] = said[0].replace(b"\0", b" ").decode(errors="replace")
    return found


def has_database(folder):
    return any(folder.glob("chaos-*/postgres/data"))


def has_nodes(folder):
    logs = [log.read_text() for log in folder.glob("chaos-*/node?.log")]
    return len(logs) == 3 and all('"serving"' in log for log in logs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("begun", [has_database, has_nodes])
async def test_what_it_has_started_ends_with_it(folder, begun, number):
    command = (sys.executable, "-m", "tests.chaos", "--nodes", "3", "--short", "--seed", "1")
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    run = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE)
    try:
        await until(lambda: begun(folder), 60)
        if begun is has_nodes:
            assert sum(" serve" in each for each in processes(folder).values()) == 3
        run.send_signal(number)
        said, _ = await asyncio.wait_for(run.communicate(), 60)
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()

    assert run.returncode == 128 + number
    assert f"stopped by {number.name}" in said.decode()
    await until(lambda: not processes(folder), 60)
