"""What most tests of calls need: Deepgram, a store, and a clock that they set."""

import pytest

from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock
from tests.fakes.running import deepgram


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def store(tmp_path):
    async with SQLiteStore(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock():
    return HandClock()
