"""The machine that the doctor runs on, which is to be the bridge's."""

import asyncio
import secrets

from bridge.config import Settings
from bridge.doctor.finding import Finding, skipped
from bridge.doctor.judging import archive
from bridge.doctor.judging import host as judging
from bridge.doctor.judging.network import Answer
from bridge.doctor.measuring import host as measuring
from bridge.doctor.measuring import http
from bridge.doctor.measuring.archive import try_out
from bridge.egress import Egress
from bridge.policies import object_store
from bridge.web.server import enough_for_calls, highest_file_limit

_MEGA = 1_000_000
_PATIENCE = 6.0  # seconds for a peer to tell the time


async def examine_clock(settings: Settings, egress: Egress, *, local: bool = False) -> list[Finding]:
    """Compared with those of Deepgram and of Twilio, as far as they are used; neither is given a key. `local`: calls
    are heard on this machine."""
    urls = [] if settings.bridge_vosk_url or local else [f"http{url[2:]}" for url in settings.deepgram_origins]
    urls += [settings.bridge_twilio_api] if settings.twilio_account_sid else []
    answers = await asyncio.gather(*(http.ask(f"{url}/", egress.route(url), patience=_PATIENCE) for url in urls))
    told = zip(urls, answers, strict=True)
    skews = {url.partition("://")[2]: answer.skew if isinstance(answer, Answer) else None for url, answer in told}
    return [judging.clock(skews)]


async def examine_disk(settings: Settings) -> list[Finding]:
    """In a thread, since a disk may hang."""
    found = await asyncio.to_thread(measuring.disk, settings.data_dir)
    recordings = settings.bridge_recording_limit * _MEGA if settings.bridge_recordings else None
    return judging.disk(found, settings.bridge_audio_limit * _MEGA, recordings or None)


async def examine_serving(settings: Settings, place: str | None, *, local: bool = False) -> list[Finding]:
    """Whether a bridge serves here with these settings, or could. `place`: where it does, as far as that is known.
    `local`: with `--local`."""
    holder = await asyncio.to_thread(measuring.holder, settings.data_dir)
    if holder is None:
        fault = measuring.listening(settings.host, settings.port)
        free = measuring.free_port(settings.host, settings.port) if fault else 0
        return [judging.place(fault, settings.host, settings.port, free=free, local=local)]
    answer = await http.ask(f"{place}/healthz", patience=_PATIENCE) if place else None
    if place and isinstance(answer, Answer) and answer.status == 200:
        return [judging.served(place)]
    return [judging.held(holder, str(settings.data_dir))]


async def examine_archive(settings: Settings) -> list[Finding]:
    """With an object of its own, which is deleted again. Raises ConfigError for a setting that cannot be used."""
    objects = object_store(settings)
    if objects is None:
        return [skipped(archive.ARCHIVE, "BRIDGE_AUDIO_URL is not set; audio is on this disk only")]
    return [archive.archive(await try_out(objects, secrets.token_hex(8)))]


async def examine_files(settings: Settings) -> list[Finding]:
    files = highest_file_limit()
    return [judging.files(files, enough_for_calls(files), settings.bridge_max_calls)]


async def examine_versions() -> list[Finding]:
    libraries, extras = await asyncio.to_thread(measuring.libraries)
    return judging.versions(measuring.python(), libraries, extras)
