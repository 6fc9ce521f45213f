"""Each contract runs on every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.store import ManagedStore
from tests.fakes import words
from tests.fakes.azure import azure, container  # noqa: F401 - fixtures
from tests.fakes.s3 import bucket, s3  # noqa: F401 - fixtures
from tests.fakes.stores import NAMES, STORES, Open


@pytest.fixture(params=NAMES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def store(reopen: Open) -> AsyncIterator[ManagedStore]:
    async with reopen() as store:
        yield store


@pytest.fixture
async def full_store(store: ManagedStore) -> ManagedStore:
    """Three calls: two that have ended, and a newer one that goes on."""
    for call_id, text in (("CA1", "Where is my order?"), ("CA2", "Order a taxi, no: two taxis.")):
        events = words.conversation(call_id, finals=2)
        await store.append([events[0], words.final(call_id, 2, text=text), *events[2:]])
    await store.append([words.started("CA3"), words.final("CA3", 2, text="Ich m\u00f6chte bestellen")])
    return store
