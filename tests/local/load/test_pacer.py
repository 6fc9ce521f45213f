"""Frames go out in the order in which they are due, and none before it is."""

import asyncio
import contextlib
from time import monotonic

from bridge.local.load.pacer import Pacer


class Taken:
    """A socket that notes what it is given, by whom and when."""

    def __init__(self, name, log, most=1000):
        self.name, self.log, self.most = name, log, most

    def write(self, frame):
        self.log.append((self.name, frame, monotonic()))
        self.most -= 1
        return self.most > 0


@contextlib.asynccontextmanager
async def running():
    pacer = Pacer()
    task = asyncio.create_task(pacer.run())
    try:
        yield pacer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def frames(*due):
    return iter([(each, f"{each}".encode()) for each in due])


async def test_streams_are_sent_side_by_side_each_frame_when_it_is_due():
    log = []
    async with running() as pacer:
        begins = monotonic() + 0.01
        whole = await asyncio.gather(
            pacer.play(frames(0.0, 0.02, 0.04), Taken("a", log), begins),
            pacer.play(frames(0.01, 0.03), Taken("b", log), begins),
        )

    assert whole == [True, True]
    assert [(name, frame) for name, frame, _ in log] == [
        ("a", b"0.0"),
        ("b", b"0.01"),
        ("a", b"0.02"),
        ("b", b"0.03"),
        ("a", b"0.04"),
    ]
    assert all(at >= begins + float(frame) for _, frame, at in log)
    assert pacer.late.count == 5


async def test_a_socket_that_takes_no_more_is_left_and_the_others_go_on():
    log = []
    async with running() as pacer:
        now = monotonic()
        whole = await asyncio.gather(
            pacer.play(frames(0.0, 0.001, 0.002), Taken("a", log, most=2), now),
            pacer.play(frames(0.0, 0.001, 0.002), Taken("b", log), now),
        )

    assert whole == [False, True]
    assert [name for name, _, _ in log].count("a") == 2


async def test_a_stream_may_come_when_nothing_is_sent():
    log = []
    async with running() as pacer:
        assert await pacer.play(frames(0.0), Taken("a", log), monotonic())
        assert await pacer.play(frames(0.0), Taken("b", log), monotonic())
        assert await pacer.play(frames(), Taken("c", log), monotonic())

    assert [name for name, _, _ in log] == ["a", "b"]
    assert repr(pacer) == "<Pacer with 0 streams, 2 frames sent>"
