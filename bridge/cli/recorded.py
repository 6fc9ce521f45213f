"""What `bridge stream` hears, as a call in the record: written down as it comes, and handed over at the end.

Should this process die, the bridge completes what it has written, and takes that in.
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from bridge.call import handover, imported
from bridge.call.handover import Journal, Terms
from bridge.call.imported import Parties
from bridge.cli.sources import Source
from bridge.errors import StoreError
from bridge.events import Event, MediaFormat, Request, TranscriptFinal


class Recorder:
    """One call. A disk that takes no more ends the recording, not the stream; `end` tells."""

    def __init__(
        self,
        data_dir: Path,
        source: Source,
        parties: Parties,
        public_url: str | None,
        *,
        keep: bool,
        redact: Iterable[str] = (),
    ) -> None:
        """`keep`: the audio, too, as a recording. `redact`: what is taken out of its words. Raises StoreError."""
        self.call_id = f"stream-{secrets.token_hex(16)}"
        self.ended = False
        """The record is whole, and on its way."""
        self._source = source
        self._folder = data_dir / handover.FOLDER
        self._fault: str | None = None
        self._heard = False
        self._audio: BinaryIO | None = None
        media_format = MediaFormat(encoding=source.codec, sample_rate=source.rate, channels=source.format.channels)
        now = time.time()
        started = imported.started(self.call_id, imported.CARRIERS[1], parties, media_format, now, {}, redact=redact)
        try:
            self._journal = Journal(self._folder, started, Terms(public_url=public_url), now)
            if keep:
                self._audio = self._audio_path.open("wb")
        except OSError as error:
            raise StoreError(f"cannot write in {self._folder}: {error.strerror}") from error

    @property
    def _audio_path(self) -> Path:
        return self._folder / f"{self.call_id}{handover.AUDIO}"

    def hear(self, chunk: bytes) -> None:
        """Audio that is sent."""
        if self._audio and not self._fault:
            try:
                self._audio.write(self._source.format.stereo(chunk))
            except OSError as error:
                self._fault = error.strerror

    def receive(self, event: Event) -> None:
        """What is said of it."""
        if event.seq is None or self._fault:
            return
        self._heard = self._heard or isinstance(event.data, TranscriptFinal)
        try:
            self._journal.add(event)
        except OSError as error:
            self._fault = error.strerror

    def end(self, seconds: float, requests: Sequence[Request], *, refused: bool) -> None:
        """The stream was so long, and went by these sockets; what was refused before anything was heard leaves nothing.

        Raises StoreError for a record that is not whole.
        """
        try:
            if self._audio:
                self._audio.close()
            if refused and not self._heard:
                self._journal.drop()
                self._audio_path.unlink(missing_ok=True)
                return
            if not self._fault:
                self._journal.end(seconds, time.time(), requests)
        except OSError as error:
            self._fault = error.strerror
        finally:
            with suppress(OSError):  # of what could not be written before, and is told
                self._journal.close()
        if self._fault:
            raise StoreError(f"not all of it is recorded: {self._fault}")
        self.ended = True
