"""What the settings mean to each part: its policy, or the part itself."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bridge import endpoints
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
from bridge.delivery.allowed import Allowed
from bridge.delivery.format import Envelopes
from bridge.delivery.posting import Posting
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.delivery.timing import Timing
from bridge.delivery.twilio import TwilioForms
from bridge.egress import Egress
from bridge.endpoints import Endpoint
from bridge.errors import ConfigError
from bridge.events import TranscriptInterim
from bridge.guard import Guard
from bridge.outbox import TWILIO
from bridge.outlets import Named, Outlets, pattern_of
from bridge.redaction.rules import Pattern, Rules, kinds, parse_patterns
from bridge.rights import Reader
from bridge.rights import parse as parse_readers
from bridge.store.archive.archive import Archive
from bridge.store.archive.base import Objects
from bridge.store.archive.objects import open_objects
from bridge.store.audio import AudioStore, Recordings
from bridge.store.audio.retention import Retention
from bridge.store.base import ManagedStore, Ownership
from bridge.store.opening import open_store
from bridge.traces import NO_TRACES, Traces
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
        return CallOptions(parse(""), redaction=redaction(settings))
    return CallOptions(parse(settings.deepgram_options), settings.overrides, redaction(settings))


def redaction(settings: Settings) -> Rules:
    """What is taken out of transcripts. Raises ConfigError for patterns that cannot be used."""
    path = settings.bridge_redact_patterns
    patterns: tuple[Pattern, ...] = ()
    if path:
        try:
            patterns = parse_patterns(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise ConfigError("BRIDGE_REDACT_PATTERNS: the file cannot be read as text in UTF-8") from None
        except ConfigError as error:
            raise ConfigError(f"BRIDGE_REDACT_PATTERNS: {error}") from None
    return Rules(kinds(settings.bridge_redact), patterns, mute=settings.bridge_redact_audio)


def backfill_policy(settings: Settings) -> BackfillPolicy:
    """How kept audio is transcribed after the call."""
    return BackfillPolicy(
        vosk_request=_vosk_request(settings),
        timeout=settings.bridge_backfill_timeout,
        keep=settings.bridge_backfill_days * 86400,
    )


def archive(settings: Settings, owners: Ownership) -> Archive | None:
    """Where audio goes that must outlive this disk. `owners`: say whose a call is, where there may be other processes.
    Raises ConfigError."""
    objects = object_store(settings)
    shared = None if owners.lease is None else owners
    return Archive(objects, settings.data_dir, owners=shared) if objects else None


def object_store(settings: Settings) -> Objects | None:
    """The one of the settings; nothing is asked of it. Raises ConfigError where it cannot be used."""
    if settings.bridge_audio_url is None:
        return None
    try:
        return open_objects(settings.bridge_audio_url)
    except ConfigError as error:
        raise ConfigError(f"BRIDGE_AUDIO_URL: {error}") from None


def audio_store(settings: Settings, archive: Archive | None = None) -> AudioStore:
    """The store of kept audio and recordings, in `DATA_DIR`. `archive`: open while that is."""
    limit = settings.bridge_audio_limit * 1_000_000
    return AudioStore(settings.data_dir, limit=limit, keep=settings.bridge_recordings, archive=archive)


def may_be_heard_early(settings: Settings) -> bool:
    """Whether recordings can be heard while the call goes on: what is to be silent in them is silent after it only."""
    return settings.bridge_recordings and not settings.bridge_redact_audio


def outlets(settings: Settings) -> Outlets:
    """Which endpoints a call goes to. Raises ConfigError."""
    return endpoints.outlets(settings, os.environ)


def event_store(settings: Settings) -> ManagedStore:
    """The record, in `DATA_DIR` or in PostgreSQL; not open. Raises ConfigError, and StoreError without the driver."""
    url = settings.database_url.get_secret_value() if settings.database_url else None
    reached_at = settings.bridge_node_url or ((settings.host, settings.port) if settings.port else None)
    return open_store(settings.data_dir, outlets(settings), database_url=url, reached_at=reached_at)


def posting(settings: Settings, store: ManagedStore, egress: Egress, traces: Traces = NO_TRACES) -> Posting:
    """What posts to each endpoint. Raises ConfigError."""
    found = {endpoint.name: endpoint for endpoint in endpoints.endpoints(settings, os.environ)}
    guard = endpoints.own_guard(settings)
    delivers = "worker" in settings.roles
    all_have: dict[str, Any] = {"traces": traces, "delivers": delivers}
    senders = {
        name: _sender(endpoint, Named(name, endpoint.url), store, egress, guard, **all_have)
        for name, endpoint in found.items()
        if endpoint.url
    }
    twilio = _twilio_sender(settings, store, egress, guard, traces)
    if twilio:
        senders[TWILIO] = twilio
    if not any(endpoint.allow for endpoint in found.values()):
        return Posting(store, senders, delivers=delivers)
    allowed, named_guard = allowed_urls(settings, egress), endpoints.named_guard(settings)
    counters = {name: senders[name].counters if name in senders else Counter[str]() for name in found}
    timings = {name: senders[name].attempts.timing if name in senders else Timing() for name in found}

    def make(named: Named) -> Sender | str:
        if not allowed.allows(named.endpoint, named.url):
            return "it is not in the allow-list any more"
        name = pattern_of(named.endpoint) or ""
        options = {"follows": False, "counters": counters[name], "timing": timings[name]}
        return _sender(found[name], named, store, egress, named_guard, **options, **all_have)

    return Posting(store, senders, make, counters=counters, timings=timings, delivers=delivers)


def allowed_urls(settings: Settings, egress: Egress) -> Allowed:
    """The URLs that calls may name. Raises ConfigError for a proxy on the way there that cannot be used."""
    patterns = {endpoint.name: endpoint.allow for endpoint in endpoints.endpoints(settings, os.environ)}
    for secure in {prefix.secure for prefixes in patterns.values() for prefix in prefixes}:
        egress.route(f"http{'s' if secure else ''}://named.invalid/")  # a proxy that cannot be used stops the start

    def proxied(url: str) -> bool:
        return egress.route(url).proxy is not None

    return Allowed(patterns, endpoints.named_guard(settings), proxied=proxied)


def _sender(
    endpoint: Endpoint, named: Named, store: ManagedStore, egress: Egress, guard: Guard, **options: Any
) -> Sender:
    """Raises ConfigError."""
    format_ = Envelopes(Signer(endpoint.secrets), types=endpoint.events, transcript=endpoint.transcript)
    try:
        return Sender(
            store,
            named.url,
            format_,
            endpoint=named.endpoint,
            interims=endpoint.interims,
            route=egress.route(named.url),
            guard=guard,
            **options,
        )
    except ConfigError as error:
        raise ConfigError(f"endpoint {endpoint.name}: {error}") from None


def _twilio_sender(
    settings: Settings, store: ManagedStore, egress: Egress, guard: Guard, traces: Traces
) -> Sender | None:
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
    route = egress.route(url)
    more: dict[str, Any] = {"route": route, "guard": guard, "traces": traces, "delivers": "worker" in settings.roles}
    return Sender(store, url, format_, endpoint=TWILIO, interims=wanted, **more)


def retention(settings: Settings, recordings: Recordings, owners: Ownership) -> Retention:
    """How long recordings stay. `owners`: say which process looks at those of all."""
    max_age, limit = settings.bridge_recording_days * 86400 or None, settings.bridge_recording_limit * 1_000_000 or None
    return Retention(recordings, max_age, limit, time.time, owners.chore)


def file_readers(settings: Settings, all_may: Sequence[Reader] = ()) -> list[Reader]:
    """The readers in BRIDGE_TOKENS_FILE, beside those who may do everything. Raises ConfigError for a file that cannot
    be read, or makes no sense."""
    if not settings.bridge_tokens_file:
        return []
    try:
        some_may = parse_readers(settings.bridge_tokens_file.read_text())
    except OSError as error:
        raise ConfigError(f"BRIDGE_TOKENS_FILE: it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError("BRIDGE_TOKENS_FILE: it is no text in UTF-8") from None
    except ConfigError as error:
        raise ConfigError(f"BRIDGE_TOKENS_FILE: {error}") from None
    for what in ("name", "token"):
        if {getattr(reader, what) for reader in all_may} & {getattr(reader, what) for reader in some_may}:
            raise ConfigError(f"BRIDGE_TOKENS_FILE: it has a {what} of BRIDGE_READ_TOKENS, which may do everything")
    return some_may
