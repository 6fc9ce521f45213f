"""The database of DATABASE_URL, asked by the user that the bridge is."""

from bridge.config import Settings
from bridge.doctor.finding import Finding, broken, skipped
from bridge.doctor.judging import database as judging
from bridge.store.opening import lacking_driver


async def examine_database(settings: Settings) -> list[Finding]:
    """Whether it can have the record, and for how many processes. Nothing is written. Raises StoreError for an address
    that is none."""
    if settings.database_url is None:
        return [skipped(judging.DATABASE, "DATABASE_URL is not set: the record is on this disk")]
    if lacking_driver():
        remedy = "pip install 'media-stream-bridge[postgres]'"
        return [broken(judging.DATABASE, "the driver of PostgreSQL is not installed", remedy)]
    from bridge.doctor.measuring import database as measuring  # not above: its driver is there only where it is wanted
    from bridge.store.postgres.connections import CONNECTIONS
    from bridge.store.postgres.schema import MIGRATIONS

    found = await measuring.ask(settings.database_url.get_secret_value())
    if isinstance(found, judging.Away):
        return [judging.away(found)]
    return judging.database(found, judging.Program(len(MIGRATIONS), CONNECTIONS))
