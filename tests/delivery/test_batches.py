"""A lane's batch from a real store: what the format has to be told again, and what it is made of besides."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.delivery.batches import PAGE, Batches
from bridge.delivery.format import Envelopes, Part
from bridge.delivery.signing import Signer, format_secret
from bridge.errors import StoreError
from bridge.outbox import Lane, call_header
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words

SIGNER = Signer(format_secret(b"s" * 32))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(tmp_path) as store:
        yield store


def lane(cursor: int, batch_to: int) -> Lane:
    return Lane("webhook", "CA1", call_header(words.started()), cursor, batch_to, 0, 0, None, (), False, "")


async def parts(batches: Batches, of: Lane) -> list[Part]:
    return await batches.parts(of, await batches.read(of))


async def test_what_is_not_known_of_a_long_call_is_read_in_pages(store: SQLiteStore) -> None:
    events = words.conversation(finals=2 * PAGE)
    await store.append(events)
    batches = Batches(store, Envelopes(SIGNER, types={"call.started", "call.ended"}))

    (part,) = await parts(batches, lane(len(events) - 1, len(events)))
    assert json.loads(part.request.body)["after"] == 1


async def test_a_whole_transcript_has_all_finals_before_the_end_and_none_after(store: SQLiteStore) -> None:
    await store.append(words.conversation(finals=PAGE + 10))
    end = PAGE + 12
    await store.append([words.final(seq=end + 1, text="afterwards", start=9999.0)])
    batches = Batches(store, Envelopes(SIGNER, transcript=True))

    (part,) = await parts(batches, lane(end - 1, end))
    (event,) = json.loads(part.request.body)["events"]
    said = " ".join(turn["text"] for turn in event["data"]["transcript"]["turns"])
    assert said.startswith("words of 2 ") and said.endswith(f"words of {end - 1}")


async def test_a_log_with_a_hole_is_refused(store: SQLiteStore) -> None:
    await store.append(words.conversation())
    with pytest.raises(StoreError, match="the log has 5 of 9 events after 0"):
        await parts(Batches(store, Envelopes(SIGNER)), lane(0, 9))
