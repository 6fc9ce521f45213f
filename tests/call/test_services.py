"""Asking a carrier for a stream."""

import pytest

from tests.fakes.calls import HandClock, services, started


class NoServer:
    url = "ws://127.0.0.1:1"


@pytest.mark.parametrize(("answer", "sends"), [(None, True), ("the call is not in progress", False)])
async def test_a_carrier_is_asked_with_the_stream_that_was_and_its_tracks(answer, sends, caplog):
    asked = []

    async def refork(started, tracks):
        asked.append((started.stream_id, tracks))
        return answer

    given = services(None, NoServer, HandClock(), refork=refork)
    assert await given.ask_for_stream("CA1", started(), ("inbound",)) is sends
    assert asked == [("MZ1", ("inbound",))]
    assert ("no new stream" in caplog.text) is not sends


async def test_where_no_carrier_can_be_asked_it_is_not_tried_again():
    assert await services(None, NoServer, HandClock()).ask_for_stream("CA1", started(), ("inbound",)) is True
