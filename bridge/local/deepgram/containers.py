"""Audio that says itself what it is: files of any container, and packets of codecs; decoded as it comes, by PyAV.

FFmpeg reads from a file and blocks until it gets something. So it has a thread of its own, whose file is what has been
fed so far; `feed` waits until all of that has been taken. The two never run at once: nothing depends on how fast either
is.
"""

import importlib.util
import io
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bridge.audio import SAMPLE_RATE, pcm_to_mulaw
from bridge.errors import RemoteProtocolError
from bridge.local.deepgram.decoder import Decoding, SampleDecoder, Undecodable, deinterleaved
from bridge.local.deepgram.request import MAX_CHANNELS, SAMPLE_RATES, ListenRequest, Refusal

if TYPE_CHECKING:
    from av.container import InputContainer

_HEADLESS = {"amr-nb": "amrnb", "amr-wb": "amrwb"}
"""FFmpeg's names of encodings whose header may be missing; anything else is recognized by its first octets."""
_RECOGNIZED = "wav,w64,mp3,ogg,matroska,webm,flac,aac,mov,amr,aiff,au,caf,mpegts"
"""What may be recognized: nothing that names other files, or addresses, to be read."""
_PROBE = {"probesize": "4096", "analyzeduration": "100000"}
"""Octets and microseconds that are looked at before the first is decoded: live audio must not wait."""
_HEAD = 8  # octets that tell some files apart
_READ = 512  # octets that FFmpeg reads at a time
_UNKNOWN = 2**14  # octets after which what is not recognized is no audio
_TAGGED = 2**20  # the same where pictures and titles come first
_MOST = 200_000_000  # octets of mu-law that come of one message, at the most: little of it may be much
_OPUS_RATE = 48_000


def missing(request: ListenRequest) -> Refusal | None:
    """Why a request cannot be served here, where the library is missing that it needs."""
    if request.is_pcm or importlib.util.find_spec("av"):
        return None
    what = request.encoding or "audio without encoding"
    return Refusal(
        400,
        "Bad Request",
        f"Bad Request: this local server needs PyAV to decode {what}: install the bridge with its extra stream.",
    )


def decoder(request: ListenRequest) -> Decoding:
    """Decodes what a request says will come."""
    if request.is_pcm:
        return SampleDecoder(request)
    return OpusDecoder(request) if request.encoding == "opus" else ContainerDecoder(request)


def decode_file(request: ListenRequest, file: bytes, most: int) -> list[bytes]:
    """A whole file, one item per channel. Raises Undecodable, and TooLong for more than `most` samples."""
    opened = _Opened(request, io.BytesIO(file), file[:_HEAD])
    mulaw = bytearray()
    for piece in opened.pieces():
        mulaw += piece
        if len(mulaw) > most * opened.channels:
            raise TooLong
    if not mulaw:
        raise Undecodable
    return deinterleaved(bytes(mulaw), opened.channels)


class TooLong(RemoteProtocolError):
    """A file holds more audio than is taken: little of it may be much when it is unpacked."""


class ContainerDecoder:
    """Decodes a container while it comes."""

    def __init__(self, request: ListenRequest) -> None:
        self._request = request
        self._turn = threading.Condition()
        self._given = bytearray()
        self._mulaw = bytearray()
        self._waits = self._ended = self._is_over = False
        self._failed = False
        self._samples = self._late = 0
        self._opened: _Opened | None = None
        self._thread: threading.Thread | None = None

    @property
    def channels(self) -> int:
        return self._opened.channels if self._opened else 0

    @property
    def broken(self) -> int:
        return self._late + (self._opened.broken if self._opened else 0)

    @property
    def duration(self) -> float:
        return self._samples / SAMPLE_RATE

    def feed(self, data: bytes) -> list[bytes]:
        with self._turn:
            self._given += data
            return self._hand_over()

    def end(self) -> list[bytes]:
        with self._turn:
            self._ended = True
            return self._hand_over() if self._thread or self._given else []

    def close(self) -> None:
        with self._turn:
            self._given.clear()
            self._ended = True
            self._turn.notify_all()

    def read(self, size: int) -> bytes:
        """What FFmpeg calls, in its thread; empty at the end."""
        with self._turn:
            while not self._given and not self._ended:
                self._waits = True
                self._turn.notify_all()
                self._turn.wait()
            piece = bytes(self._given[:size])
            del self._given[:size]
            return piece

    def _hand_over(self) -> list[bytes]:
        """Let the decoder work until it has taken everything, and return what came of it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="decoder", daemon=True)
            self._thread.start()
        self._waits = False
        self._turn.notify_all()
        while not self._waits and not self._is_over:
            self._turn.wait()
        if self._failed:
            raise Undecodable
        if self._is_over and self._given:
            self._given.clear()  # what follows the end of a file belongs to no other
            self._late += 1
        channels = deinterleaved(bytes(self._mulaw), self.channels) if self.channels else []
        self._mulaw.clear()
        self._samples += len(channels[0]) if channels else 0
        return channels

    def _run(self) -> None:
        try:
            self._opened = _Opened(self._request, self, bytes(self._given[:_HEAD]))
            for piece in self._opened.pieces():
                self._mulaw += piece
                if len(self._mulaw) > _MOST:
                    raise Undecodable
        except BaseException as error:
            self._failed = True
            if not isinstance(error, Undecodable):
                raise
        finally:
            with self._turn:
                self._is_over = True
                self._turn.notify_all()


class OpusDecoder:
    """Opus without a container: each message is a packet. What begins as an Ogg file is one, as many clients send."""

    def __init__(self, request: ListenRequest) -> None:
        import av

        self._request = request
        self._container: ContainerDecoder | None = None
        codec: Any = av.CodecContext.create("opus", "r")
        codec.sample_rate = _OPUS_RATE
        codec.layout = "stereo" if request.channels == 2 else "mono"
        self._codec = codec
        self._shaped = _Shaped(request, request.channels)
        self._samples = 0
        self._good = False
        self._broken = 0

    @property
    def channels(self) -> int:
        return self._container.channels if self._container else self._shaped.channels

    @property
    def broken(self) -> int:
        return self._container.broken if self._container else self._broken

    @property
    def duration(self) -> float:
        return self._container.duration if self._container else self._samples / SAMPLE_RATE

    def feed(self, data: bytes) -> list[bytes]:
        import av

        if self._container is None and not self._good and data.startswith(b"OggS"):
            self._container = ContainerDecoder(self._request)
        if self._container:
            return self._container.feed(data)
        if not data:
            return []
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.error.FFmpegError:
            if not self._good:
                raise Undecodable from None
            self._broken += 1
            return []
        self._good = True
        return self._split(b"".join(self._shaped.mulaw(frame) for frame in frames))

    def end(self) -> list[bytes]:
        return self._container.end() if self._container else self._split(self._shaped.mulaw(None))

    def close(self) -> None:
        if self._container:
            self._container.close()

    def _split(self, mulaw: bytes) -> list[bytes]:
        channels = deinterleaved(mulaw, self._shaped.channels)
        self._samples += len(channels[0])
        return channels


class _Shaped:
    """Frames of any rate and shape as interleaved mu-law at 8 kHz: every channel if they are heard apart, else one."""

    def __init__(self, request: ListenRequest, channels: int, layout: str | None = None) -> None:
        import av

        self.channels = channels if request.multichannel else 1
        own = layout or ("stereo" if channels == 2 else "mono")
        self._layout = own if self.channels > 1 else "mono"
        self._resampler = av.AudioResampler("s16", self._layout, SAMPLE_RATE)
        self._begun = False

    def mulaw(self, frame: Any) -> bytes:
        """The next frame; None: the last has come, and what the resampler holds back."""
        if frame is None and not self._begun:
            return b""
        self._begun = True
        width = 2 * self.channels
        pieces = [bytes(piece.planes[0])[: piece.samples * width] for piece in self._resample(frame)]
        return pcm_to_mulaw(b"".join(pieces))

    def _resample(self, frame: Any) -> list[Any]:
        import av

        try:
            return list(self._resampler.resample(frame))
        except ValueError:
            # Some streams change their rate or their channels on the way.
            self._resampler = av.AudioResampler("s16", self._layout, SAMPLE_RATE)
            return list(self._resampler.resample(frame))


class _Opened:
    """A container in which audio was found. Raises Undecodable where there is none."""

    def __init__(self, request: ListenRequest, file: Any, head: bytes) -> None:
        """`head`: its first octets."""
        import av

        probed = _TAGGED if head.startswith(b"ID3") else _UNKNOWN
        options = {"format_whitelist": _RECOGNIZED, "formatprobesize": str(probed)} | _PROBE
        raw = None if head.startswith(b"#!AMR") else _HEADLESS.get(request.encoding or "")
        try:
            self._container: InputContainer = av.open(
                file, format=raw, options={} if raw else options, buffer_size=_READ
            )
            self._stream = self._container.streams.audio[0]
            # Without a decoder there is no codec; and a rate of next to nothing makes hours of a few octets.
            if self._stream.codec_context is None or not _is_sane(self._stream.rate):
                raise Undecodable
            layout = self._stream.layout
            self._shaped = _Shaped(request, layout.nb_channels, layout.name)
        except (av.error.FFmpegError, ValueError, IndexError):
            raise Undecodable from None
        self.channels = self._shaped.channels
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise Undecodable
        self.broken = 0
        """Packets that could not be decoded; where a file breaks off, too."""

    def pieces(self) -> Iterator[bytes]:
        """Interleaved mu-law; a packet that cannot be decoded costs itself."""
        import av

        with self._container:
            try:
                for packet in self._container.demux(self._stream):
                    yield from self._decoded(packet)
            except (av.error.FFmpegError, IndexError):  # an index, where it tells of streams that are not there
                self.broken += 1  # the file breaks off here; what came before it was heard
            try:
                yield self._shaped.mulaw(None)
            except av.error.FFmpegError:
                self.broken += 1

    def _decoded(self, packet: Any) -> Iterator[bytes]:
        import av

        try:
            for frame in packet.decode():
                if _is_sane(frame.sample_rate):
                    yield self._shaped.mulaw(frame)
                else:
                    self.broken += 1
        except av.error.InvalidDataError:
            self.broken += 1


def _is_sane(rate: int) -> bool:
    return SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1]
