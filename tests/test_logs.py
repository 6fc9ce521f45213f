import json
import logging
import sys

from aiohttp.http_exceptions import BadHttpMessage

from bridge.logs import JsonFormatter, TextFormatter, quote_no_request


def record(**fields):
    return logging.makeLogRecord(
        {"name": "bridge.call", "levelname": "INFO", "msg": "call %s", "args": ("up",), **fields}
    )


def test_a_line_of_json_has_the_fields_and_the_call():
    entry = json.loads(JsonFormatter().format(record(call_id="CA1", frames=3)))

    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info",
        "logger": "bridge.call",
        "message": "call up",
        "call_id": "CA1",
        "frames": 3,
    }


def test_text_leaves_out_what_is_not_known():
    assert TextFormatter().format(record(call_id="CA1", reason=None)).endswith("info    call up call_id=CA1")


def test_what_a_peer_says_stays_within_its_line_of_text_and_commands_no_terminal():
    said = "x\n12:00:00 info\r\x1b[2J\x9b\u2028\u202e\ud800 schön 你好"
    line = TextFormatter().format(record(msg=f"{said} %s", error=said))

    assert line.isprintable()
    assert line.count("x\\n12:00:00 info\\r\\x1b[2J\\x9b\\u2028\\u202e\\ud800 schön 你好") == 2


def test_an_exception_of_many_lines_forges_none():
    try:
        raise ValueError("broken\n12:00:00 info    call ended\x1b[2J")
    except ValueError:
        first, *rest = TextFormatter().format(record(exc_info=sys.exc_info())).split("\n")

    assert first.endswith("call up")
    assert rest[-2:] == ["  ValueError: broken", "  12:00:00 info    call ended\\x1b[2J"]
    assert all(line.startswith("  ") and line.isprintable() for line in rest)


def test_an_exception_is_kept():
    try:
        raise ValueError("broken")
    except ValueError:
        failed = record(exc_info=sys.exc_info())

    assert "ValueError: broken" in json.loads(JsonFormatter().format(failed))["exception"]
    assert "ValueError: broken" in TextFormatter().format(failed)


def test_what_is_no_http_is_not_quoted():
    error = BadHttpMessage("Invalid header value char: b'Authorization: Bearer a-token\\r'")
    line = record(name="aiohttp.server", exc_info=(type(error), error, None))
    assert quote_no_request(line)
    text = JsonFormatter().format(line)
    assert "a-token" not in text and json.loads(text)["reason"] == "BadHttpMessage"
