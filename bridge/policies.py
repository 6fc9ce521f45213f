"""What the settings mean to each part: its policy, or the part itself."""

import os
import time

from bridge.align import AlignPolicy
from bridge.call import CallPolicy, ContinuityPolicy
from bridge.call.backfill import BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.certificates import trusted
from bridge.config import Settings
from bridge.deepgram import flux_options
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.options import parse
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.egress import Egress
from bridge.events import Data, SpeechStarted, TranscriptInterim, TurnEagerEnd, TurnResumed
from bridge.store.audio import AudioStore, Recordings
from bridge.store.audio.retention import Retention
from bridge.store.base import ManagedStore
from bridge.store.opening import open_store

ENDPOINT = "webhook"
"""The endpoint's name in the lanes; they stay when `WEBHOOK_URL` changes."""


def own_egress() -> Egress:
    """The way out of this process. Raises ConfigError for certificates that cannot be read."""
    return Egress(os.environ, trusted(os.environ))


def call_policy(settings: Settings, egress: Egress) -> CallPolicy:
    """The settings that all calls share."""
    labels = {"inbound": settings.bridge_label_inbound, "outbound": settings.bridge_label_outbound}
    return CallPolicy(
        deepgram_url=settings.deepgram_url,
        deepgram_key=settings.deepgram_api_key.get_secret_value() if settings.deepgram_api_key else "",
        route=egress.route(settings.bridge_vosk_url or settings.deepgram_url),
        vosk_url=settings.bridge_vosk_url,
        align=AlignPolicy(chunk_ms=_chunk_ms(settings), hold_ms=settings.bridge_hold_ms),
        session=SessionPolicy(
            window=settings.bridge_replay_window,
            speed=settings.bridge_replay_speed,
            flush=settings.bridge_flush_timeout,
        ),
        labels={track: label for track, label in labels.items() if label},
        public_url=settings.public_url,
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


def backfill_policy(settings: Settings, egress: Egress) -> BackfillPolicy:
    """How kept audio is transcribed after the call."""
    return BackfillPolicy(
        origin=settings.deepgram_url,
        key=settings.deepgram_api_key.get_secret_value() if settings.deepgram_api_key else "",
        route=egress.route(settings.bridge_vosk_url or settings.deepgram_url),
        vosk_url=settings.bridge_vosk_url,
        timeout=settings.bridge_backfill_timeout,
        keep=settings.bridge_backfill_days * 86400,
    )


def audio_store(settings: Settings) -> AudioStore:
    """The store of kept audio and recordings, in `DATA_DIR`."""
    limit = settings.bridge_audio_limit * 1_000_000
    return AudioStore(settings.data_dir, limit=limit, keep=settings.bridge_recordings)


def event_store(settings: Settings) -> ManagedStore:
    return open_store(settings.data_dir, [ENDPOINT] if settings.webhook_url else [])


def webhook_sender(settings: Settings, store: ManagedStore, egress: Egress) -> Sender | None:
    if not settings.webhook_url or not settings.webhook_secret:
        return None
    signer = Signer(settings.webhook_secret.get_secret_value())
    url, route = settings.webhook_url, egress.route(settings.webhook_url)
    wanted: list[type[Data]] = [TranscriptInterim, TurnEagerEnd, TurnResumed] if settings.webhook_interim else []
    wanted += [SpeechStarted] if settings.webhook_speech_started else []
    return Sender(store, url, signer, endpoint=ENDPOINT, interims=wanted, route=route)


def retention(settings: Settings, recordings: Recordings) -> Retention:
    max_age = settings.bridge_recording_days * 86400 or None
    return Retention(recordings, max_age, settings.bridge_recording_limit * 1_000_000 or None, time.time)
