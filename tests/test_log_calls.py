"""Every log line that the code can write: one about a call has its id, and none has room for what was said."""

import ast
import logging
from functools import cache
from pathlib import Path

from bridge.logs import JsonFormatter
from tests.fakes import frames
from tests.fakes.scraping import scrape_after_a_call

ROOT = Path(__file__).parent.parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}

FIELDS = {
    *("call_id", "stream_id", "request_id", "endpoint", "origin", "carrier", "address", "url", "public_url", "file"),
    *("path", "method", "status", "code", "description", "reason", "remedy", "error", "delay", "waiting", "seq"),
    *("attempts", "failures", "files", "enough_for_calls", "epoch", "events", "events_not_kept", "finals", "skipped"),
    *(
        "done",
        "tracks",
        "direction",
        "parameters",
        "counted_as",
        "event",
        "seconds",
        "signature",
        "mode",
        "present",
        "action",
        "check",
        "unknown",
        "calls",
        "heard",
        "late",
        "number",
        "pid",
        "roles",
    ),
}
"""What a line may say beside its message: `parameters` are the names of a stream's, `description` and `reason` words of
ours, or a peer's about a request; none is about what was said."""

OF_THE_PROCESS = ("bridge/doctor/", "bridge/supervisor.py")
"""Where no line is about a call."""

NOT_ABOUT_A_CALL = {
    # The process, its connections, its parts.
    "serving", "serving metrics", "stopping", "too few open files", "not all was recovered", "connection closed",
    "the process ends with a fault", "a task of the sender failed", "a task of the registry failed",
    "login failed", "a session may come back after a restart",
    # Requests of which no call is known, or that are refused before one is.
    "socket closed before start", "stream refused", "a carrier's request was refused",
    "a carrier asks a process that takes no calls",
    "the mark of a relayed stream is not valid",
    "the upgrade's signature is not valid", "a webhook without Twilio's signature",
    # The store and the disk, for all calls.
    "the store cannot tidy up", "the store cannot write, and tries again", "the store refused a write",
    "the store could not roll back", "the store failed a call", "recordings cannot be looked through",
    "cannot look for imports", "cannot look for requests to backfill", "what the disk holds cannot be seen",
    "what is too old cannot be deleted",
    # The object store, for all calls.
    "the object store fails", "the object store works again", "audio stays on this disk only",
    "cannot look for recordings", "cannot look for audio elsewhere", "the archive cannot be looked through",
    # PostgreSQL, for all calls.
    "the store cannot write; it goes on trying, and what is given to it waits", "the store can write again",
    "a heartbeat did not reach the database", "heartbeats reach the database again",
    "the lease of this process has run out: others may take its calls",
    "the lease of this process runs out by itself", "the clocks of this machine and of the database differ",
    "messages of other processes are polled for", "requests of other processes cannot be read",
    "a request of another process failed", "no other process is told that this one stops",
    "behind a pooler no messages arrive: what is new is looked for twice a second",
    # Endpoints and origins, for all calls.
    "the webhook has said that it is gone; nothing is sent", "the sender cannot claim; it will try again",
    "a probe failed", "deepgram's origin fails still", "deepgram's origin is well again",
    "a task of the delivery failed", "a named webhook waits for the store",
    "nothing is posted to a webhook that calls have named",
    # Two processes with one record in turn.
    "calls are heard by the next process", "waiting for the process that has the record",
    "the process that had the record has let go", "a process that waits says what is not understood",
    "no process can wait for this one's calls",
    "calls are not traced", "traces are not taken", "traces are taken again",
}  # fmt: skip


@cache
def calls():
    """(where, message, the names of its fields) of each."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", *told(node, function))
        for package in ("bridge", "twiml")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.relative_to(ROOT).parts[1] not in ("cli", "local")  # commands, and the peers that stand in for others
        for function, node in logged(ast.parse(path.read_text()))
    ]


def logged(tree):
    """Each log call, with the function that it is in."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_log(node.func):
                    yield function, node


def is_log(func):
    logger = ast.unparse(func.value)
    return func.attr in LEVELS and (logger == "log" or logger.startswith("logging.getLogger("))


def told(node, function):
    """The message, None where it is put together, and the fields, None for one whose name is not written there."""
    place = 1 if node.func.attr == "log" else 0
    message = (
        node.args[place].value if isinstance(node.args[place], ast.Constant) and len(node.args) == place + 1 else None
    )
    extra = next((word.value for word in node.keywords if word.arg == "extra"), None)
    return message, fields(extra, function)


def fields(extra, function):
    match extra:
        case None:
            return set()
        case ast.Dict(keys=keys, values=values):
            found = {key.value if isinstance(key, ast.Constant) else None for key in keys if key is not None}
            return found.union(
                *(fields(value, function) for key, value in zip(keys, values, strict=True) if key is None)
            )
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="_about")):
            return {"call_id", "file"}
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return fields(left, function) | fields(right, function)
        case ast.Name(id=name):
            assigned = [
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign | ast.AnnAssign)
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name) and target.id == name
            ]
            return {None}.union(*(fields(value, function) for value in assigned)) - ({None} if assigned else set())
        case _:
            return {None}


def test_the_walk_sees_the_calls():
    assert len(calls()) > 100


def test_every_message_is_written_down():
    assert [where for where, message, _ in calls() if message is None] == []


def test_fields_have_names_that_hold_no_content():
    assert [(where, named - FIELDS) for where, _, named in calls() if named - FIELDS] == []


def test_no_name_is_there_that_nothing_uses():
    assert FIELDS - set().union(*(named for _, _, named in calls())) == set()


def test_every_line_about_a_call_has_its_id():
    without = {message: where for where, message, named in calls() if "call_id" not in named}
    without = {message: where for message, where in without.items() if not where.startswith(OF_THE_PROCESS)}

    assert {where: message for message, where in without.items() if message not in NOT_ABOUT_A_CALL} == {}


def test_what_is_not_about_a_call_is_said_somewhere():
    assert NOT_ABOUT_A_CALL - {message for _, message, _ in calls()} == set()


async def test_the_log_of_a_call_tells_whose_it_is_and_nothing_that_was_said(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    _, events = await scrape_after_a_call(tmp_path)
    bridges = [record for record in caplog.records if record.name.startswith(("bridge", "twiml"))]
    ours = [record for record in bridges if not record.name.startswith("bridge.local")]
    texts = {event["data"]["text"] for event in events if event["type"] == "transcript.final"}
    lines = [*caplog.text.splitlines(), *(JsonFormatter().format(record) for record in ours)]

    assert len(texts) > 3
    assert {"call started", "deepgram connected", "call over"} <= {record.message for record in ours}
    assert [record.message for record in ours if getattr(record, "call_id", None) != frames.CALL] == []
    assert [line for line in lines for text in texts if text in line] == []
