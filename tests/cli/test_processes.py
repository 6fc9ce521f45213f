"""What each of several processes is told, and what stops them from being started."""

import asyncio
import os
import signal
import sys
from types import SimpleNamespace

import pytest

from bridge.cli import processes
from bridge.config import load
from bridge.errors import ConfigError
from bridge.store.token import own_token

POSTGRES = {"DATABASE_URL": "postgresql://ann:sesame@db/x"}


def settings(tmp_path, **given):
    return load({"DATA_DIR": str(tmp_path), **POSTGRES, **given})


def test_each_has_a_folder_and_a_port_of_its_own_and_all_the_rest_is_the_same(tmp_path):
    shared = settings(tmp_path, PORT="9000", BRIDGE_ROLE="media,worker")
    places = processes.own_places(shared, 2)
    one, two = (
        processes.environment_of(number, shared, {"WEBHOOK_URL": "https://x.example", "PORT": "1"}, place)
        for number, place in enumerate(places, 1)
    )

    assert (one["DATA_DIR"], two["DATA_DIR"]) == (str(tmp_path / "process-1"), str(tmp_path / "process-2"))
    assert (one["BRIDGE_METRICS"], two["BRIDGE_METRICS"]) == ("127.0.0.1:9001", "127.0.0.1:9002")
    assert (one["BRIDGE_NODE_URL"], two["BRIDGE_NODE_URL"]) == ("http://127.0.0.1:9001", "http://127.0.0.1:9002")
    apart = ("DATA_DIR", "BRIDGE_METRICS", "BRIDGE_NODE_URL")
    assert {name: one[name] for name in one if name not in apart} == {
        "WEBHOOK_URL": "https://x.example",
        "PORT": "9000",
        "BRIDGE_ROLE": "media,worker",
        "BRIDGE_READ_TOKENS": own_token(tmp_path),
    }
    assert {name: two[name] for name in two if name not in apart}.items() <= one.items()
    assert load(one).metrics_address == ("127.0.0.1", 9001)


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ("127.0.0.1:9090", [("127.0.0.1", 9090), ("127.0.0.1", 9091)]),
        ("9090", [("0.0.0.0", 9090), ("0.0.0.0", 9091)]),
        ("[::1]:9090", [("::1", 9090), ("::1", 9091)]),
    ],
)
def test_the_ports_begin_where_the_metrics_are_set_to_be(tmp_path, given, places):
    shared = settings(tmp_path, BRIDGE_METRICS=given, BRIDGE_READ_TOKENS="t" * 16)

    assert processes.own_places(shared, 2) == places
    told = processes.environment_of(1, shared, {}, places[0])
    assert load(told).metrics_address == places[0]
    assert told["BRIDGE_READ_TOKENS"] == "t" * 16
    everywhere = processes.environment_of(1, shared, {"BRIDGE_NODE_URL": "http://a.example"}, ("0.0.0.0", 9001))
    assert everywhere["BRIDGE_NODE_URL"] == "http://127.0.0.1:9001", "the port that all share is no one's"


def test_there_must_be_ports_for_all(tmp_path):
    with pytest.raises(ConfigError, match="not enough ports"):
        processes.own_places(settings(tmp_path, PORT="65534"), 2)


@pytest.mark.parametrize(
    ("given", "asked", "said"),
    [
        ({"DATABASE_URL": ""}, {}, "--processes needs DATABASE_URL: a record in SQLite is one process's"),
        ({"BRIDGE_METRICS": "token"}, {}, "BRIDGE_METRICS=token is for one process"),
        ({}, {"local": True}, "leave --local and --tunnel out"),
        ({}, {"tunnel": True}, "leave --local and --tunnel out"),
    ],
)
def test_what_several_processes_cannot_be_started_with(tmp_path, given, asked, said):
    with pytest.raises(ConfigError, match=said):
        processes.check(settings(tmp_path, **given), **{"local": False, "tunnel": False, **asked})


def test_they_can_be_started_with_a_database_and_where_ports_can_be_shared(tmp_path, monkeypatch):
    processes.check(settings(tmp_path), local=False, tunnel=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="--processes needs Linux"):
        processes.check(settings(tmp_path), local=False, tunnel=False)


def test_audio_of_processes_that_do_not_run_is_found(tmp_path):
    for folder in ("process-1", "process-2", "process-3"):
        (tmp_path / folder / "audio" / "CA1").mkdir(parents=True)
    (tmp_path / "process-4" / "audio").mkdir(parents=True)

    assert processes.left_behind(tmp_path, 4) == []
    assert processes.left_behind(tmp_path, 2) == [tmp_path / "process-3"]
    (tmp_path / "audio" / "CA2").mkdir(parents=True)
    assert processes.left_behind(tmp_path, 3) == [tmp_path]


async def test_a_port_that_is_taken_stops_all_before_they_start(tmp_path):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for given, setting in (
            ({"PORT": str(port)}, "PORT"),
            ({"PORT": "0", "BRIDGE_METRICS": f"127.0.0.1:{port}"}, "BRIDGE_METRICS"),
        ):
            with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}: .*; set {setting} to another"):
                await processes.supervise(settings(tmp_path, HOST="127.0.0.1", **given), 2)
    assert not list(tmp_path.iterdir())


async def test_a_process_stops_when_its_supervisor_is_gone(monkeypatch):
    told, (ours, its) = asyncio.Event(), os.pipe()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    try:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: ours))
        processes.end_with_supervisor()
        await asyncio.sleep(0)
        assert not told.is_set()
        os.close(its)
        await asyncio.wait_for(told.wait(), 60)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        os.close(ours)
