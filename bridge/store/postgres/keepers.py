"""Who has a call, and who begins a record, by rows: streams of one call that come to several nodes find one of them.

A record is begun in memory, and in the database a moment later. A row of `beginning` stands for it meanwhile: it is not
logged, and after a crash of the database two nodes may begin the same record, of which one is refused then.
"""

from bridge.store.postgres.connections import Database
from bridge.store.relaying import Keeper

_KEEPER = """
    SELECT node.id, url, key FROM bridge.call JOIN bridge.node ON node.id = owner
    WHERE carrier_call_id = %(call_id)s AND ended_at IS NULL AND owner <> %(node)s
    AND url IS NOT NULL AND key IS NOT NULL AND NOT leaving AND expires_at > clock_timestamp()
    ORDER BY number DESC LIMIT 1"""

_BEGIN = """
    INSERT INTO bridge.beginning (call_id, node) VALUES (%(call_id)s, %(node)s)
    ON CONFLICT (call_id) DO UPDATE SET node = excluded.node, since = clock_timestamp()
    WHERE beginning.node = excluded.node OR NOT EXISTS (
        SELECT 1 FROM bridge.node WHERE node.id = beginning.node AND expires_at > clock_timestamp())
    RETURNING node"""

_BEGINS = """
    SELECT node.id, url, coalesce(key, '') FROM bridge.beginning JOIN bridge.node ON node.id = beginning.node
    WHERE call_id = %(call_id)s"""


class PostgresKeepers:
    """A part of `PostgresStore`, which has the database."""

    def __init__(self, database: Database, node: str, key: str) -> None:
        self.key = key
        self._database = database
        self._node = node

    def __repr__(self) -> str:
        return f"<PostgresKeepers {self._node}>"

    async def find(self, call_id: str) -> Keeper | None:
        for row in await self._database.query(_KEEPER, {"call_id": call_id, "node": self._node}):
            return Keeper(*row)
        return None

    async def begin(self, record_id: str) -> Keeper | None:
        values = {"call_id": record_id, "node": self._node}
        while not await self._database.query(_BEGIN, values):
            for row in await self._database.query(_BEGINS, values):
                return Keeper(*row)
        return None  # else the other one has gone between the two
