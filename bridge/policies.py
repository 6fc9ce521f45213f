"""What the settings mean to each part: its policy, or the part itself."""

import os
import time
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from bridge.align import AlignPolicy
from bridge.call import CallPolicy, ContinuityPolicy
from bridge.call.backfill import BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.call.control import Keys
from bridge.certificates import trusted
from bridge.config import Settings
from bridge.deepgram import flux_options
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.options import parse
from bridge.deepgram.origins import Origin, Origins
from bridge.delivery.address import parse_address
from bridge.delivery.format import Envelopes
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.delivery.twilio import TwilioForms
from bridge.egress import Egress
from bridge.events import Data, SpeechStarted, TranscriptInterim, TurnEagerEnd, TurnResumed
from bridge.outbox import TWILIO, WEBHOOK
from bridge.store.audio import AudioStore, Recordings
from bridge.store.audio.retention import Retention
from bridge.store.base import ManagedStore
from bridge.store.opening import open_store
from twiml.signature import sign_form


def own_egress() -> Egress:
    """The way out of this process. Raises ConfigError for certificates that cannot be read."""
    return Egress(os.environ, trusted(os.environ))


def deepgram(origins: Sequence[str], keys: Sequence[str], egress: Egress) -> Origins:
    """The origins of Deepgram, as many keys as there are, and the ways there. Raises ConfigError for a proxy that
    cannot be used."""
    return Origins([Origin(origin, key, egress.route(origin)) for origin, key in zip(origins, keys, strict=True)])


def deepgram_origins(settings: Settings, egress: Egress) -> Origins:
    """Those of the settings, or the Vosk server in their place; without a key they are there, and refuse."""
    if settings.bridge_vosk_url:
        url = urlsplit(settings.bridge_vosk_url)
        return deepgram([f"{url.scheme}://{url.netloc}"], [""], egress)
    origins = settings.deepgram_origins
    return deepgram(origins, settings.deepgram_keys or [""] * len(origins), egress)


def _vosk_request(settings: Settings) -> str | None:
    """Path and query of the Vosk server's URL; None without one."""
    if settings.bridge_vosk_url is None:
        return None
    url = urlsplit(settings.bridge_vosk_url)
    return f"{url.path}?{url.query}" if url.query else url.path


def call_policy(settings: Settings) -> CallPolicy:
    """The settings that all calls share."""
    labels = {"inbound": settings.bridge_label_inbound, "outbound": settings.bridge_label_outbound}
    return CallPolicy(
        vosk_request=_vosk_request(settings),
        align=AlignPolicy(chunk_ms=_chunk_ms(settings), hold_ms=settings.bridge_hold_ms),
        session=SessionPolicy(
            window=settings.bridge_replay_window,
            speed=settings.bridge_replay_speed,
            flush=settings.bridge_flush_timeout,
        ),
        labels={track: label for track, label in labels.items() if label},
        public_url=settings.public_url,
        keys=Keys(settings.bridge_pause_key, settings.bridge_resume_key),
        continuity=ContinuityPolicy(grace=settings.bridge_grace, longest=settings.bridge_max_duration),
    )


def _chunk_ms(settings: Settings) -> int:
    """What is set, or what suits the model."""
    if "bridge_chunk_ms" not in settings.model_fields_set and parse(settings.deepgram_options).is_flux:
        return flux_options.CHUNK_MS
    return settings.bridge_chunk_ms


def call_options(settings: Settings) -> CallOptions:
    """Deepgram's options for calls, and which of them a call may override; a Vosk server has none."""
    if settings.bridge_vosk_url:
        return CallOptions(parse(""))
    return CallOptions(parse(settings.deepgram_options), settings.overrides)


def backfill_policy(settings: Settings) -> BackfillPolicy:
    """How kept audio is transcribed after the call."""
    return BackfillPolicy(
        vosk_request=_vosk_request(settings),
        timeout=settings.bridge_backfill_timeout,
        keep=settings.bridge_backfill_days * 86400,
    )


def audio_store(settings: Settings) -> AudioStore:
    """The store of kept audio and recordings, in `DATA_DIR`."""
    limit = settings.bridge_audio_limit * 1_000_000
    return AudioStore(settings.data_dir, limit=limit, keep=settings.bridge_recordings)


def endpoints(settings: Settings) -> list[str]:
    """The names of those that events are posted to."""
    urls = {WEBHOOK: settings.webhook_url, TWILIO: settings.bridge_twilio_transcription_url}
    return [name for name, url in urls.items() if url]


def event_store(settings: Settings) -> ManagedStore:
    return open_store(settings.data_dir, endpoints(settings))


def senders(settings: Settings, store: ManagedStore, egress: Egress) -> dict[str, Sender]:
    """What posts to each endpoint, by its name."""
    made = {
        WEBHOOK: _webhook_sender(settings, store, egress),
        TWILIO: _twilio_sender(settings, store, egress),
    }
    return {name: sender for name, sender in made.items() if sender}


def _webhook_sender(settings: Settings, store: ManagedStore, egress: Egress) -> Sender | None:
    if not settings.webhook_url or not settings.webhook_secret:
        return None
    format_ = Envelopes(Signer(settings.webhook_secret.get_secret_value()))
    url, route = settings.webhook_url, egress.route(settings.webhook_url)
    wanted: list[type[Data]] = [TranscriptInterim, TurnEagerEnd, TurnResumed] if settings.webhook_interim else []
    wanted += [SpeechStarted] if settings.webhook_speech_started else []
    return Sender(store, url, format_, endpoint=WEBHOOK, interims=wanted, route=route)


def _twilio_sender(settings: Settings, store: ManagedStore, egress: Egress) -> Sender | None:
    url, account, tokens = (
        settings.bridge_twilio_transcription_url,
        settings.twilio_account_sid,
        settings.twilio_auth_tokens,
    )
    if not url or not account or not tokens:
        return None
    interims = settings.bridge_twilio_partial_results
    # While tokens are rotated Twilio signs with the primary one, and so does this with the first; over the URL as its
    # host sees it.
    format_ = TwilioForms(account, partial(sign_form, tokens[0], parse_address(url).absolute), interims=interims)
    wanted = [TranscriptInterim] if interims else []
    return Sender(store, url, format_, endpoint=TWILIO, interims=wanted, route=egress.route(url))


def retention(settings: Settings, recordings: Recordings) -> Retention:
    max_age = settings.bridge_recording_days * 86400 or None
    return Retention(recordings, max_age, settings.bridge_recording_limit * 1_000_000 or None, time.time)
