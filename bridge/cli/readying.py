"""Makes a recording ready to be transcribed: fetched, named, decoded, and described as a call."""

import asyncio
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from bridge.audio import seconds
from bridge.call import handover, imported
from bridge.call.imported import Parties
from bridge.cli.decoded import DecodedAudio, decode
from bridge.cli.recordings import Recording, content_id, downloaded, fetch
from bridge.cli.sources import Source, SourceError, open_source
from bridge.config import Settings
from bridge.deepgram.options import Options
from bridge.egress import Egress
from bridge.events import CallStarted, MediaFormat
from bridge.policies import redaction
from bridge.web.carriers import twilio_account
from twiml import recordings as twilio

WORK = "work"
"""The folder of what is being imported, in that of the imports."""

YEARS = (-62_104_060_800.0, 253_370_764_800.0)
"""Seconds since 1970 of the years 2 to 9998, in which a time may be told in any time zone, and a day later."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of the recordings."""

    parties: Parties
    options: Options
    started_at: float | None = None
    """Seconds since 1970; None: what the recording says, or the time of its file."""
    keep: bool = False
    """As recordings of the bridge's."""
    deliver: bool = False
    """To the webhook."""
    at_once: int = 4
    patience: float = 600.0
    """Seconds for which Deepgram may be busy or away."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A recording that can be transcribed."""

    call_id: str
    started: CallStarted
    audio: DecodedAudio
    broken: int = 0
    """Packets of it that could not be decoded now."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return seconds(self.audio.end)


class Readying:
    """For one run. Raises SourceError, TwilioError, and OSError for files of ours."""

    def __init__(self, settings: Settings, egress: Egress, wanted: Wanted) -> None:
        self.stopped = threading.Event()
        """Set, it ends what is being decoded."""
        self._settings = settings
        self._egress = egress
        self._wanted = wanted
        self._work = settings.data_dir / handover.FOLDER / WORK

    async def name(self, recording: Recording) -> str:
        """The id of its call, the same in every run."""
        if recording.of_twilio:
            return f"import-{recording.of_twilio.sid}"
        place = self._place(recording)
        if recording.address:
            await fetch(recording, place, self._egress)
        return await asyncio.to_thread(content_id, place)

    async def ready(self, call_id: str, recording: Recording) -> Ready:
        """Everything that there is to do before it is transcribed; of what has been done nothing is done again."""
        place, about = self._place(recording).absolute(), None  # a file's name may be `mic`, too
        if recording.of_twilio:
            account = twilio_account(self._settings, self._egress)
            about = await twilio.describe(account, recording.of_twilio)
            if not place.exists():
                new = place.with_suffix(".fetching")
                await twilio.download(account, about, new)
                new.rename(place)
        try:
            source = await asyncio.to_thread(open_source, str(place))
            audio = await asyncio.to_thread(decode, source, self.decoded(call_id), self.stopped)
        except SourceError as error:  # without a folder of ours
            raise SourceError(str(error).replace(str(place), "it" if recording.address else place.name)) from None
        return Ready(call_id, self._started(call_id, recording, source, place, about), audio, source.broken.packets)

    def decoded(self, call_id: str) -> Path:
        """Where its audio is while it is imported."""
        return self._work / f"{call_id}.pcm"

    def forget(self, call_id: str, recording: Recording) -> None:
        """It is imported: nothing is needed any more but what is not ours."""
        self.decoded(call_id).unlink(missing_ok=True)
        if recording.address:
            self._place(recording).unlink(missing_ok=True)

    def _place(self, recording: Recording) -> Path:
        return recording.path or downloaded(self._work, recording.address or "")

    def _started(
        self, call_id: str, recording: Recording, source: Source, place: Path, about: twilio.TwilioRecording | None
    ) -> CallStarted:
        parties, at = self._wanted.parties, self._wanted.started_at
        parameters = {"recording": recording.name, "options": urlencode(self._wanted.options.pairs)}
        if about:
            at = about.started_at.timestamp() if at is None and about.started_at else at
            parties = replace(
                parties,
                from_=parties.from_ or about.from_,
                to=parties.to or about.to,
                direction=parties.direction or about.direction,
            )
            parameters |= {"call_sid": about.call_sid} if about.call_sid else {}
        at = _made_at(source) if at is None else at
        at = place.stat().st_mtime if at is None else at
        if not YEARS[0] <= at < YEARS[1]:
            raise SourceError("its file is of a time that there is not; --started-at gives it another")
        redact = redaction(self._settings).names
        media_format = MediaFormat(encoding=source.codec, sample_rate=source.rate, channels=source.format.channels)
        return imported.started(call_id, imported.CARRIERS[0], parties, media_format, at, parameters, redact=redact)


def _made_at(source: Source) -> float | None:
    try:
        at = datetime.fromisoformat(source.made_at or "").timestamp()
    except (ValueError, OverflowError):
        return None
    return at if YEARS[0] <= at < YEARS[1] else None
