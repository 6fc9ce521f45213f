"""What holds for every test."""

import asyncio
import contextlib
import gc
import importlib
import os
import sys
from pathlib import Path

import pytest
import uvloop
from hypothesis import Phase, settings

from tests.fakes import contract, postgres

# No deadline: how long an example takes is the machine's affair. HYPOTHESIS_PROFILE=thorough looks much longer.
settings.register_profile("default", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=500)
# For many small faults: the same few examples every time, and no look for a smaller one.
settings.register_profile(
    "mutants", deadline=None, max_examples=15, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# A machine that writes no bytecode compiles all tests in every worker of every run, for a third of the suite's time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The contract of the bridge with machines: what any test sees it answer and tell must stand in it.
contract.look_at_everything()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """After the servers are closed: their last answers count, too."""
    result = yield
    if faults := contract.faults():
        pytest.fail("not in the contract:\n" + "\n".join(faults), pytrace=False)
    return result


def pytest_addoption(parser):
    parser.addoption(
        "--browser", action="store_true", help="run the tests of the page in a real browser, and only those"
    )
    parser.addoption("--foreign", action="store_true", help="run the programs of foreign clients, and only those")
    parser.addoption("--examples", action="store_true", help="run the programs of scripts/examples, and only those")
    parser.addoption("--objects", action="store_true", help="keep audio in a real object store, and only that")
    parser.addoption("--postgres", action="store_true", help="run what needs a PostgreSQL server, and only that")
    parser.addoption("--partitions", type=int, default=0, help="into so many the tables of PostgreSQL are divided")
    parser.addoption("--hosts", action="store_true", help="check what hosts run the bridge with, and only that")


def pytest_configure(config):
    postgres.PARTITIONS = config.getoption("--partitions")


def pytest_xdist_auto_num_workers(config):
    """Twice as many as there are cores: some of the tests wait for most of their time."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Each worker begins with files of its own: else all of them compile the same file at the same time."""
    if (worker := getattr(session.config, "workerinput", None)) is None:
        return
    files = sorted(file for given in session.config.args for file in Path(given).rglob("test_*.py"))
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        # The collection comes to it again, and tells what is wrong, or skipped because of what is not installed.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(
                ".".join(file.absolute().relative_to(session.config.rootpath).with_suffix("").parts)
            )


def pytest_collection_finish():
    """What is loaded by now stays: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config, items):
    """The browser's tests, and those of foreign clients, examples, hosts, S3 and PostgreSQL, have runs of their own:
    they need what has to be installed first, and more seconds than all the rest of a file."""
    own_runs = ("browser", "foreign", "examples", "hosts", "objects", "postgres")
    for name in own_runs:
        if config.getoption(f"--{name}"):
            config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker(name)])
            items[:] = [item for item in items if item.get_closest_marker(name)]
            return
    for item in items:
        for name in own_runs:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"runs with --{name}"))


_BOTH_LOOPS = (
    "tests/deepgram/test_client.py",
    "tests/deepgram/test_dialing.py",
    "tests/delivery/test_connection.py",
    "tests/delivery/test_poster.py",
)


def pytest_asyncio_loop_factories(config, item):
    """Everything on the loop that serves, and what owns timers and sockets on the standard one too."""
    loops = {"uvloop": uvloop.new_event_loop}
    if item.nodeid.startswith(_BOTH_LOOPS):
        loops["asyncio"] = asyncio.new_event_loop
    return loops
