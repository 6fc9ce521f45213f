"""Where audio comes from that is no call: a file of any kind, standard input, an address, a microphone.

All of it becomes 16-bit PCM at 16 kHz, one channel or two. Libraries: PyAV, which carries FFmpeg's decoders, and
sounddevice, with PortAudio; both come with the `stream` extra. What they raise is told in words of ours.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bridge.audio import AudioFormat
from bridge.errors import BridgeError, ConfigError
from bridge.installing import with_extra

RATE = 16_000
"""Samples a second: what recognizers are trained with."""

_PIECE = 0.1  # seconds of a chunk
_RATES = range(1000, 400_000)  # samples a second: less would make gigabytes of a small file, more would take minutes
_WAITING = 8  # chunks that may wait for the loop

RAW = {
    "linear16": "s16le",
    "linear32": "f32le",
    "mulaw": "mulaw",
    "alaw": "alaw",
}
"""Deepgram's names of encodings without a header, and FFmpeg's."""


class SourceError(BridgeError):
    """A source cannot be heard."""


@dataclass(frozen=True, slots=True)
class Raw:
    """What audio without a header is."""

    encoding: str
    rate: int = 8000
    channels: int = 1


@dataclass(slots=True)
class Broken:
    """What of a source cannot be decoded."""

    packets: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Audio that has been opened."""

    format: AudioFormat
    seconds: float | None
    """How long it is; None: that is not known, or it has no end."""
    live: bool
    """It comes at its own pace, and is lost if it is not taken."""
    read: Callable[[], Iterator[bytes]]
    """Its chunks; blocks."""
    codec: str = "linear16"
    """What it is before it is decoded, as FFmpeg calls it."""
    rate: int = RATE
    """Samples a second, likewise."""
    made_at: str | None = None
    """When it was recorded, as it says itself, in ISO 8601."""
    broken: Broken = field(default_factory=Broken)
    """Counted while it is read."""


def open_source(name: str, raw: Raw | None = None) -> Source:
    """`-`, `mic`, a path or an address. Raises SourceError, or ConfigError for what is missing here."""
    if name == "mic":
        return _microphone()
    if raw and raw.encoding not in RAW:
        raise ConfigError(f"-e takes {', '.join(RAW)}; what has a header needs no -e")
    return _decoded(name, raw)


def _decoded(name: str, raw: Raw | None) -> Source:
    try:
        import av
    except ImportError:
        raise ConfigError(f"decoding needs PyAV: {with_extra('stream')}") from None
    options = {"sample_rate": str(raw.rate), "ch_layout": "stereo" if raw.channels == 2 else "mono"} if raw else {}
    live = name.startswith(("http://", "https://"))
    with _said_plainly(name):
        # What stands before a colon FFmpeg takes for a protocol, in the name of a file, too.
        file: Any = sys.stdin.buffer if name == "-" else os.path.abspath(name) if os.path.exists(name) else name
        container = av.open(file, format=RAW[raw.encoding] if raw else None, options=options)
        if not container.streams.audio:
            raise SourceError(f"{_shown(name)} has no audio")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise SourceError(f"{_shown(name)} has audio of a kind that FFmpeg cannot decode")
        if stream.rate not in _RATES:
            raise SourceError(f"{_shown(name)} claims {stream.rate} samples a second, which is no audio")
        channels = 2 if stream.layout.nb_channels == 2 else 1
        length = container.duration / av.time_base if container.duration and not live else None
        codec, rate, made_at = stream.codec.canonical_name, stream.rate, container.metadata.get("creation_time")

    broken = Broken()

    def read() -> Iterator[bytes]:
        held = bytearray()
        with _said_plainly(name), container:
            for piece in _resampled(_frames(container, stream, broken), "stereo" if channels == 2 else "mono"):
                held += bytes(piece.planes[0])[: piece.samples * 2 * channels]
                whole = len(held) // _size(channels) * _size(channels)
                yield from _cut(bytes(held[:whole]), _size(channels))
                del held[:whole]
        yield bytes(held)

    return Source(AudioFormat("linear16", RATE, channels), length, live, read, codec, rate, made_at, broken)


def _frames(container: Any, stream: Any, broken: Broken) -> Iterator[Any]:
    """A packet that cannot be decoded costs itself, and a file that breaks off what follows, unless that is all."""
    import av

    heard = False
    packets = container.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            break
        except (av.error.InvalidDataError, IndexError):  # an index, where it tells of streams that are not there
            broken.packets += 1
            continue  # where it cannot be taken apart any more there is no next one
        for frame in frames:
            if frame.sample_rate not in _RATES:
                broken.packets += 1
                continue
            heard = True
            yield frame
    if broken.packets and not heard:
        raise av.error.InvalidDataError(0, "")


def _resampled(frames: Iterator[Any], layout: str) -> Iterator[Any]:
    """The frames at our rate, also where a stream changes its own on the way."""
    import av

    resampler = av.AudioResampler(format="s16", layout=layout, rate=RATE)
    frame: Any = None
    for frame in frames:
        try:
            pieces = resampler.resample(frame)
        except ValueError:
            yield from resampler.resample(None)
            resampler = av.AudioResampler(format="s16", layout=layout, rate=RATE)
            pieces = resampler.resample(frame)
        yield from pieces
    if frame:
        yield from resampler.resample(None)  # what it holds back


def _microphone() -> Source:
    try:
        import sounddevice  # type: ignore[import-untyped]
    except (ImportError, OSError):
        raise ConfigError(
            f"the microphone needs sounddevice and PortAudio: {with_extra('stream')}, "
            "and on Debian apt install libportaudio2"
        ) from None

    def read() -> Iterator[bytes]:
        try:
            with sounddevice.RawInputStream(samplerate=RATE, channels=1, dtype="int16") as stream:
                while True:
                    heard, _ = stream.read(round(RATE * _PIECE))
                    yield bytes(heard)
        except sounddevice.PortAudioError:
            raise SourceError("there is no microphone, or another program has it") from None

    return Source(AudioFormat("linear16", RATE, 1), None, True, read)


def undecoded(packets: int) -> str:
    """So many could not be decoded, as a sentence."""
    return f"{packets} {'packet' if packets == 1 else 'packets'} of its audio could not be decoded"


async def chunks(source: Source) -> AsyncGenerator[bytes, None]:
    """The source's chunks as they are read, in a thread. It ends when no one asks for more, but for one whose read
    blocks: that ends with the read, or with the process."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(_WAITING)
    over = threading.Event()

    def give(item: bytes | BaseException | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def run() -> None:
        try:
            for chunk in source.read():
                if over.is_set():
                    return
                give(chunk)
            give(None)
        except BaseException as error:  # noqa: BLE001 - raised where the chunks are waited for
            with suppress(RuntimeError):  # the loop is closed: no one waits any more
                give(error)

    threading.Thread(target=run, name="source", daemon=True).start()
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            if item:
                yield item
    finally:
        over.set()
        while not queue.empty():  # makes room for what the thread waits to give
            queue.get_nowait()


def _size(channels: int) -> int:
    """Octets of a chunk."""
    return round(RATE * _PIECE) * 2 * channels


def _cut(audio: bytes, size: int) -> Iterator[bytes]:
    return (audio[at : at + size] for at in range(0, len(audio), size))


@contextmanager
def _said_plainly(name: str) -> Iterator[None]:
    """Tells FFmpeg's errors in our words, without the address, which may hold a password."""
    import av

    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"there is no {_shown(name)}") from None
    except PermissionError:
        raise SourceError(f"{_shown(name)} may not be read") from None
    except ConnectionError:
        raise SourceError(f"no server answers at {_shown(name)}") from None
    except (av.error.InvalidDataError, av.error.EOFError):
        raise SourceError(f"{_shown(name)} is no audio that can be decoded") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if type(error).__name__.startswith("HTTP"):  # some versions have a class for each status, others one for all
            raise SourceError(f"the server does not give what is at {_shown(name)}") from None
        raise SourceError(f"{_shown(name)} cannot be read") from None


def _shown(name: str) -> str:
    return {"-": "standard input"}.get(name, "the address" if "://" in name else name)
