"""What a call asks its carrier for."""

import asyncio
from collections import Counter

from bridge.call.asking import Asking
from tests.fakes.calls import HandClock, services, started


class Server:
    url = "ws://127.0.0.1:1"


def asking(refork, refused):
    given = services(None, Server(), HandClock(), refork=refork)
    counters: Counter[str] = Counter()
    return Asking(given, "CA1", started(), counters, refused.append), counters


async def test_it_counts_what_the_carrier_sends_and_tells_what_it_does_not():
    answers, asked, refused = [None, "busy"], [], []

    async def refork(stream, tracks):
        asked.append((stream.stream_id, tracks))
        return answers.pop(0)

    asks, counters = asking(refork, refused)
    asks.ask(("inbound",))
    asks.ask(("inbound", "outbound"))
    await asyncio.sleep(0.01)

    assert asked == [("MZ1", ("inbound",)), ("MZ1", ("inbound", "outbound"))]
    assert (counters, refused) == ({"streams_asked_for": 1}, [False])
    assert not asks.failed.is_set()


async def test_an_answer_that_is_not_waited_for_counts_for_nothing():
    refused = []

    async def refork(stream, tracks):
        await asyncio.Event().wait()

    asks, counters = asking(refork, refused)
    asks.ask(("inbound",))
    await asyncio.sleep(0)
    asks.cancel()
    await asyncio.sleep(0)

    assert (counters, refused) == ({}, [])


async def test_a_stream_that_the_carrier_could_not_open_is_one_that_was_never_here_and_counts_once():
    failed = []
    asks, _ = asking(None, failed)
    asks.attach("MZ2")
    for stream_id in ("MZ1", "MZ2", None, ""):
        asks.complain(stream_id)
    assert (failed, asks.failed.is_set()) == ([], False)

    asks.complain("MZ3")
    asks.complain("MZ3")
    assert (failed, asks.failed.is_set()) == ([True], True)
