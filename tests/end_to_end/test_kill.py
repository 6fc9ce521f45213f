"""The end of the bridge in mid-call, hard and soft: nothing that was committed is lost, and the call ends once."""

import asyncio
import contextlib
import resource
import signal
import sqlite3

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.audio import CHANNELS
from bridge.local.deepgram import Faults
from bridge.local.receiver import Receiver
from bridge.local.wav import parse_wav
from bridge.store.token import own_token
from tests.fakes import frames
from tests.fakes.running import AUDIO, SCRIPT, WEBHOOK_SECRET, deepgram, serving

MILLISECOND = 0.001


def settings_of(data_dir, server, receiver, **given):
    return {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "DATA_DIR": str(data_dir),
        "DEEPGRAM_URL": server.url,
        "DEEPGRAM_API_KEY": "key",
        "TWILIO_SIGNATURE": "off",
        "WEBHOOK_URL": receiver.url,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "BRIDGE_REPLAY_SPEED": "1000",
        "BRIDGE_GRACE": "0",
        **given,
    }


def committed(data_dir):
    """The events that a process has left in the log, as (seq, id, type)."""
    with contextlib.closing(sqlite3.connect(f"file:{data_dir}/bridge.db?mode=ro", uri=True)) as log:
        return log.execute("SELECT seq, json_extract(body, '$.id'), type FROM event ORDER BY seq").fetchall()


async def kept(port, data_dir, type_, count):
    """Wait until the call has so many durable events of a type."""
    headers = {"Authorization": f"Bearer {own_token(data_dir)}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        while True:
            async with session.get(f"/calls/{frames.CALL}/events") as response:
                events = (await response.json())["events"] if response.status == 200 else []
            if sum(event["type"] == type_ for event in events) >= count:
                return
            await asyncio.sleep(0.02)


async def test_everything_committed_arrives_once_in_order_and_the_call_ends_once(tmp_path):
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = settings_of(tmp_path, server, receiver)
        await receiver.go_down()
        async with serving(environment) as (process, port):
            with contextlib.suppress(ConnectionClosed):
                async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                    await socket.send(frames.start())
                    for message in frames.talk(*AUDIO):
                        await socket.send(message)
                    async with asyncio.timeout(60):
                        await kept(port, tmp_path, "transcript.final", 2)
                    process.kill()
                    await process.wait()
        before = committed(tmp_path)
        assert before[-1][2] != "call.ended"

        await receiver.come_up()
        async with serving(environment):
            await receiver.until(
                lambda: any(event["type"] == "call.ended" for event in receiver.events(frames.CALL)), 60
            )
    arrived = [(event["seq"], event["id"], event["type"]) for event in receiver.events(frames.CALL)]
    (end,) = [event for event in receiver.events(frames.CALL) if event["type"] == "call.ended"]

    assert arrived[: len(before)] == before
    assert end["data"]["reason"] == "bridge_restarted"
    assert 0 < end["data"]["duration"] <= 12.0
    assert receiver.order.violations == []


def words(receiver):
    """By channel, in the order of the call."""
    finals = [event["data"] for event in receiver.events(frames.CALL) if event["type"] == "transcript.final"]
    return [
        sorted((word["start"], word["word"]) for f in finals if f["channel"] == channel for word in f["words"])
        for channel in (0, 1)
    ]


def assert_all_words(receiver, at, cut=5.76):
    """Those up to the break in their places, those after it from where the call goes on."""
    for heard, spoken in zip(words(receiver), SCRIPT.channels, strict=True):
        expected = [(word.start if word.end <= cut else word.start - cut + at, word.word) for word in spoken]
        assert [word for _, word in heard] == [word for _, word in expected]
        # Both `at` and the start of a word are rounded to milliseconds, each by itself.
        assert [start for start, _ in heard] == pytest.approx([start for start, _ in expected], abs=1.1 * MILLISECOND)


async def test_a_stream_that_comes_back_after_a_kill_goes_on_with_the_call(tmp_path):
    part = round(5.76 * 8000)  # to a pause in both tracks
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = settings_of(tmp_path, server, receiver, BRIDGE_GRACE="20")
        async with serving(environment) as (process, port):
            with contextlib.suppress(ConnectionClosed):
                async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                    await socket.send(frames.start())
                    began = asyncio.get_running_loop().time()  # the last audio comes later, and so does the kill
                    for message in frames.talk(*(track[:part] for track in AUDIO)):
                        await socket.send(message)
                    kept = tmp_path / "audio" / frames.CALL / "000000000000.ulaw"
                    async with asyncio.timeout(60):
                        while not kept.exists() or kept.stat().st_size < 2 * part:
                            await asyncio.sleep(0.02)
                    process.kill()
                    await process.wait()
        async with serving(environment) as (_, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start(stream="MZ2"))
                for message in frames.talk(*(track[part:] for track in AUDIO)):
                    await socket.send(message)
                gone = asyncio.get_running_loop().time() - began
                await socket.send(frames.stop(stream="MZ2"))
            await receiver.until(
                lambda: any(event["type"] == "transcription.backfilled" for event in receiver.events(frames.CALL)), 30
            )
    events = {event["type"]: event["data"] for event in receiver.events(frames.CALL)}
    types = [event["type"] for event in receiver.events(frames.CALL)]
    at = events["call.resumed"]["at"]

    assert (types.count("call.started"), types.count("call.resumed"), types.count("call.ended")) == (1, 1, 1)
    assert events["call.resumed"]["reason"] == "bridge_restarted"
    assert 5.76 <= at <= 5.76 + gone + MILLISECOND
    assert {event["data"]["why"] for event in receiver.events(frames.CALL) if event["type"] == "audio.gap"} <= {
        "bridge_restarted"
    }
    assert_all_words(receiver, at)
    assert receiver.order.violations == []


async def test_sigterm_finishes_the_call_and_delivers_its_end(tmp_path):
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = settings_of(tmp_path, server, receiver, BRIDGE_STOP="end")
        async with serving(environment) as (process, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start())
                for message in frames.talk(*AUDIO):
                    await socket.send(message)
                async with asyncio.timeout(60):
                    while not server.connections or len(server.connections[0].audio) < len(AUDIO[0]):
                        await asyncio.sleep(0.02)
                process.terminate()  # in the middle of the call, with results on their way
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 20)
                assert socket.close_code == 1001
            assert await asyncio.wait_for(process.wait(), 20) == 0
    events = receiver.events(frames.CALL)
    heard = [
        word["word"]
        for event in events
        if event["type"] == "transcript.final" and event["data"]["channel"] == 0
        for word in event["data"]["words"]
    ]

    assert events[-1]["data"]["reason"] == "server_stopping"
    assert events[-1]["data"]["flush"] == "complete"
    assert heard
    assert heard == [word.word for word in SCRIPT.channels[0]][: len(heard)]


async def test_sigterm_leaves_the_call_to_the_next_process_with_all_its_words(tmp_path):
    quiet = 7.5  # no word lies across it, on either track
    part = round(quiet * 8000)
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = settings_of(tmp_path, server, receiver, BRIDGE_GRACE="20")
        async with serving(environment) as (process, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start())
                for message in frames.talk(*(track[:part] for track in AUDIO)):
                    await socket.send(message)
                async with asyncio.timeout(60):
                    while not server.connections or len(server.connections[0].audio) < 2 * part:
                        await asyncio.sleep(0.02)
                process.terminate()
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 20)
                assert socket.close_code == 1001
            assert await asyncio.wait_for(process.wait(), 20) == 0
        before = list(receiver.events(frames.CALL))
        async with serving(environment) as (_, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start(stream="MZ2"))
                for message in frames.talk(*(track[part:] for track in AUDIO)):
                    await socket.send(message)
                await socket.send(frames.stop(stream="MZ2"))
            await receiver.until(
                lambda: any(event["type"] == "call.ended" for event in receiver.events(frames.CALL)), 30
            )
    types = [event["type"] for event in receiver.events(frames.CALL)]
    events = {event["type"]: event["data"] for event in receiver.events(frames.CALL)}
    at = events["call.resumed"]["at"]

    assert [event["data"] for event in before if event["type"] == "call.ended"] == []
    assert (types.count("call.started"), types.count("call.resumed"), types.count("call.ended")) == (1, 1, 1)
    assert (events["call.ended"]["flush"], events["call.ended"]["uncovered"]) == ("complete", [])
    assert_all_words(receiver, at, quiet)
    assert receiver.order.violations == []


@pytest.mark.parametrize("further", [None, signal.SIGTERM, signal.SIGKILL])
async def test_what_comes_between_sigterm_and_the_end_of_the_process_is_kept(tmp_path, further):
    half = 3 * 8000
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        server.faults = Faults(metadata=False, close=False)
        environment = settings_of(tmp_path, server, receiver, BRIDGE_FLUSH_TIMEOUT="2")
        async with serving(environment) as (process, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start())
                messages = list(frames.talk(*(track[: 2 * half] for track in AUDIO)))
                for message in messages[: len(messages) // 2]:
                    await socket.send(message)
                async with asyncio.timeout(60):
                    while not server.connections or len(server.connections[0].audio) < half - 8000:
                        await asyncio.sleep(0.02)
                process.terminate()
                async with asyncio.timeout(60):
                    while await listens(port):
                        await asyncio.sleep(0.02)
                for message in messages[len(messages) // 2 :]:
                    await socket.send(message)
                if further:
                    kept = tmp_path / "audio" / frames.CALL
                    async with asyncio.timeout(60):
                        while sum(file.stat().st_size for file in kept.glob("*.ulaw")) < CHANNELS * 2 * half:
                            await asyncio.sleep(0.02)
                    process.send_signal(further)
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 20)
                assert socket.close_code == (1006 if further == signal.SIGKILL else 1001)
            killed = -signal.SIGKILL if further == signal.SIGKILL else 0
            assert await asyncio.wait_for(process.wait(), 20) == killed
        async with serving(environment):
            await receiver.until(
                lambda: any(event["type"] == "call.ended" for event in receiver.events(frames.CALL)), 30
            )
    (end,) = [event["data"] for event in receiver.events(frames.CALL) if event["type"] == "call.ended"]

    assert (end["reason"], end["duration"]) == ("bridge_restarted", 6.0)


async def test_the_exit_status_says_that_events_were_not_kept_and_the_next_process_goes_on(tmp_path):
    part = 3 * 8000
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = settings_of(tmp_path, server, receiver, BRIDGE_STOP_TIMEOUT="2")
        async with serving(environment) as (process, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start())
                async with asyncio.timeout(60):
                    await kept(port, tmp_path, "call.started", 1)
                # From now on no file can grow, as on a disk that is full.
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
                for message in frames.talk(*(track[:part] for track in AUDIO)):
                    await socket.send(message)
                async with asyncio.timeout(60):
                    while not server.connections or len(server.connections[0].audio) < part - 8000:
                        await asyncio.sleep(0.02)
                process.terminate()
                with contextlib.suppress(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 20)
            assert await asyncio.wait_for(process.wait(), 20) == 1
        async with serving(environment):
            await receiver.until(
                lambda: any(event["type"] == "call.ended" for event in receiver.events(frames.CALL)), 30
            )
    seqs = [event["seq"] for event in receiver.events(frames.CALL)]

    assert seqs == list(range(1, len(seqs) + 1))
    assert receiver.events(frames.CALL)[-1]["data"]["flush"] == "timed_out"


async def listens(port):
    """Whether a connection is taken at the port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_a_recording_survives_a_kill(tmp_path):
    part = round(5.76 * 8000)
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = settings_of(tmp_path, server, receiver, BRIDGE_RECORDINGS="true")
        async with serving(environment) as (process, port):
            with contextlib.suppress(ConnectionClosed):
                async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                    await socket.send(frames.start())
                    for message in frames.talk(*(track[:part] for track in AUDIO)):
                        await socket.send(message)
                    kept = tmp_path / "audio" / frames.CALL / "000000000000.ulaw"
                    async with asyncio.timeout(60):
                        while not kept.exists() or kept.stat().st_size < 2 * part - 2 * 8000 // 4:
                            await asyncio.sleep(0.02)
                    process.kill()
                    await process.wait()
        async with serving(environment) as (_, port):
            wav, duration = await recording(port, tmp_path)
    assert [len(channel) for channel in wav] == [round(duration * 8000)] * 2
    for channel, sent in zip(wav, AUDIO, strict=True):
        heard = min(len(channel), part)
        assert heard >= part - 8000 // 4
        assert channel[:heard] == sent[:heard]


async def recording(port, data_dir):
    """The recording's channels, as soon as it is there, and the seconds of the call."""
    headers = {"Authorization": f"Bearer {own_token(data_dir)}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session, asyncio.timeout(60):
        while True:
            async with session.get(f"/calls/{frames.CALL}") as response:
                call = await response.json()
            if (data_dir / "recordings" / frames.CALL).exists():
                async with session.get(f"/calls/{frames.CALL}/audio.wav") as response:
                    return parse_wav(await response.read()), call["duration"]
            await asyncio.sleep(0.02)
