"""The outbox's statements are held to the same rules as the others, in `test_sql`; here, that none is in both."""

from bridge.store import sql, sql_outbox


def test_no_statement_has_two_places() -> None:
    assert not {name for name in vars(sql) if name.isupper()} & {name for name in vars(sql_outbox) if name.isupper()}
