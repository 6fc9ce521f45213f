"""Peers that most calls here have; a test that wants another one makes its own."""

import pytest

from bridge.local.receiver import Receiver
from tests.fakes.running import WEBHOOK_SECRET, deepgram


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def receiver():
    async with Receiver(WEBHOOK_SECRET) as webhook:
        yield webhook
