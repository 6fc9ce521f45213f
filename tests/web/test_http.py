import json

import pytest
from aiohttp.test_utils import make_mocked_request

from bridge.contract.operation import whole
from bridge.web.http import BadRequest, answer, number, refusal, types


def test_answers_are_kept_by_nobody():
    for response in (answer({"text": "ü"}), refusal(404, "No.")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
    assert answer({"text": "ü"}).text == '{"text": "ü"}'


def test_a_refusal_says_why():
    response = refusal(401, "Why.", {"WWW-Authenticate": "Bearer"})
    assert (response.status, json.loads(response.text or ""), response.headers["WWW-Authenticate"]) == (
        401,
        {"error": "Why."},
        "Bearer",
    )


N = whole("n", "How many.", default=5, most=10)


@pytest.mark.parametrize(("query", "value"), [("", 5), ("?n=0", 0), ("?n=10", 10)])
def test_a_number(query, value):
    assert number(make_mocked_request("GET", f"/{query}"), N) == value


@pytest.mark.parametrize("query", ["?n=", "?n=11", f"?n={'1' * 5000}", "?n=-1", "?n=1.0", "?n=%C2%B2", "?n=x"])
def test_what_is_no_number(query):
    with pytest.raises(BadRequest, match="n must be a whole number, 0 to 10"):
        number(make_mocked_request("GET", f"/{query}"), N)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [("", ()), ("?types=", ()), ("?types=call.started,,call.ended", ("call.started", "call.ended"))],
)
def test_types(query, wanted):
    assert types(make_mocked_request("GET", f"/{query}")) == wanted


def test_a_type_that_there_is_not():
    with pytest.raises(BadRequest, match="no event type a.b; there are call.started"):
        types(make_mocked_request("GET", "/?types=call.ended,x,a.b"))
