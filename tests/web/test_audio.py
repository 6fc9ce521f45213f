"""The WAV of a call: what was said on each channel, to the sample; and any range of it is the slice of the whole."""

import asyncio
import io
import json
import wave
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import audio
from bridge.local.wav import parse_wav
from bridge.store.audio import AudioStore, Recordings
from bridge.web.audio import WavFile, respond
from tests.fakes.audio_appender import sound
from tests.fakes.stereo import deinterleave
from tests.fakes.waiting import tasks_of, until

HEADERS = {False: 58, True: 44}
"""Octets before the audio: mu-law, PCM."""


# The file, without a server.


@settings(max_examples=100)
@given(st.integers(0, 200), st.booleans(), st.data())
def test_any_octets_of_the_file_come_from_the_pieces(samples, pcm, data):
    check_octets(WavFile(samples, pcm), data)


@settings(max_examples=20)
@given(st.integers(32_700, 100_000), st.booleans(), st.data())
def test_a_long_one_comes_in_several(samples, pcm, data):
    check_octets(WavFile(samples, pcm), data)


def check_octets(wav, data):
    body = wav.encode(sound(0, wav.samples))
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, len(body)))
    got, position = b"", None
    for piece in wav.pieces(start, stop):
        assert piece.samples <= 32 * 1024 + 1
        assert position is None or piece.start <= position <= piece.start + 1, "nothing is read twice"
        position = piece.start + piece.samples
        got += wav.encode(sound(piece.start, piece.samples))[piece.octets]
    assert got == body[start:stop]
    assert wav.size == len(wav.header) + len(body)


@pytest.mark.parametrize("pcm", [False, True])
def test_no_call_is_too_long_for_the_header(pcm):
    assert WavFile(36 * 3600 * 8000, pcm).header


# The answer.


class Door:
    """One server, one recording of CA1; the query tells the duration and the encoding, as in `?5.5&pcm`."""

    def __init__(self, path):
        self.path = path
        self.recordings = Recordings(path)

    async def keep(self, *stretches):
        """Each: where it begins, and how many samples it has. Returns the two channels as they were sent."""
        async with AudioStore(self.path, limit=2**30, keep=True, segment_seconds=0.5) as store:
            file = store.open("CA1")
            whole = bytearray()
            for start, samples in stretches:
                whole = whole.ljust(start * 2, b"\xff")
                file.leap(start)
                for at in range(start, start + samples, 4000):
                    file.append(sound(at, min(4000, start + samples - at)))
                    await store.flush()
                whole += sound(start, samples)
            await file.finish()
        return deinterleave(whole)

    async def handle(self, request):
        recording = await self.recordings.open(request.match_info["id"])
        duration, _, encoding = request.query_string.partition("&")
        return await respond(request, recording, float(duration), pcm=encoding == "pcm")

    async def serve(self, stack):
        app = web.Application()
        app.add_routes([web.get("/{id}", self.handle)])
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = runner.addresses[0][:2]
        self._session = await stack.enter_async_context(aiohttp.ClientSession())

    async def ask(self, query, method="GET", **headers):
        """Status, headers, body; the names of the headers with `_` for `-`."""
        host, port = self.address
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, f"http://{host}:{port}/CA1?{query}", headers=headers) as response:
            return response.status, response.headers, await response.read()


@pytest.fixture
async def door(tmp_path):
    door = Door(tmp_path)
    async with AsyncExitStack() as stack:
        await door.serve(stack)
        yield door


async def test_both_channels_are_what_was_sent(door):
    inbound, outbound = await door.keep((0, 100_000))
    status, headers, body = await door.ask("12.5")

    assert (status, len(body)) == (200, 58 + 200_000)
    assert parse_wav(body) == (inbound, outbound)
    assert headers["Content-Type"] == "audio/wav"
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Disposition"] == 'attachment; filename="CA1.wav"'
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["ETag"].startswith('"')


async def test_pcm_is_the_same_for_every_player(door):
    inbound, outbound = await door.keep((0, 100_000))
    _, _, body = await door.ask("12.5&pcm")
    with wave.open(io.BytesIO(body)) as file:
        frames = file.readframes(file.getnframes())

    assert file.getparams()[:4] == (2, 2, 8000, 100_000)
    assert len(body) == 44 + 400_000
    assert frames[0::4] + frames[1::4] == split(audio.mulaw_to_pcm(inbound))
    assert frames[2::4] + frames[3::4] == split(audio.mulaw_to_pcm(outbound))


def split(pcm):
    """The low octets, and then the high ones."""
    return pcm[0::2] + pcm[1::2]


async def test_there_is_silence_where_nothing_came(door):
    inbound, outbound = await door.keep((1000, 500), (40_000, 500))
    left, right = parse_wav((await door.ask("6.25"))[2])

    assert left[: len(inbound)] == inbound
    assert right[: len(outbound)] == outbound
    assert left[:1000] == right[:1000] == b"\xff" * 1000
    assert left[1500:40_000] == right[1500:40_000] == b"\xff" * 38_500
    assert left[40_500:] == right[40_500:] == b"\xff" * 9500, "to the length of the call"
    with wave.open(io.BytesIO((await door.ask("6.25&pcm"))[2])) as file:
        file.setpos(1500)
        assert file.readframes(38_500) == bytes(4 * 38_500)


@pytest.mark.parametrize(
    ("duration", "samples"), [("1.0", 8000), ("0.0001", 1), ("0", 0), ("-1", 0), ("2.50007", 20_001)]
)
async def test_it_is_as_long_as_the_call(door, duration, samples):
    inbound, _ = await door.keep((0, 16_000))
    left, right = parse_wav((await door.ask(duration))[2])

    assert len(left) == len(right) == samples
    assert left[:16_000] == inbound[:samples]


async def test_any_range_is_the_slice_of_the_whole(door):
    await door.keep((100, 35_000), (70_000, 3000))
    for pcm in (False, True):
        query = "10&pcm" if pcm else "10"
        whole, edge = (await door.ask(query))[2], HEADERS[pcm]
        for first in (0, 1, edge - 1, edge, edge + 1, edge + 3, 70_001, 140_003, len(whole) - 1):
            for last in (first, first + 1, edge, 131_072 + edge, 150_001, len(whole) - 1, len(whole) + 5):
                if first <= last:
                    status, headers, body = await door.ask(query, Range=f"bytes={first}-{last}")
                    assert (status, body) == (206, whole[first : last + 1])
                    told = f"bytes {first}-{min(last, len(whole) - 1)}/{len(whole)}"
                    assert headers["Content-Range"] == told
                    assert headers["Content-Length"] == str(len(body))
        assert (await door.ask(query, Range="bytes=-7"))[2] == whole[-7:]
        assert (await door.ask(query, Range="bytes=70000-"))[2] == whole[70_000:]


async def test_a_range_behind_the_end(door):
    await door.keep((0, 100))
    status, headers, body = await door.ask("1", Range="bytes=16058-")

    assert (status, headers["Content-Range"]) == (416, "bytes */16058")
    assert json.loads(body)["error"]
    assert "Content-Disposition" not in headers


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "bytes=9-1", "seconds=0-1", "nonsense"])
async def test_what_is_no_single_range_gets_everything(door, header):
    await door.keep((0, 100))
    status, headers, body = await door.ask("1", Range=header)

    assert (status, len(body)) == (200, 16_058)
    assert "Content-Range" not in headers


async def test_head_is_the_same_without_the_body(door):
    await door.keep((0, 8000))
    wanted = (await door.ask("1"))[1]
    for more in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=99999-"}):
        status, headers, body = await door.ask("1", "HEAD", **more)
        assert (status, body) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges", "Content-Disposition"):
            assert headers[name] == wanted[name]


async def test_who_has_it_already_gets_nothing(door):
    await door.keep((0, 8000))
    tag = (await door.ask("1"))[1]["ETag"]
    for header in (tag, f'"other", W/{tag}', "*"):
        status, headers, body = await door.ask("1", If_None_Match=header, Range="bytes=0-9")
        assert (status, body, headers["ETag"]) == (304, b"", tag)
        assert headers.get("Content-Length", "16058") == "16058"
        assert "Content-Type" not in headers
    for header in ('"other"', "nonsense"):
        assert (await door.ask("1", If_None_Match=header))[0] == 200


async def test_who_goes_on_with_something_else_gets_everything(door):
    await door.keep((0, 8000))
    tag = (await door.ask("1"))[1]["ETag"]
    assert (await door.ask("1", Range="bytes=5-9", If_Range=tag))[0] == 206
    for header in ('"other"', f"W/{tag}", "Sat, 21 Nov 2026 10:00:00 GMT", "*"):
        assert (await door.ask("1", Range="bytes=5-9", If_Range=header))[0] == 200
    assert (await door.ask("1", Range="bytes=5-9", If_Match=tag))[0] == 206
    for header in ('"other"', f"W/{tag}"):
        assert (await door.ask("1", Range="bytes=5-9", If_Match=header))[0] == 412


async def test_another_encoding_length_or_audio_is_another_thing(door):
    await door.keep((0, 8000))
    tags = [(await door.ask(query))[1]["ETag"] for query in ("1", "1&pcm", "2", "1")]
    await door.recordings.remove("CA1")
    await door.keep((0, 7999))
    tags.append((await door.ask("1"))[1]["ETag"])

    assert tags[0] == tags[3]
    assert len(set(tags)) == 4


# Those who leave, and what goes away.

FAR = 2000
"""Seconds of silence before the audio, 32 MB: more than all buffers on the way can hold."""


async def begun(door):
    """A reader that has had the head of a long answer, and reads no more."""
    reader, writer = await asyncio.open_connection(*door.address)
    writer.write(f"GET /CA1?{FAR + 1} HTTP/1.1\r\nHost: bridge\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    return reader, writer


async def read_on(reader, octets):
    """The last 16,000 of so many; fewer, or an error, if they do not come."""
    tail = b""
    async with asyncio.timeout(30):
        while octets and (piece := await reader.read(octets)):
            octets -= len(piece)
            tail = (tail + piece)[-16_000:]
    return b"" if octets else tail


async def test_a_reader_that_leaves_costs_nothing(door, caplog):
    await door.keep((FAR * 8000, 8000))
    for _ in range(3):
        _, writer = await begun(door)
        assert tasks_of("RequestHandler")
        writer.transport.abort()
    await until(lambda: not tasks_of("RequestHandler"))

    assert caplog.records == []
    assert (await door.ask("1"))[0] == 200


async def test_a_recording_that_goes_away_cuts_the_download(door, caplog):
    await door.keep((FAR * 8000, 8000))
    reader, writer = await begun(door)
    assert await door.recordings.remove("CA1")
    try:
        heard = await read_on(reader, 58 + (FAR + 1) * 16_000)
    except ConnectionResetError:
        heard = b""
    writer.close()

    assert heard == b""
    assert [(record.message, record.call_id) for record in caplog.records] == [("download cut off", "CA1")]
    await door.keep((0, 8000))
    assert (await door.ask("1"))[0] == 200, "the server is as it was"


async def test_a_download_goes_on_when_the_recording_is_moved(door, tmp_path):
    async with AudioStore(tmp_path, limit=2**30, keep=True) as store:
        file = store.open("CA1")
        file.leap(FAR * 8000)
        file.append(sound(0, 8000))
        await store.flush()
        reader, writer = await begun(door)
        await file.finish()
        heard = await read_on(reader, 58 + (FAR + 1) * 16_000)
        writer.close()

    assert heard == sound(0, 8000)
