"""The wheel: whole, presentable, and started as users start it."""

import contextlib
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli.main import COMMANDS
from bridge.local import sample
from tests.hosts.proxies import program

pytestmark = pytest.mark.hosts

TOP = Path(__file__).parent.parent.parent
SECONDS = 60
"""The packages that it needs may have to come from PyPI."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(TOP / name, source)
    for name in ("bridge", "twiml"):
        shutil.copytree(TOP / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(program("pyproject-build"), "--installer", "uv", "--outdir", folder / "dist", source)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a user who has started nothing yet."""
    return tmp_path_factory.mktemp("home")


def run(*command: str | Path, home: Path | None = None) -> str:
    """What a program writes to its standard output; it must be content."""
    path = f"{Path(program('uv')).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path}
    if home:
        own |= {"HOME": str(home), "UV_CACHE_DIR": str(home / "uv"), "PIPX_HOME": str(home / "pipx")}
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_has_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    here = {
        path.relative_to(TOP).as_posix()
        for name in ("bridge", "twiml")
        for path in (TOP / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here - packed == set()
    assert not [name for name in packed if name.startswith(("tests/", "scripts/"))]


def test_an_index_would_take_it_and_its_source(wheel: Path) -> None:
    said = run(program("twine"), "check", "--strict", *wheel.parent.iterdir())
    assert said.count("PASSED") == 2, said


@pytest.mark.parametrize("name", ["bridge", "media-stream-bridge"])
def test_uvx_starts_it(wheel: Path, home: Path, name: str) -> None:
    said = run(program("uvx"), "--from", wheel, name, "serve", "--help", home=home)
    assert "Serve calls until SIGTERM" in said


def test_pipx_starts_it(wheel: Path, home: Path) -> None:
    said = run(program("pipx"), "run", "--spec", wheel, "media-stream-bridge", "serve", "--help", home=home)
    assert "Serve calls until SIGTERM" in re.sub(r"\s+", " ", said)


STEPS = (
    ("call --speed 8", 0, "messages in"),
    ("calls", 0, "+15550101 → +15550123"),
    ("watch CALL", 0, "call ended"),
    ("transcript last", 0, "Good morning"),
    ("load --calls 1 --seconds 1", 0, "complete 1"),
    ("control last pause", 2, "bridge: "),
    ("deliver", 2, "set WEBHOOK_URL"),
    ("deliveries", 0, ""),
    ("audit", 0, "transcript"),
    ("backup copy.db", 0, ""),
    ("backfill CA1", 2, "no audio is kept of CA1"),
    ("delete last --yes", 0, "is deleted"),
    ("schema typescript", 0, "Delivery"),
    ("twiml", 0, "<Response>"),
    ("number +15550123", 2, "TWILIO_ACCOUNT_SID"),
    ("doctor --skip public-url --skip deepgram", 1, "libraries new enough; no extras"),
    ("webhook test", 2, "WEBHOOK_URL"),
    ("repair", 2, "bridge: "),
    ("migrate", 2, "set DATABASE_URL"),
    ("demo", 2, "[local]"),
    ("receive", 2, "[local]"),
    (f"stream {sample.CALL}", 2, "[stream]"),
    (f"import {sample.CALL}", 2, "[stream]"),
    ("drain", 0, "has let go of its calls"),
)
"""What is typed beside `bridge serve --local`, with which status it ends, and what it says: an extra, where one is
needed. CALL: the id that the first one says."""

SERVERS = (("serve --local", "serving"), ("deepgram --port 0", "listening"), ("vosk --port 0", "listening"))
"""Those that run until they are ended, and what they say when they are there."""


@pytest.fixture(scope="module")
def alone(wheel: Path, home: Path) -> Path:
    """The command, installed from the wheel and with no extra."""
    place = wheel.parent / "alone"
    run(program("uv"), "venv", "-q", place, home=home)
    run(program("uv"), "pip", "install", "-q", "--python", place / "bin" / "python", wheel, home=home)
    return place / "bin" / "bridge"


def variables(folder: Path) -> dict[str, str]:
    own = {"DEEPGRAM_API_KEY": "key", "PUBLIC_URL": "https://calls.example.com", "HOST": "127.0.0.1", "PORT": "0"}
    return {"PATH": os.defpath, "DATA_DIR": str(folder), "COLUMNS": "200", "LANG": "C.UTF-8", **own}


@pytest.fixture
def served(alone: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a bridge that serves with a script in the recognizer's place."""
    with server(alone, "serve --local", "serving", tmp_path):
        yield tmp_path


@contextlib.contextmanager
def server(alone: Path, typed: str, says: str, folder: Path) -> Iterator[None]:
    """One that runs; when it is told to it must end."""
    command = (str(alone), *typed.split())
    process = subprocess.Popen(command, env=variables(folder), cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = ""
        while says not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def test_alone_it_has_a_step_for_every_command() -> None:
    assert {typed.split()[0] for typed, *_ in (*STEPS, *SERVERS)} == set(COMMANDS)


@pytest.mark.parametrize(("typed", "says"), SERVERS[1:])
def test_alone_it_serves_a_script(alone: Path, tmp_path: Path, typed: str, says: str) -> None:
    with server(alone, typed, says, tmp_path):
        pass


def test_alone_it_runs_every_command_or_names_the_extra(alone: Path, wheel: Path, served: Path) -> None:
    call = "CALL"
    for typed, status, says in STEPS:
        done = subprocess.run(
            (str(alone), *typed.replace("CALL", call).split()),
            env=variables(served),
            cwd=served,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode, says in said) == (status, True), (typed, said)
        assert "Traceback" not in said, (typed, said)
        if says == "messages in":
            (call,) = re.findall(r"(?m)^call (\S+):", said)
        if says.startswith("["):  # what it says can be typed
            assert f"pip install '{wheel}{says}'" in said
