"""Audio from wherever it comes, decoded by the real library."""

import asyncio
import io
import sys
import threading
import wave
from array import array
from contextlib import aclosing
from types import SimpleNamespace

import av
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.audio import AudioFormat
from bridge.cli import sources
from bridge.cli.sources import RATE, Raw, Source, SourceError, chunks, open_source
from bridge.errors import ConfigError

SECOND = 16_000


def tone(seconds, rate=SECOND, channels=1, level=8000):
    """Each channel's samples are all the same: the first channel's `level`, the second's half of it."""
    frame = [level, level // 2][:channels]
    return array("h", frame * round(seconds * rate)).tobytes()


def wav(path, seconds=1.0, rate=SECOND, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone(seconds, rate, channels))
    return path


def encoded(path, codec, seconds=2.0, rate=48_000):
    """The tone in another container and encoding."""
    source = av.open(str(wav(path.with_suffix(".wav"), seconds, rate, 2)))
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="stereo")
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=rate, frame_size=stream.frame_size)
        for frame in [*source.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    source.close()
    return path


async def heard(source):
    return [chunk async for chunk in chunks(source)]


@pytest.mark.parametrize("name", ["10:30.wav", "file:x.wav", "http:x.wav"])
def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    wav(tmp_path / name)
    assert open_source(name).seconds == 1.0


async def test_a_file_is_read_whole_in_chunks_of_a_tenth_of_a_second(tmp_path):
    source = open_source(str(wav(tmp_path / "a.wav", 1.05)))
    found = await heard(source)

    assert (source.format, source.seconds, source.live) == (AudioFormat("linear16", RATE, 1), 1.05, False)
    assert [len(chunk) for chunk in found] == [3200] * 10 + [1600]
    assert b"".join(found) == tone(1.05)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "mp3"), ("a.ogg", "libopus"), ("a.flac", "flac"), ("a.m4a", "aac")]
)
async def test_any_container_and_both_channels(tmp_path, name, codec):
    source = open_source(str(encoded(tmp_path / name, codec)))
    audio = array("h", b"".join(await heard(source)))

    assert source.format.channels == 2
    assert source.seconds == pytest.approx(2.0, abs=0.1)
    assert len(audio) / 2 / RATE == pytest.approx(2.0, abs=0.1)


async def test_a_rate_of_its_own_becomes_ours(tmp_path):
    found = b"".join(await heard(open_source(str(wav(tmp_path / "a.wav", 2.0, 22_050, 2)))))

    assert len(found) == pytest.approx(2.0 * RATE * 4, abs=8)
    assert array("h", found)[10_000:10_002].tolist() == pytest.approx([8000, 4000], abs=5)


async def test_standard_input_without_a_header(monkeypatch):
    given = SimpleNamespace(buffer=io.BytesIO(b"\x80" * 8000))
    monkeypatch.setattr(sys, "stdin", given)
    source = open_source("-", Raw("mulaw", 8000, 1))

    assert len(b"".join(await heard(source))) == pytest.approx(2 * RATE, abs=64)


async def test_an_address(tmp_path):
    wav(tmp_path / "a.wav")
    app = web.Application()
    app.router.add_static("/", tmp_path)
    server = TestServer(app)
    await server.start_server()
    try:
        source = await asyncio.to_thread(open_source, str(server.make_url("/a.wav")))
        assert (source.live, b"".join(await heard(source))) == (True, tone(1.0))
        with pytest.raises(SourceError, match="the server does not give what is at the address"):
            await asyncio.to_thread(open_source, str(server.make_url("/none.mp3")))
    finally:
        await server.close()


def test_what_cannot_be_heard(tmp_path):
    (tmp_path / "text.mp3").write_text("no audio at all " * 100)
    for name, sentence in (
        (tmp_path / "none.wav", "there is no .*none.wav"),
        (tmp_path / "text.mp3", "text.mp3 is no audio that can be decoded"),
        (tmp_path, "cannot be read"),
        ("http://user:secret@127.0.0.1:1/x.mp3", "no server answers at the address"),
    ):
        with pytest.raises(SourceError, match=sentence) as refused:
            open_source(str(name))
        assert "secret" not in str(refused.value)


async def test_a_fault_of_our_own_is_raised_where_the_chunks_are_waited_for():
    def read():
        yield b"ab"
        raise RuntimeError("a bug")

    source, found = Source(AudioFormat("linear16", RATE, 1), None, False, read), []
    with pytest.raises(RuntimeError, match="a bug"):
        async with asyncio.timeout(60):
            async for chunk in chunks(source):
                found += [chunk]
    assert found == [b"ab"]


async def test_a_source_that_no_one_asks_for_any_more_is_let_go():
    released = threading.Event()

    def read():
        try:
            while True:
                yield b"ab"
        finally:
            released.set()

    source = Source(AudioFormat("linear16", RATE, 1), None, False, read)
    async with aclosing(chunks(source)) as heard:
        assert await anext(heard) == b"ab"
    assert await asyncio.to_thread(released.wait, 60)


def test_an_encoding_that_is_none():
    with pytest.raises(ConfigError, match="-e takes linear16, linear32, mulaw, alaw"):
        open_source("-", Raw("mp3"))


def test_a_library_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ConfigError, match=r"pip install .*\[stream\]'"):
        open_source(str(tmp_path / "a.wav"))
    with pytest.raises(ConfigError, match="PortAudio"):
        open_source("mic")


async def test_the_microphone(monkeypatch):
    class Stream:
        def __init__(self, **given):
            self.given, self.left = given, 2

        def __enter__(self):
            assert self.given == {"samplerate": RATE, "channels": 1, "dtype": "int16"}
            return self

        def __exit__(self, *_):
            pass

        def read(self, samples):
            self.left -= 1
            if self.left < 0:
                raise PortAudioError
            return tone(samples / RATE), False

    class PortAudioError(Exception):
        pass

    fake = SimpleNamespace(RawInputStream=Stream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    source, found = open_source("mic"), []
    with pytest.raises(SourceError, match="there is no microphone"):
        async for chunk in chunks(source):
            found += [chunk]
    assert (b"".join(found), source.live, source.seconds) == (tone(0.2), True, None)


async def test_what_is_cut_short_is_heard_as_far_as_it_goes(tmp_path):
    file = encoded(tmp_path / "a.mp3", "mp3")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    found = b"".join(await heard(open_source(str(file))))

    assert len(found) / 4 / RATE == pytest.approx(1.0, abs=0.15)


async def test_what_is_damaged_costs_itself(tmp_path):
    file = encoded(tmp_path / "a.mp3", "mp3")
    whole = file.read_bytes()
    half = len(whole) // 2
    file.write_bytes(whole[:half] + bytes(300) + whole[half + 300 :] + b"rubbish behind it" * 50)
    source = open_source(str(file))
    found = b"".join(await heard(source))

    assert len(found) / 4 / RATE == pytest.approx(2.0, abs=0.15)
    assert 1 <= source.broken.packets <= 5


@pytest.mark.parametrize(
    ("at", "octets", "said"),
    [
        (20, b"\x34\x12", "of a kind that FFmpeg cannot decode"),
        (24, b"\x01\0\0\0", "claims 1 samples a second"),
        (24, b"\0\0\0\x20", "claims 536870912 samples a second"),
    ],
)
def test_a_header_that_lies_is_said(tmp_path, at, octets, said):
    file = wav(tmp_path / "a.wav")
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + octets + whole[at + len(octets) :])
    with pytest.raises(SourceError, match=said):
        open_source(str(file))


async def test_a_stream_that_changes_its_rate_is_heard_on(tmp_path):
    both = tmp_path / "both.aac"
    both.write_bytes(
        b"".join(encoded(tmp_path / f"{rate}.aac", "aac", 1.0, rate).read_bytes() for rate in (48_000, 24_000))
    )
    assert len(b"".join(await heard(open_source(str(both))))) / 4 / RATE == pytest.approx(2.0, abs=0.15)


def test_the_names_of_encodings_are_deepgrams():
    assert set(sources.RAW) == {"linear16", "linear32", "mulaw", "alaw"}
