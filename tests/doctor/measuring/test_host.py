"""The disk and the libraries of this very machine."""

import os
import socket
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

from bridge.checks import faults
from bridge.config import load
from bridge.doctor.measuring import host
from bridge.store.sqlite import SQLiteStore


def test_a_folder_that_can_be_written(tmp_path):
    found = host.disk(tmp_path)

    assert (found.folder, found.fault) == (str(tmp_path), None)
    assert found.free > 0 and found.took > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_yet_is_made_by_no_one(tmp_path):
    assert host.disk(tmp_path / "a" / "b").folder == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "data").write_text("")

    assert host.disk(tmp_path / "data").fault == "ENOTDIR"
    assert host.disk(tmp_path / "data" / "below").fault == "ENOTDIR"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone else for a while")
def test_a_folder_of_another_user():
    with tempfile.TemporaryDirectory() as folder:  # which no one else may look into
        os.seteuid(65534)
        try:
            found, said = host.disk(Path(folder) / "data"), list(faults(load({"DATA_DIR": f"{folder}/data"}), {}))
        finally:
            os.seteuid(0)

    assert (found.folder, found.fault) == (folder, "EACCES")
    assert f"DATA_DIR: the record is kept there, and {folder} cannot be written" in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_what_takes_no_file_says_why():
    assert host.disk(Path("/proc")).fault


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that needs things, installed in a folder of its own."""

    def install(*needs, extras=()):
        about = tmp_path / "made_up-1.dist-info"
        about.mkdir()
        lines = ["Metadata-Version: 2.1", "Name: made-up", "Version: 1"]
        lines += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {need}" for need in needs]
        (about / "METADATA").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_libraries_are_held_against_what_is_needed(installed):
    installed(
        "aiohttp>=3",
        "pydantic>=999",
        "no-such-thing>=1",
        "for-another-python>=1; python_version < '3'",
        'yarl>=1; extra == "whole"',
        'no-such-thing; extra == "half"',
        'yarl; extra == "half"',
        extras=("whole", "half"),
    )
    libraries, extras = host.libraries("made-up")

    assert [(each.name, each.found, each.suits) for each in libraries] == [
        ("aiohttp", version("aiohttp"), True),
        ("pydantic", version("pydantic"), False),
        ("no-such-thing", None, False),
    ]
    assert extras == ["whole"]


def test_a_package_that_is_not_installed_needs_nothing_that_is_known(installed):
    assert host.libraries("no-such-thing") == (None, [])

    installed("!!!")
    assert host.libraries("made-up") == (None, [])


def test_the_bridges_own_libraries_suit():
    assert all(each.suits for each in host.libraries()[0] or ())
    assert host.python().startswith("3.")


async def test_who_has_the_record_of_a_folder(tmp_path):
    assert host.holder(tmp_path) is None
    async with SQLiteStore(tmp_path):
        assert host.holder(tmp_path) in (os.getpid(), 0)  # 0: of a system that does not tell
    assert host.holder(tmp_path) is None


def test_where_a_server_could_listen():
    assert host.listening("127.0.0.1", 0) is None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert host.listening("127.0.0.1", port) == "EADDRINUSE"
    assert host.listening("127.0.0.1", port) is None
    assert host.listening("192.0.2.1", 0) == "EADDRNOTAVAIL"
    assert host.listening("no address", 0) is not None


def test_a_free_port_is_one_that_no_one_has():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert host.free_port("127.0.0.1", port - 1) not in (port - 1, port)
    assert host.free_port("127.0.0.1", 65535) == 0
    assert host.free_port("192.0.2.1", 8080) == 0
