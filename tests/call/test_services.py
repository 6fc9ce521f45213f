"""What all calls share: asking a carrier for a stream, and what a further record has of the one before."""

from dataclasses import replace

import pytest

from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.calls import HandClock, services, started


class NoServer:
    url = "ws://127.0.0.1:1"


@pytest.mark.parametrize(("answer", "sends"), [(None, True), ("the call is not in progress", False)])
async def test_a_carrier_is_asked_with_the_stream_that_was_and_its_tracks(answer, sends, caplog):
    asked = []

    async def refork(started, tracks):
        asked.append((started.stream_id, tracks, started.asked))
        return answer

    given = services(None, NoServer, HandClock(), refork=refork)
    assert await given.ask_for_stream("CA1", started(), ("inbound",)) is sends
    assert await given.ask_for_stream("CA1", started(), ("inbound",), has_call=False) is sends
    assert asked == [("MZ1", ("inbound",), True), ("MZ1", ("inbound",), False)]
    assert ("no new stream" in caplog.text) is not sends


async def test_where_no_carrier_can_be_asked_it_is_not_tried_again():
    assert await services(None, NoServer, HandClock()).ask_for_stream("CA1", started(), ("inbound",)) is True


@pytest.mark.parametrize(
    ("was", "asks", "redact", "days"),
    [
        ({"redact": ["card", "digits"]}, {}, ("card", "digits"), None),
        ({"redact": ["card"]}, {"redact": ("phone", "card")}, ("phone", "card"), None),
        ({"redact": ["card", "a-label-of-the-operators"]}, {}, ("card",), None),
        ({"record_days": 2.0}, {}, (), 2.0),
        ({"record_days": 2.0}, {"record_days": 9.0}, (), 9.0),
        ({}, {"redact": ("email",)}, ("email",), None),
    ],
)
async def test_a_further_record_is_as_strict_as_the_one_before(tmp_path, was, asks, redact, days):
    begun = words.started()
    async with SQLiteStore(tmp_path) as store:
        await store.append([replace(begun, data=begun.data.model_copy(update=was))])
        given = services(store, NoServer, HandClock())
        found = await given.as_before(replace(started(), **asks), "CA1")
        unknown = await given.as_before(replace(started(), **asks), "CA9")

    assert (found.redact, found.record_days) == (redact, days)
    assert (unknown.redact, unknown.record_days) == (asks.get("redact", ()), asks.get("record_days"))
    assert await given.as_before(started(), None) == started()


async def test_a_carrier_is_asked_to_stop_a_stream_and_a_refusal_is_logged(caplog):
    asked = []

    async def stop(stream, stream_id):
        asked.append((stream.call_id, stream_id))
        return "busy" if stream_id == "MZ2" else None

    given = replace(services(None, NoServer, HandClock()), stops={"twilio": stop})
    await given.stop_stream(started(), "MZ1")
    assert not caplog.text
    await given.stop_stream(started(), "MZ2")
    await services(None, NoServer, HandClock()).stop_stream(started(), "MZ3")

    assert asked == [("CA1", "MZ1"), ("CA1", "MZ2")]
    assert "a stream is not stopped" in caplog.text
