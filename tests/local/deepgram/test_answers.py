"""What every answer carries."""

import json

from bridge.local.deepgram.answers import Answers
from bridge.local.deepgram.request import Refusal


def test_a_refusal_says_the_same_in_its_body_and_its_header():
    answer = Answers("project").refusal("id", Refusal(400, "Bad Request", "no `x`"))
    assert json.loads(answer.body) == {"err_code": "Bad Request", "err_msg": "no `x`", "request_id": "id"}
    assert (answer.status, answer.headers["dg-error"]) == (400, "no `x`")
    assert (answer.headers["dg-request-id"], answer.headers["dg-project-id"]) == ("id", "project")


def test_nothing_breaks_out_of_the_header():
    answer = Answers("project").refusal("id", Refusal(400, "Bad Request", "a\r\nSet-Cookie: ä"))
    assert answer.headers["dg-error"] == "a??Set-Cookie: ?"
    answer = Answers("project").refusal("id", Refusal(400, "Bad Request", "a" * 9000))
    assert len(answer.headers["dg-error"]) == 1000
