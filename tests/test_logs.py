import json
import logging
import sys

import pytest
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from bridge.errors import StoreError
from bridge.logs import JsonFormatter, TextFormatter, Throttle, configure, quote_no_future, quote_no_request, report
from tests.fakes.command import logging_kept


@pytest.mark.parametrize(
    ("terminal", "style", "formatter"),
    [(True, None, TextFormatter), (False, None, JsonFormatter), (True, "json", JsonFormatter)],
)
def test_a_terminal_gets_text_unless_it_is_set(terminal, style, formatter, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with logging_kept():
        configure("info", style)
        assert type(logging.getLogger().handlers[0].formatter) is formatter


def test_one_of_several_processes_says_which_it_is(capsys):
    with logging_kept():
        configure("info", "json", pid=17)
        logging.getLogger("bridge.app").info("serving")
    assert json.loads(capsys.readouterr().err)["pid"] == 17


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
        raise StoreError("broken\n12:00:00 info    call ended\x1b[2J")
    except StoreError:
        first, *rest = TextFormatter().format(record(exc_info=sys.exc_info())).split("\n")

    assert first.endswith("call up")
    assert rest[-2:] == ["  StoreError: broken", "  12:00:00 info    call ended\\x1b[2J"]
    assert all(line.startswith("  ") and line.isprintable() for line in rest)


def test_an_exception_is_kept():
    try:
        raise StoreError("broken")
    except StoreError:
        failed = record(exc_info=sys.exc_info())

    assert "StoreError: broken" in json.loads(JsonFormatter().format(failed))["exception"]
    assert "StoreError: broken" in TextFormatter().format(failed)


def fail_with_a_secret():
    """Every way in which one exception carries others."""
    try:
        try:
            try:
                raise KeyError("a-secret")
            except KeyError:
                raise ValueError("a-secret") from OSError(5, "a-secret", "/a-secret")
        except ValueError:
            raise ExceptionGroup("a-secret", [RuntimeError("a-secret"), TypeError("a-secret")])  # noqa: B904 - a context
    except ExceptionGroup:
        return record(exc_info=sys.exc_info())


def test_of_a_librarys_exception_the_words_are_left_out():
    failed = fail_with_a_secret()
    for said in (json.loads(JsonFormatter().format(failed))["exception"], TextFormatter().format(failed)):
        told = [line for line in said.splitlines() if "raise " not in line]
        assert not any("a-secret" in line for line in told)
        names = [line.strip() for line in told if line.strip().isidentifier()]
        assert names == ["OSError", "ValueError", "RuntimeError", "TypeError", "ExceptionGroup"]
        assert any("in fail_with_a_secret" in line for line in told)


def test_a_record_without_an_exception_has_none():
    assert "NoneType" not in TextFormatter().format(record(exc_info=(None, None, None)))


def test_a_task_that_failed_is_not_shown_with_its_exception():
    line = record(
        name="asyncio", msg="Task exception was never retrieved\nfuture: <Task exception=A('a-secret')>", args=()
    )
    assert quote_no_future(line)
    assert json.loads(JsonFormatter().format(line))["message"] == "Task exception was never retrieved"


def test_what_is_no_http_is_not_quoted():
    error = BadHttpMessage("Invalid header value char: b'Authorization: Bearer a-token\\r'")
    line = record(name="aiohttp.server", exc_info=(type(error), error, None), levelno=logging.ERROR)
    quote_no_request(line)
    text = JsonFormatter().format(line)
    assert "a-token" not in text and json.loads(text)["reason"] == "BadHttpMessage"
    assert json.loads(text)["level"] == "info"


def test_a_request_that_is_too_long_is_a_warning_that_says_what_helps():
    error = LineTooLong(b"GET /twiml/voice?secret", 8190)
    line = record(name="aiohttp.server", exc_info=(type(error), error, None), levelno=logging.ERROR)
    assert quote_no_request(line)
    entry = json.loads(JsonFormatter().format(line))

    assert (entry["level"], entry["reason"]) == ("warning", "LineTooLong")
    assert "by POST" in entry["remedy"] and "secret" not in str(entry)


def test_a_client_that_left_is_no_error():
    error = ConnectionResetError("Cannot write to closing transport")
    line = record(name="aiohttp.server", exc_info=(type(error), error, None), levelno=logging.ERROR)
    quote_no_request(line)

    assert (line.levelname, line.getMessage(), line.exc_info) == ("INFO", "a client left", None)


def test_an_error_of_ours_stays_one():
    line = record(name="aiohttp.server", exc_info=(ValueError, ValueError("x"), None), levelno=logging.ERROR)

    assert quote_no_request(line) and line.exc_info


class TestThrottle:
    def passed(self, throttle, times, **fields):
        given = {"name": "bridge.media", "msg": "stream refused", "args": (), "levelno": logging.WARNING, **fields}
        lines = [logging.makeLogRecord({**given, "created": 1000.0 + time}) for time in times]
        return [line for line in lines if throttle.filter(line)]

    def test_a_flood_is_a_few_lines_and_a_number(self):
        throttle = Throttle(lines=3, seconds=60.0)

        assert len(self.passed(throttle, range(60))) == 3
        first, second = self.passed(throttle, (60, 61))
        assert (first.left_out, hasattr(second, "left_out")) == (57, False)

    def test_each_reason_has_lines_of_its_own(self):
        throttle = Throttle(lines=1)

        assert len(self.passed(throttle, (0, 1), reason="a")) == len(self.passed(throttle, (2, 3), reason="b")) == 1

    def test_what_is_told_of_calls_is_let_through(self):
        throttle = Throttle(lines=1)

        assert len(self.passed(throttle, range(9), call_id="CA1", levelno=logging.INFO)) == 9
        assert len(self.passed(throttle, range(9), name="bridge.call")) == 9
        assert len(self.passed(throttle, range(9), call_id="CA1")) == 1

    def test_a_clock_that_is_set_back_holds_nothing_back_for_long(self):
        throttle = Throttle(lines=1)
        self.passed(throttle, (0, 1))

        assert len(self.passed(throttle, (-500,))) == 1

    def test_any_number_of_kinds_is_a_bounded_number_of_lines(self):
        throttle = Throttle(lines=1)

        assert sum(len(self.passed(throttle, (0,), reason=f"{number}")) for number in range(5000)) == 101
        assert sum(len(self.passed(throttle, (61,), reason=f"new {number}")) for number in range(99)) == 99


def test_what_ends_the_process_is_logged_without_its_words(caplog, capsys):
    error = ValueError("a-secret")
    report(ValueError, error, None)
    (last,) = caplog.records

    assert last.message == "the process ends with a fault"
    assert "a-secret" not in TextFormatter().format(last) + capsys.readouterr().err


def test_ctrl_c_is_no_fault(caplog, capsys):
    report(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert not caplog.records
    assert "KeyboardInterrupt" in capsys.readouterr().err
