"""Which calls' streams are being opened."""

import asyncio

from bridge.call.openings import Openings


async def test_a_call_gathers_while_a_stream_of_it_is_opened_and_a_moment_longer():
    openings = Openings()
    openings.begin("CA1")
    openings.begin("CA1")
    openings.end("CA1")

    assert "CA1" in openings and "CA2" not in openings
    openings.end("CA1")
    assert "CA1" not in openings
    assert openings.is_gathering("CA1", 60.0)
    assert not openings.is_gathering("CA1", 0.0)
    assert not openings.is_gathering("CA2", 60.0)


async def test_it_is_waited_for_until_the_last_of_them_is_there():
    openings = Openings()
    await openings.wait_over("CA1")
    openings.begin("CA1")
    openings.begin("CA1")
    waiting = asyncio.create_task(openings.wait_over("CA1"))
    await asyncio.sleep(0)
    openings.end("CA1")
    await asyncio.sleep(0)
    assert not waiting.done()

    openings.end("CA1")
    await waiting


async def test_it_is_waited_for_until_a_stream_that_is_opened_brings_audio():
    openings = Openings()
    openings.hear("CA1")  # of a stream that is over by now
    openings.begin("CA1")
    waiting = asyncio.create_task(openings.wait_heard("CA1"))
    await asyncio.sleep(0)
    assert not waiting.done()
    openings.hear("CA1")
    await waiting
    await openings.wait_heard("CA1")

    openings.end("CA1")
    openings.begin("CA1")
    again = asyncio.create_task(openings.wait_heard("CA1"))
    await asyncio.sleep(0)
    assert not again.done(), "another stream"
    again.cancel()


async def test_a_burst_is_waited_for_until_it_is_through():
    openings = Openings()
    await openings.wait_through("CA1")
    with openings.burst("CA1", False):
        await openings.wait_through("CA1")
    with openings.burst("CA1", True):
        await openings.wait_through("CA2")
        waiting = asyncio.create_task(openings.wait_through("CA1"))
        with openings.burst("CA1", True):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done(), "one goes on"
    await waiting
