import json
import logging
import sys

from bridge.logs import JsonFormatter, TextFormatter


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


def test_an_exception_is_kept():
    try:
        raise ValueError("broken")
    except ValueError:
        failed = record(exc_info=sys.exc_info())

    assert "ValueError: broken" in json.loads(JsonFormatter().format(failed))["exception"]
    assert "ValueError: broken" in TextFormatter().format(failed)
