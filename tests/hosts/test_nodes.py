"""The services of `compose.nodes.yaml`, with its environment, its commands and its health checks, without Docker."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import postgres
from tests.hosts.proxies import DEPLOY, program
from tests.hosts.topology import PATH, USER

pytestmark = pytest.mark.hosts

SECONDS = 400
_AS_JSON = "import json, sys, ruamel.yaml as yaml; print(json.dumps(yaml.YAML(typ='safe').load(open(sys.argv[1]))))"


def works(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, env={"PATH": PATH}, cwd="/").returncode == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the users of the services may look into."""
    with tempfile.TemporaryDirectory(prefix="bridge-nodes-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


def python() -> str:
    """One that the image's user may run, of the version whose packages are installed."""
    version = "import sys; assert sys.version_info[:2] == ({}, {})".format(*sys.version_info[:2])
    for found in (os.path.realpath(sys.executable), shutil.which("python3", path=PATH)):
        if found and works("setpriv", f"--reuid={USER}", "--clear-groups", f"--regid={USER}", found, "-c", version):
            return found
    pytest.skip("there is no Python that another user may run")


def test_two_nodes_a_database_an_object_store_and_a_balancer_work_as_the_file_has_them(folder: Path) -> None:
    if not works("unshare", "--mount", "--net", "ip", "link", "add", "br0", "type", "bridge"):
        pytest.skip("this user may make no network of its own")
    programs = postgres.programs()
    if programs is None or not (programs / "createdb").exists() or os.geteuid():
        pytest.skip("there is no PostgreSQL here")
    reads_yaml = Path(program("check-jsonschema")).with_name("python")
    compose = folder / "compose.json"
    file = str(DEPLOY / "compose.nodes.yaml")
    compose.write_text(
        subprocess.run([reads_yaml, "-c", _AS_JSON, file], capture_output=True, check=True, text=True).stdout
    )
    assert json.loads(compose.read_text())["services"]["caddy"]["image"] == "caddy:2" and program("caddy")
    given = [str(part) for part in (folder, compose, programs, program("weed"), python())]
    done = subprocess.run(
        ["unshare", "--mount", "--net", sys.executable, "-m", "tests.hosts.nodes", *given],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=DEPLOY.parents[1],
        env={"PATH": PATH, "PYTHONPATH": str(DEPLOY.parents[1])},
    )
    logs = {path.stem: path.read_text()[-1000:] for path in folder.glob("*.log")} if done.returncode else {}
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    assert done.stdout.splitlines()[-1] == "nothing is left on the nodes' disks"
