"""The query of `GET /calls`."""

import pytest
from aiohttp.test_utils import make_mocked_request

from bridge.store import CallFilter
from bridge.web.filters import FILTERS, call_filter
from bridge.web.http import BadRequest


def read(query):
    return call_filter(make_mocked_request("GET", f"/calls?{query}"))


def test_what_is_not_asked_for_does_not_matter():
    assert read("") == read("q=&since=&from=&limit=5&before=x") == CallFilter()


def test_what_is_asked_for():
    wanted = CallFilter(active=True, from_="+1", since=0.0, text="order")

    assert read("active=true&from=%2B1&since=1970-01-01T00:00:00&q=order") == wanted


@pytest.mark.parametrize("query", ["active=yes", "since=yesterday", "until=2026-13-01", "nothing=1"])
def test_what_cannot_be(query):
    with pytest.raises(BadRequest):
        read(query)


def test_each_is_said():
    assert all(each.what for each in FILTERS)
