"""Keeps what the server heard: the octets as they came, and the same as a WAV file that players can play.

Both files grow while the audio comes, so an abrupt end loses nothing; the WAV's header gets its lengths at
the end.
"""

import logging
import struct
from pathlib import Path

from bridge.audio import WAVE_FORMAT_MULAW, WAVE_FORMAT_PCM, wav_header
from bridge.local.deepgram.request import ListenRequest

log = logging.getLogger(__name__)

_FORMATS = {"linear16": WAVE_FORMAT_PCM, "mulaw": WAVE_FORMAT_MULAW}
_RATE_AT = 24
"""Where a WAV header has the sample rate, and after it the octets per second."""


class Recording:
    """The files of one connection, `name`.raw and, where they are mu-law or 16-bit PCM, `name`.wav."""

    def __init__(self, directory: Path, name: str, request: ListenRequest) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._request = request
        self._octets = 0
        self._failed = False
        self.raw = directory / f"{name}.raw"
        self.wav = directory / f"{name}.wav" if request.encoding in _FORMATS else None
        self._raw = self.raw.open("wb")
        self._wav = self.wav.open("wb") if self.wav else None
        if self._wav:
            self._wav.write(self._header())

    @property
    def path(self) -> Path:
        """The file to show to people."""
        return self.wav or self.raw

    def write(self, data: bytes) -> None:
        """Add some audio; a disk that takes no more ends the files, not the connection."""
        if self._failed:
            return
        self._octets += len(data)
        try:
            self._raw.write(data)
            if self._wav:
                self._wav.write(data)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Finish both files; may be called twice."""
        for finish in (self._raw.close, self._finish_wav):
            try:
                finish()
            except OSError as error:
                self._fail(error)

    def _finish_wav(self) -> None:
        if self._wav and not self._wav.closed:
            with self._wav:
                self._wav.write(b"\0" * (self._octets & 1))
                self._wav.seek(0)
                self._wav.write(self._header())

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            log.error("audio cannot be kept", extra={"file": self.raw.name, "reason": error.strerror})
        self._failed = True

    def _header(self) -> bytes:
        encoding = _FORMATS[self._request.encoding or ""]
        linear = encoding == WAVE_FORMAT_PCM
        channels, rate = self._request.channels, self._request.sample_rate
        header = bytearray(wav_header(self._octets, channels=channels, encoding=encoding))
        struct.pack_into("<II", header, _RATE_AT, rate, rate * channels * (2 if linear else 1))
        return bytes(header)
