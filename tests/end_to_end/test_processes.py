"""`bridge serve --processes 2`: calls at both on one port, one is killed, the other goes on, and it comes back."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.local.receiver import Receiver
from tests.fakes import frames, postgres
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import AUDIO, SCRIPT, WEBHOOK_SECRET, deepgram, serving

pytestmark = pytest.mark.postgres

MESSAGES = list(frames.talk(*AUDIO))


def two_free_ports():
    """The first of two, one after the other."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            with contextlib.suppress(OSError):
                two.bind(("127.0.0.1", port + 1))
                return port


async def asked(port, path):
    """The answer of one process at its own port; None: it does not answer."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
            return await response.json()
    except aiohttp.ClientError:
        return None


async def becomes(port, status):
    async with asyncio.timeout(60):
        while (await asked(port, "/readyz") or {}).get("status") != status:
            await asyncio.sleep(0.05)


def pid_of(supervisor, number):
    """Of its process of this number."""
    for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        with contextlib.suppress(OSError):
            if f"/process-{number}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                return int(pid)
    return None


class Talk:
    """A call that goes on, of which half has been said."""

    def __init__(self, call, socket):
        self.call, self.socket = call, socket

    async def finish(self):
        for message in MESSAGES[len(MESSAGES) // 2 :]:
            await self.socket.send(message)
        await self.socket.send(frames.stop())


async def full(stack, port, own, receiver, name):
    """Fill both processes, which take a call each; the calls, by the own port of the process that has it."""
    for each in own:
        await becomes(each, "ready")
    talks, names = {}, (f"CA{name}{number}" for number in itertools.count())
    async with asyncio.timeout(60):
        while len(talks) < len(own):
            try:
                socket = await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/media/twilio"))
            except InvalidStatus as refused:
                assert refused.response.status_code == 503, "the process that the kernel gave it to is full"
                continue
            if await begun(socket, receiver, call := next(names)):
                (has,) = [each for each in own if each not in talks and await is_full(each)]
                talks[has] = Talk(call, socket)
    return talks


async def begun(socket, receiver, call):
    """Say half of the call; whether its beginning is durable, and not refused."""
    with contextlib.suppress(ConnectionClosed):
        await socket.send(frames.start(call=call))
        for message in MESSAGES[: len(MESSAGES) // 2]:
            await socket.send(message)
    while not receiver.events(call) and socket.close_code is None:
        await asyncio.sleep(0.02)
    return bool(receiver.events(call))


async def is_full(port):
    return await asked(port, "/readyz") == {"status": "full"}


def of(receiver, call, type_):
    return [event["data"] for event in receiver.events(call) if event["type"] == type_]


def text(receiver, call):
    return " ".join(final["text"] for final in of(receiver, call, "transcript.final") if final["channel"] == 0)


def environment_of(folder, server, receiver, first, **more):
    """`first`: the first of the processes' own ports."""
    return {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "DATA_DIR": str(folder),
        "DATABASE_URL": postgres.server().url,
        "DEEPGRAM_URL": server.url,
        "DEEPGRAM_API_KEY": "key",
        "TWILIO_SIGNATURE": "off",
        "WEBHOOK_URL": receiver.url,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "BRIDGE_READ_TOKENS": TOKEN,
        "BRIDGE_METRICS": f"127.0.0.1:{first}",
        "BRIDGE_MAX_CALLS": "1",
        "BRIDGE_GRACE": "1",
        "BRIDGE_REPLAY_SPEED": "1000",
        "BRIDGE_FLUSH_TIMEOUT": "60",
        **more,
    }


async def test_one_of_two_processes_is_killed_and_the_other_goes_on(tmp_path):
    postgres.fresh()
    first = two_free_ports()
    own = (first, first + 1)
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver, contextlib.AsyncExitStack() as stack:
        environment = environment_of(tmp_path, server, receiver, first)
        async with serving(environment, "--processes", "2") as (supervisor, port):
            talks = await full(stack, port, own, receiver, "first")
            dead = pid_of(supervisor.pid, 1)
            os.kill(dead, signal.SIGKILL)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(talks[own[0]].socket.recv(), 60)
            await talks[own[1]].finish()
            await receiver.until(lambda: of(receiver, talks[own[1]].call, "call.ended"), 60)
            assert text(receiver, talks[own[1]].call) == " ".join(word.text for word in SCRIPT.channels[0])

            await receiver.until(lambda: of(receiver, talks[own[0]].call, "call.ended"), 60)  # after its lease
            await becomes(own[0], "ready")
            assert pid_of(supervisor.pid, 1) not in (None, dead)
            for talk in (await full(stack, port, own, receiver, "second")).values():
                await talk.finish()
                await receiver.until(lambda talk=talk: of(receiver, talk.call, "call.ended"), 60)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=BEARER) as session:
                async with session.get("/calls") as response:
                    assert len((await response.json())["calls"]) == 4
                async with session.get("/metrics") as response:
                    assert response.status == 404, "one process would tell its own only"
            processes = [pid_of(supervisor.pid, number) for number in (1, 2)]
            supervisor.terminate()
            await asyncio.wait_for(supervisor.communicate(), 60)
            assert supervisor.returncode == 0
            assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
    for talk in talks.values():
        assert len(of(receiver, talk.call, "call.ended")) == 1
    assert receiver.order.violations == []


async def relayed(port):
    """How many streams a process has relayed, by its own metrics."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        told = await response.text()
    return next(float(line.split()[1]) for line in told.splitlines() if line.startswith("bridge_calls_relayed_total"))


async def test_the_kernel_may_give_the_streams_of_a_call_to_any_of_the_processes(tmp_path):
    postgres.fresh()
    first, call = two_free_ports(), "CA" + "9" * 32
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver, contextlib.AsyncExitStack() as stack:
        environment = environment_of(tmp_path, server, receiver, first, BRIDGE_MAX_CALLS="9")
        async with serving(environment, "--processes", "2") as (_, port):
            await becomes(first, "ready")
            await becomes(first + 1, "ready")
            sockets, asking = [], 0
            while not asking:
                assert len(sockets) < 16, "each goes to either"
                socket = await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/media/twilio"))
                stream = f"MZ{len(sockets)}"
                await socket.send(frames.start(call=call, stream=stream, tracks=["outbound" if sockets else "inbound"]))
                sockets.append((socket, stream))
                await receiver.until(lambda: receiver.events(call), 60)
                await (await socket.ping())
                asking = await relayed(first) + await relayed(first + 1)
            begun = asyncio.get_running_loop().time()
            for number, message in enumerate(MESSAGES[:600]):  # in the time of the call
                await asyncio.sleep(begun + 0.01 * number - asyncio.get_running_loop().time())
                await (sockets[-1][0] if '"outbound"' in message else sockets[0][0]).send(message)
            for socket, stream in sockets:
                await socket.send(frames.stop(stream=stream))
            await receiver.until(lambda: of(receiver, call, "call.ended"), 60)
    (end,) = of(receiver, call, "call.ended")
    assert end["counts"]["streams"] == len(sockets)
    assert {final["channel"] for final in of(receiver, call, "transcript.final") if final["text"]} == {0, 1}
    assert postgres.execute("SELECT id FROM bridge.call") == [(call,)]
