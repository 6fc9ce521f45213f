"""Databases that are really broken: each is named, its remedy is followed to the letter, and then it works.

The manner is that of `test_remedies`; the servers are real ones.
"""

import re
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from bridge.doctor.finding import Mark
from bridge.store.sqlite import SQLiteStore
from tests.fakes import postgres, words
from tests.fakes.command import command
from tests.fakes.person import Person
from tests.fakes.setups import working
from tests.fakes.waiting import until

_numbers = count()

needs_server = pytest.mark.postgres

LONGEST = 60.0  # seconds that a server may take for what it was told

OF_THE_MACHINE = ("database.latency", "database.clock")
"""What a machine that is busy with other work may not do as well as it could."""


async def test_without_a_database_nothing_is_asked(tmp_path):
    async with working(tmp_path) as setup:
        (finding,) = await setup.findings("database")

    assert (finding.mark, finding.said) == (Mark.SKIPPED, "DATABASE_URL is not set: the record is on this disk")


async def test_without_the_driver_it_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.doctor.database.lacking_driver", lambda: "it is not there")
    async with working(tmp_path) as setup:
        (finding,) = await setup.findings("database", DATABASE_URL="postgresql://ann@/x")

    assert (finding.mark, finding.remedy) == (Mark.BROKEN, "pip install 'media-stream-bridge[postgres]'")


@pytest.fixture(scope="module")
def server():
    """A server of its own, whose settings can be changed."""
    pytest.importorskip("psycopg")
    if postgres.programs() is None:
        pytest.skip("there is no PostgreSQL here")
    with tempfile.TemporaryDirectory(prefix="bridge-pg-") as folder:
        made = postgres.Server(Path(folder))
        made.settings = {"listen_addresses": "", "max_connections": "60", "shared_buffers": "16MB"}
        made.start()
        yield made
        made.stop()


@dataclass
class Place:
    """A database there, whose owner is a user with no other rights, and another user."""

    server: postgres.Server
    name: str
    hands: dict = field(default_factory=dict)

    def url(self, user=None, database=None):
        user, database = user or self.name, database or self.name
        return f"postgresql://{user}@/{database}?host={self.server.folder}"

    def type(self, *statements, url=None):
        """Each by itself, one after the other, as in psql."""
        import psycopg

        before = self._loaded()
        with closing(psycopg.connect(url or self.url("bridge"), autocommit=True)) as connection:
            for statement in statements:
                connection.execute(statement)
        if "SELECT pg_reload_conf()" in statements:
            ends = time.monotonic() + LONGEST
            while self._loaded() == before:  # it is told by a signal, and new connections have it after that
                assert time.monotonic() < ends
                time.sleep(0.01)

    def _loaded(self):
        """When the server has last read its settings, as a new connection has it."""
        return postgres.execute("SELECT pg_conf_load_time()", self.url("bridge", "postgres"))

    def types(self, text, *names, url=None):
        """What a person does who types the statements of a remedy, with these names for each …"""

        def typed():
            given = iter(names)
            filled = re.sub("…", lambda _: next(given), text)
            self.type(*filled.split("; "), url=url)

        self.hands[text] = typed


@pytest.fixture
def place(server):
    name = f"place{next(_numbers)}"
    found = Place(server, name)
    unhurried = "SET synchronous_commit = local"  # a test may have it wait for a standby that is not there
    roles = (f"CREATE ROLE {name} LOGIN", f"CREATE ROLE plain{name} LOGIN")
    everyone = found.url("bridge", "postgres")
    found.type(unhurried, *roles, f"CREATE DATABASE {name} OWNER {name}", url=everyone)
    yield found
    found.type(unhurried, f"DROP DATABASE {name} WITH (FORCE)", url=everyone)


GRANT = (
    "GRANT USAGE ON SCHEMA bridge TO …; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bridge TO …; "
    "GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA bridge TO …"
)


async def nowhere(place):
    return "postgresql://ann@/x?host=/nowhere", "nothing answers", ""


async def no_such_database(place):
    return place.url(database="nowhere"), "does not let us in", ""


async def another_encoding(place):
    name = f"ascii{place.name}"
    place.type(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 OWNER {place.name}")
    return place.url(database=name), "the encoding SQL_ASCII", "correct DATABASE_URL"


async def read_only(place):
    place.type(f"ALTER ROLE {place.name} SET default_transaction_read_only = on")
    text = "SET default_transaction_read_only=off; ALTER ROLE CURRENT_USER SET default_transaction_read_only=off"
    place.types(text, url=place.url())
    return place.url(), "transactions are read-only", ""


async def no_right_to_make_tables(place):
    user = f"plain{place.name}"
    place.types("GRANT CREATE ON DATABASE … TO …", place.name, user, url=place.url())
    return place.url(user), "may not make them", ""


async def no_right_to_use_tables(place):
    from bridge.store.postgres.store import PostgresStore

    async with PostgresStore(place.url()):
        pass
    user = f"plain{place.name}"
    place.types(GRANT, user, user, user, url=place.url())
    return place.url(user), "lacks rights: USAGE on schema bridge", ""


async def no_right_to_some_tables(place):
    url, *_ = await no_right_to_use_tables(place)
    place.hands[GRANT]()
    place.type(f"REVOKE INSERT ON bridge.event FROM plain{place.name}", url=place.url())
    return url, "lacks rights: INSERT on event", ""


async def nothing_is_flushed(place):
    place.type("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    place.types("ALTER SYSTEM SET fsync=on; ALTER SYSTEM SET full_page_writes=on; SELECT pg_reload_conf()")
    return place.url(), "a crash of the server takes back", ""


async def a_standby_that_is_not_there(place):
    place.type("ALTER SYSTEM SET synchronous_standby_names = 'gone'", "SELECT pg_reload_conf()")
    place.types("ALTER SYSTEM SET synchronous_standby_names=''; SELECT pg_reload_conf()")
    return place.url(), "every commit waits", "ALTER SYSTEM"


async def too_few_connections(place):
    place.type(f"ALTER ROLE {place.name} CONNECTION LIMIT 5")
    place.types("ALTER ROLE … CONNECTION LIMIT -1", place.name)
    return place.url(), "and a process takes up to 8", ""


async def too_few_connections_of_the_database(place):
    place.type(f"ALTER DATABASE {place.name} CONNECTION LIMIT 6")
    place.types("ALTER DATABASE … CONNECTION LIMIT -1", place.name)
    return place.url(), "and a process takes up to 8", ""


BROKEN = (
    nowhere,
    no_such_database,
    another_encoding,
    read_only,
    no_right_to_make_tables,
    no_right_to_use_tables,
    no_right_to_some_tables,
    nothing_is_flushed,
    a_standby_that_is_not_there,
    too_few_connections,
    too_few_connections_of_the_database,
)


def is_well(findings):
    """Whether nothing is wrong with the server itself."""
    return {each.mark for each in findings if each.check not in OF_THE_MACHINE} <= {Mark.FINE, Mark.SKIPPED}


async def followed(setup, place, url, said, way):
    """What is said after the remedy of the line that has `said` was followed."""
    setup.environment["DATABASE_URL"] = url
    before = await setup.findings("database")
    (finding,) = [each for each in before if said in each.said]
    assert finding.mark in (Mark.BROKEN, Mark.DOUBT), before
    person = Person(setup)
    person.knows["DATABASE_URL"] = place.url()
    person.hands = place.hands
    await person.follow(finding, way)
    return finding, await setup.findings("database")


@needs_server
@pytest.mark.parametrize("breaks", BROKEN, ids=lambda breaks: breaks.__name__)
async def test_what_is_broken_is_named_and_works_once_its_remedy_is_followed(breaks, place, tmp_path):
    async with working(tmp_path) as setup:
        finding, after = await followed(setup, place, *await breaks(place))

    assert is_well(after), after
    assert [each.mark for each in after if each.check == finding.check] in ([Mark.FINE], []), after


@needs_server
async def test_a_pooler_is_named_and_avoided(tmp_path):
    async with working(tmp_path) as setup:
        with postgres.pooler() as url:
            found = await setup.findings("database", DATABASE_URL=url)
            (finding,) = [each for each in found if each.check == "database.pooler"]
            assert finding.mark is Mark.DOUBT
            setup.environment["DATABASE_URL"] = url
            person = Person(setup)
            person.knows["DATABASE_URL"] = postgres.server().url
            await person.follow(finding)
            after = await setup.findings("database")

    assert [each.mark for each in after if each.check == "database.pooler"] == [Mark.FINE]


@needs_server
async def test_half_a_record_is_named_and_made_whole(place, tmp_path):
    from bridge.store.moving.moving import move

    def breaks_off(*_):
        raise KeyError

    async with working(tmp_path) as setup:
        async with SQLiteStore(setup.data) as store:
            await store.append(words.conversation())
        with pytest.raises(KeyError):
            await move(setup.data, place.url(), breaks_off)

        async def migrate():
            assert (await command("migrate", **setup.environment)).status == 0

        place.hands["bridge migrate"] = migrate
        _, after = await followed(setup, place, place.url(), "a record is being copied", "")

    assert is_well(after), after


@needs_server
async def test_a_standby_is_no_place_for_the_record_and_is_seen_from_its_primary(server, place, tmp_path):
    with tempfile.TemporaryDirectory(prefix="bridge-pg-") as folder:
        standby = postgres.Server(Path(folder), follows=server)
        standby.settings = dict(server.settings)
        standby.start()
        try:
            await _look_at_both(setup_of=tmp_path, place=place, standby=folder)
        finally:
            standby.stop()


async def _look_at_both(setup_of, place, standby):
    both = f"host={standby},{place.server.folder}&target_session_attrs=read-write"
    async with working(setup_of) as setup:
        found = await setup.findings("database", DATABASE_URL=f"postgresql://{place.name}@/{place.name}?host={standby}")
        (finding,) = [each for each in found if each.mark is Mark.BROKEN]
        assert "is a standby" in finding.said and "host=one,two&target_session_attrs=read-write" in finding.remedy
        streams = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
        await until(lambda: postgres.execute(streams, place.url("bridge")))
        for user in ("bridge", place.name):
            after = await setup.findings("database", DATABASE_URL=f"postgresql://{user}@/{place.name}?{both}")
            assert is_well(after), after
            (seen,) = [each for each in after if each.check == "database.standbys"]
            assert seen.said.startswith("1 standby follows"), seen
