"""Opening says clearly what is wrong, and leaves alone what is not ours."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import StoreDamaged, StoreError
from bridge.store import sql
from bridge.store.files import Files, check
from bridge.store.trouble import FAILS, READ_ONLY
from tests.fakes.descriptors import held_open


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "bridge.db"


@pytest.fixture
def open_files(path: Path) -> Iterator[Files]:
    files = Files(path, 1.0)
    yield files
    files.close()


def test_the_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    Files(tmp_path / "var" / "data" / "bridge.db", 1.0).close()
    assert (tmp_path / "var" / "data" / "bridge.db").exists()


def test_settings_that_durability_rests_on(open_files: Files) -> None:
    def pragma(name: str) -> object:
        return open_files.writing.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2, "FULL"
    assert pragma("wal_autocheckpoint") == 8000
    assert pragma("journal_size_limit") == 64 * 2**20, "after a burst the disk is given back"
    assert pragma("secure_delete") == 1
    assert pragma("application_id") == int.from_bytes(b"brdg", "big"), "as in every database before"
    assert pragma("user_version") == len(sql.MIGRATIONS)


def test_readers_cannot_write(open_files: Files) -> None:
    with pytest.raises(StoreError, match="the disk is read-only"):
        open_files.read(lambda connection: connection.execute("DELETE FROM event"))


def test_only_the_owner_may_read(open_files: Files, path: Path) -> None:
    open_files.writing.execute("INSERT INTO endpoint (id) VALUES ('x')")
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_no_file_is_mapped_that_a_failing_disk_could_take_from_under_the_process(open_files: Files, path: Path) -> None:
    open_files.writing.execute("INSERT INTO endpoint (id) VALUES ('x')")
    assert open_files.read(lambda connection: connection.execute("SELECT id FROM endpoint").fetchall()) == [("x",)]

    assert {file.name for file in path.parent.iterdir()} == {"bridge.db", "bridge.db-wal", "bridge.lock"}
    assert str(path.parent) not in Path("/proc/self/maps").read_text()


def test_a_file_that_takes_nothing_any_more_is_told_from_a_failing_disk(
    open_files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = sqlite3.OperationalError()
    failing.sqlite_errorcode = sqlite3.SQLITE_IOERR
    assert open_files.trouble(failing) == FAILS
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert open_files.trouble(failing) == READ_ONLY
    assert open_files.trouble(ValueError()) is None


def test_a_second_process_is_refused(path: Path, open_files: Files) -> None:
    with pytest.raises(
        StoreError, match="another process uses .*bridge.db: stop it first, or give each its own DATA_DIR"
    ):
        Files(path, 1.0)


def test_the_lock_goes_with_its_holder(path: Path) -> None:
    Files(path, 1.0).close()
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)
    Files(path, 1.0).close()


def test_rubbish_is_not_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never a database " * 100)
    with pytest.raises(StoreError, match="is damaged: run `bridge repair`"):
        Files(path, 1.0)
    assert path.read_bytes().startswith(b"this was never")


def test_a_torn_database(path: Path) -> None:
    Files(path, 1.0).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    with pytest.raises(StoreError, match="is damaged: run `bridge repair`"):
        Files(path, 1.0)


def test_a_database_is_looked_through_for_so_long_and_no_longer(path: Path) -> None:
    """Within a table, too: damage at its end is not come to."""
    files = Files(path, 1.0)
    files.writing.execute("CREATE TABLE large (n)")
    rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 8000) SELECT randomblob(3000)"
    files.writing.execute(f"INSERT INTO large {rows} FROM n")
    files.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-8192] + b"\xff" * 8192)
    with closing(sqlite3.connect(path)) as connection:
        check(connection, 0.0)
        with pytest.raises(sqlite3.DatabaseError):
            check(connection, 60.0)


def test_damage_that_nothing_at_the_start_reads_is_found_at_the_start(path: Path) -> None:
    files = Files(path, 1.0)
    files.writing.execute("BEGIN")
    files.writing.executemany("INSERT INTO endpoint (id) VALUES (?)", [(f"{n:0100}",) for n in range(1000)])
    files.writing.execute("COMMIT")
    files.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-8192] + b"\xff" * 8192)
    with pytest.raises(StoreDamaged, match="is damaged"):
        Files(path, 1.0)


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="database of another program"):
        Files(path, 1.0)
    assert path.read_bytes() == before


def test_a_newer_version_is_not_guessed_at(path: Path) -> None:
    files = Files(path, 1.0)
    files.writing.execute(f"PRAGMA user_version = {len(sql.MIGRATIONS) + 1}")
    files.close()
    with pytest.raises(StoreError, match="newer version"):
        Files(path, 1.0)


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot open .*Not a directory|cannot open .*File exists"):
        Files(tmp_path / "file" / "bridge.db", 1.0)


def test_refusals_leave_no_lock(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 1000)
    with pytest.raises(StoreError):
        Files(path, 1.0)
    path.unlink()
    Files(path, 1.0).close()


def test_what_is_closed_is_held_open_no_longer(path: Path) -> None:
    files = Files(path, 1.0)
    assert held_open(path.parent)
    files.close()
    assert held_open(path.parent) == []


@pytest.mark.parametrize("content", [b"x" * 1000, None])
def test_what_is_refused_is_not_held_open(path: Path, content: bytes | None) -> None:
    path.parent.mkdir()
    if content is None:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.close()
    else:
        path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        Files(path, 1.0)
    assert held_open(path.parent) == [], refused.value
