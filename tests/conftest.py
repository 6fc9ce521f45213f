"""What holds for every test."""

import asyncio
import os

import pytest
import uvloop
from hypothesis import Phase, settings

# No deadline: how long an example takes is the machine's affair. HYPOTHESIS_PROFILE=thorough looks much longer.
settings.register_profile("default", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=500)
# For many small faults: the same few examples every time, and no look for a smaller one.
settings.register_profile(
    "mutants", deadline=None, max_examples=15, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser):
    parser.addoption(
        "--browser", action="store_true", help="run the tests of the page in a real browser, and only those"
    )
    parser.addoption("--foreign", action="store_true", help="run the programs of foreign clients, and only those")


def pytest_xdist_auto_num_workers(config):
    """Half as many again as there are cores: the tests wait for a third of their time."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(config, items):
    """The browser's tests, and those of foreign clients, have runs of their own: they need what has to be installed
    first, and more seconds than all the rest of a file."""
    own_runs = ("browser", "foreign")
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
