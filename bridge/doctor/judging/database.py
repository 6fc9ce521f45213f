"""PostgreSQL, where the record is kept in it: whether it can have it, and for how many processes."""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.doctor.finding import Finding, broken, doubt, fine, skipped

DATABASE = "database"

OLDEST, COPYING = 15, 2**31 - 1
"""The oldest PostgreSQL; and what says that a record is being copied into it (`store.postgres.schema`)."""

_NEAR, _FAR = 0.005, 0.1
"""Seconds there and back; a commit is two of these, and a disk."""
_AGREE, _WRONG = 2.0, 60.0
"""Seconds by which clocks may differ."""
_LAG, _BEHIND = 30.0, 256_000_000
"""Seconds, and octets of the log, by which a standby may be behind."""


@dataclass(frozen=True, slots=True)
class Away:
    """No connection could be made."""

    answers: bool
    """Something is there, and does not let us in."""
    starts: bool = False
    """It is there, and takes no connections now."""


@dataclass(frozen=True, slots=True)
class Standbys:
    """What the server sends its log to."""

    count: int = 0
    synchronous: int | None = 0
    """Those that commits wait for; None: this user may not see."""
    lag: float | None = None
    """Seconds by which the slowest is behind; None: nothing is under way, or it cannot be seen."""
    behind: float | None = None
    """Octets of the log, likewise."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The bridge's, in that database."""

    version: int | None = None
    """None: there are none, or this user may not see."""
    oldest: int = 0
    may_make: bool = True
    """This user may make them, or change them where they are there."""
    are_there: bool = False
    lacking: str = ""
    """What this user may not do with them: `INSERT on call, USAGE on event_position`."""
    nodes: int = 0
    """Processes that have the record open."""


@dataclass(frozen=True, slots=True)
class Server:
    """What was measured of one that let us in."""

    version: int
    """Of PostgreSQL: 15."""
    encoding: str
    trip: float
    """Seconds there and back, the middle one of some."""
    skew: float
    """Seconds by which our clock is ahead of its."""
    pooled: bool
    """Something in between gives each transaction another connection."""
    standby: bool
    read_only: bool
    flushes: bool
    """What is committed is on the disk (`fsync`, `full_page_writes`)."""
    synchronous_commit: str
    waits_for_standbys: bool
    """`synchronous_standby_names` is set."""
    standbys: Standbys
    tables: Tables
    free: int
    """Connections that this user can still have."""
    bound: str
    """What bounds them: `max_connections`, `user`, `database`."""


@dataclass(frozen=True, slots=True)
class Program:
    """What this program wants of it."""

    version: int
    """Of the tables."""
    connections: int
    """That a process takes, at most."""


def away(found: Away) -> Finding:
    """Why there is no connection."""
    if found.starts:
        said = "the server at DATABASE_URL takes no connections now: it starts, stops, or recovers"
        return broken(DATABASE, said, "wait for it, and see its log if that takes long")
    if found.answers:
        said = "the server at DATABASE_URL answers, and does not let us in"
        remedy = 'correct DATABASE_URL: user, password, name of the database; psql "$DATABASE_URL" says what is refused'
        return broken(DATABASE, said, remedy)
    remedy = "start the server, and let this machine reach it (listen_addresses, a firewall), or correct DATABASE_URL"
    return broken(DATABASE, "nothing answers at DATABASE_URL", remedy)


def database(found: Server, wants: Program) -> list[Finding]:
    """A line for each thing."""
    findings = [_version(found)]
    if found.encoding != "UTF8":
        said = f"the database has the encoding {found.encoding}; UTF8 is needed"
        remedy = "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and correct DATABASE_URL to lead there"
        findings.append(broken(f"{DATABASE}.encoding", said, remedy))
    findings += _writable(found)
    findings += _tables(found.tables, wants)
    findings += [_trip(found), _pooler(found), *_durable(found)]
    return [*findings, _standbys(found), _room(found, wants), _clock(found)]


def _version(found: Server) -> Finding:
    check = f"{DATABASE}.version"
    if found.version < OLDEST:
        remedy = "move it to a newer one (pg_upgrade), and have DATABASE_URL lead there"
        return broken(check, f"it is PostgreSQL {found.version}; {OLDEST} or later is needed", remedy)
    return fine(check, f"PostgreSQL {found.version}, {found.encoding}")


def _writable(found: Server) -> Iterator[Finding]:
    check = f"{DATABASE}.writable"
    if found.standby:
        remedy = "name its primary in DATABASE_URL: host=one,two&target_session_attrs=read-write finds it among several"
        yield broken(check, "the server is a standby, and takes no writes", remedy)
    elif found.read_only:
        # In a transaction that may write: it is itself one of those that may not.
        typed = "SET default_transaction_read_only=off; ALTER ROLE CURRENT_USER SET default_transaction_read_only=off"
        remedy = f"as the user of DATABASE_URL: {typed}"
        yield broken(check, "transactions are read-only there (default_transaction_read_only)", remedy)


def _tables(tables: Tables, wants: Program) -> list[Finding]:
    rights, schema = f"{DATABASE}.rights", f"{DATABASE}.schema"
    grant = (
        "as the owner of the tables: GRANT USAGE ON SCHEMA bridge TO …; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL"
        " TABLES IN SCHEMA bridge TO …; GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA bridge TO …"
    )
    if not tables.are_there and not tables.may_make:
        remedy = "as the owner of the database: GRANT CREATE ON DATABASE … TO …, or start the bridge once as the owner"
        return [broken(rights, "there are no tables yet, and this user may not make them", remedy)]
    if not tables.are_there:
        return [
            fine(rights, "this user may make the tables"),
            fine(schema, "the first process to start makes the tables"),
        ]
    if tables.lacking:
        return [broken(rights, f"this user lacks rights: {_in_short(tables.lacking)}", grant)]
    return [fine(rights, "this user may do all that is done"), _schema(schema, tables, wants)]


def _schema(check: str, tables: Tables, wants: Program) -> Finding:
    version = tables.version or 0
    if tables.oldest == COPYING:
        remedy = "bridge migrate, where that record lies; it goes on where it was"
        return broken(check, "a record is being copied into it, and is not whole", remedy)
    if tables.oldest > wants.version:
        return broken(check, "newer versions of the bridge use it, which this one is too old for", "update the bridge")
    if version < wants.version and not tables.may_make:
        remedy = "start this version once as the owner of the tables"
        return broken(check, "the tables are of an older version, and this user may not change them", remedy)
    used = {0: "no process has them open", 1: "1 process has them open"}
    said = used.get(tables.nodes, f"{tables.nodes} processes have them open")
    if version < wants.version:
        return fine(check, f"the tables are of an older version, which the next start changes; {said}")
    return fine(check, f"the tables are of version {version}; {said}")


def _trip(found: Server) -> Finding:
    check, said = f"{DATABASE}.latency", f"it answers in {found.trip * 1000:.1f} ms"
    if found.trip <= _NEAR:
        return fine(check, said)
    if found.trip <= _FAR:
        return fine(check, f"{said}; words are shown that much twice later than with one in the same place")
    remedy = "have the bridge and the database in one region: every commit waits for two ways there and back"
    return doubt(check, said, remedy)


def _pooler(found: Server) -> Finding:
    check = f"{DATABASE}.pooler"
    if not found.pooled:
        return fine(check, "connections are the server's own")
    said = "a pooler in transaction mode is in between: other processes' events come half a second late, no interims"
    return doubt(check, said, "correct DATABASE_URL: to the server's own address, or to the pooler's in session mode")


def _durable(found: Server) -> Iterator[Finding]:
    check = f"{DATABASE}.commit"
    waits = found.waits_for_standbys and found.synchronous_commit != "local"
    if not found.flushes:
        said = "a crash of the server takes back what was committed (fsync or full_page_writes is off)"
        remedy = "ALTER SYSTEM SET fsync=on; ALTER SYSTEM SET full_page_writes=on; SELECT pg_reload_conf()"
        yield broken(check, said, remedy)
    elif waits and not found.standby and found.standbys.synchronous == 0:
        said = "every commit waits for a synchronous standby, and there is none"
        remedy = "start the standby, or ALTER SYSTEM SET synchronous_standby_names=''; SELECT pg_reload_conf()"
        yield broken(check, said, remedy)
    elif found.waits_for_standbys and not waits:
        said = "synchronous_commit=local: what is acknowledged may be on no standby"
        yield doubt(check, said, "as the user of DATABASE_URL: ALTER ROLE CURRENT_USER SET synchronous_commit=on")
    elif found.synchronous_commit == "off":
        yield fine(check, "synchronous_commit=off, which is not followed where events are written")
    else:
        yield fine(check, f"what is committed outlives a crash (synchronous_commit={found.synchronous_commit})")


def _standbys(found: Server) -> Finding:
    check, standbys = f"{DATABASE}.standbys", found.standbys
    if found.standby:
        return skipped(check, "this is a standby itself")
    if not standbys.count:
        return skipped(check, "no standby follows it: if its disk is lost, so is the record, but for its backups")
    named = "1 standby follows" if standbys.count == 1 else f"{standbys.count} standbys follow"
    if standbys.synchronous is None:
        return skipped(check, f"{named}; how closely, this user may not see", "GRANT pg_monitor TO … has it looked at")
    late, behind = standbys.lag or 0.0, standbys.behind or 0.0
    if late > _LAG or behind > _BEHIND:
        said = f"{named}, the slowest {late:.0f} s and {behind / 1e6:,.0f} MB behind"
        return doubt(check, said, "look at its log, its disk and the line to it: a failover now loses that much")
    waits = f"commits wait for {standbys.synchronous}" if standbys.synchronous else "commits wait for none"
    return fine(check, f"{named} closely; {waits}")


def _room(found: Server, wants: Program) -> Finding:
    check, each = f"{DATABASE}.room", wants.connections
    if found.free >= each:
        more = found.free // each
        processes = "1 more process" if more == 1 else f"{more} more processes"
        return fine(check, f"{found.free} connections are free: enough for {processes} of {each}")
    said = f"{max(0, found.free)} connections are free, and a process takes up to {each}"
    raised = {
        "user": "ALTER ROLE … CONNECTION LIMIT -1",
        "database": "ALTER DATABASE … CONNECTION LIMIT -1",
    }.get(found.bound, "ALTER SYSTEM SET max_connections higher and restart the server, or put a pooler in front of it")
    return doubt(check, said, raised)


def _clock(found: Server) -> Finding:
    check = f"{DATABASE}.clock"
    if abs(found.skew) <= _AGREE:
        return fine(check, "its clock and this machine's agree")
    where = "ahead of" if found.skew > 0 else "behind"
    said = f"this machine's clock is {abs(found.skew):.0f} s {where} the database's"
    remedy = "have both set by the network: timedatectl set-ntp true; retries go by one, leases by the other"
    return (doubt if abs(found.skew) <= _WRONG else broken)(check, said, remedy)


def _in_short(lacking: str) -> str:
    first, *others = lacking.split(", ")
    return f"{first} and {len(others)} more" if others else first
