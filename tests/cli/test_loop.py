import asyncio

import pytest

from bridge.cli.loop import run


async def answer():
    await asyncio.sleep(0)
    return 42


async def fail():
    raise ValueError("broken")


def test_it_runs_to_the_end_and_returns_what_comes():
    assert run(answer()) == 42


def test_an_exception_comes_through():
    with pytest.raises(ValueError, match="broken"):
        run(fail())
