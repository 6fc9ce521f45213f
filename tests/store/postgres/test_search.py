"""What a filter asks for, as SQL."""

from bridge.store import CallFilter
from bridge.store.postgres.search import expired, listed, search


def test_a_filter_is_a_condition_for_each_of_its_parts() -> None:
    found = search(CallFilter(active=False, parties=("+1", "+2"), text='taxi "my order"'), "CA5", 10)
    assert found
    assert found.values == {
        "active": False,
        "parties": ["+1", "+2"],
        "term0": "'taxi'",
        "term1": "'my' <-> 'order'",
        "before": "CA5",
        "limit": 10,
    }
    for part in ("NOT (ended_at IS NULL)", "callee = ANY(%(parties)s)", "%(term1)s::tsquery", "%(before)s"):
        assert part in found.statement


def test_a_text_without_words_finds_nothing_and_no_text_finds_all() -> None:
    assert search(CallFilter(text="?!"), None, 10) is None
    found = search(CallFilter(), None, 10)
    assert found and "WHERE true" in found.statement
    assert found.found([("CA1", "{}", 1.0, None, 2, None, 1, None, "[]", None, None, None)])[0].snippet is None


def test_what_was_said_is_shown() -> None:
    found = search(CallFilter(text="order"), None, 10)
    assert found
    said = '{"data": {"text": "Where is my order?"}}'
    [call] = found.found([("CA1", "{}", 1.0, 2.0, 2, None, 1, "{}", "[]", "CA1--2", None, said)])
    assert (call.row.id, call.snippet, call.continued_by) == ("CA1", "Where is my order?", "CA1--2")


def test_lists_and_what_is_too_old() -> None:
    statement, values = listed(True, "CA1", "CA2", 3)
    assert statement.count(" AND ") == 2
    assert values == {"call_id": "CA1", "before": "CA2", "limit": 3}
    assert "WHERE" not in listed(False, None, None, 3)[0].partition("ORDER")[0].replace("WHERE id = %(before)s", "")
    assert expired(100 * 86400.0, None, 5)[1]["before"] == -1.0
    assert expired(100 * 86400.0, 10, 5)[1]["before"] == 90 * 86400.0
