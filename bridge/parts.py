"""The parts of the application that must be closed, or that several handlers share, constructed and connected."""

import os
import time
from dataclasses import dataclass
from functools import cached_property, partial
from random import Random

from bridge.audio import TELEPHONE
from bridge.call import CallRegistry, Services
from bridge.call.backfill import Backfill
from bridge.call.call_options import CallOptions
from bridge.call.controlling import Controlling
from bridge.call.eraser import Eraser
from bridge.call.expiry import Expiry
from bridge.call.observed import Missing, Observed
from bridge.call.others import Others
from bridge.clock import SystemClock
from bridge.config import Settings
from bridge.deepgram.mono import dialect_of
from bridge.deepgram.origins import Origins
from bridge.deepgram.prober import Prober
from bridge.delivery.posting import Posting
from bridge.live import Live
from bridge.policies import (
    allowed_urls,
    archive,
    audio_store,
    backfill_policy,
    call_options,
    call_policy,
    deepgram_origins,
    event_store,
    file_readers,
    may_be_heard_early,
    own_egress,
    posting,
)
from bridge.process import LoopDelay
from bridge.rights import Reader, unlimited
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore, Recordings
from bridge.store.base import CallIndex, ManagedStore
from bridge.store.opening import DATABASE
from bridge.store.sessions import EndedSessions
from bridge.store.token import own_token
from bridge.store.usage import Usage
from bridge.telemetry import OpenTraces, open_traces
from bridge.web import carriers
from bridge.web.access import Access
from bridge.web.audit import AuditHandlers
from bridge.web.measures import Measured
from bridge.web.media import MediaHandlers
from bridge.web.metering import metered
from bridge.web.operations import OperationsHandlers
from bridge.web.refusals import Refusals
from bridge.web.server import Connections, file_limit
from twiml.issued import IssuedTokens

REQUESTS = "backfill"
"""Folder in `DATA_DIR` through which `bridge backfill` asks a running server."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What `construct` makes, none of it open yet."""

    settings: Settings
    refusals: Refusals
    connections: Connections
    access: Access
    audit: AuditHandlers
    expiry: Expiry
    eraser: Eraser
    others: Others
    token_secret: bytes
    issued: IssuedTokens
    store: ManagedStore
    audio: AudioStore
    archive: Archive | None
    recordings: Recordings
    posting: Posting
    live: Live
    origins: Origins
    options: CallOptions
    backfill: Backfill
    services: Services
    registry: CallRegistry
    usage: Usage
    loop_delay: LoopDelay
    traces: OpenTraces

    @cached_property
    def controlling(self) -> Controlling:
        """What is asked of calls, here or at others that have the record. Once it is made, it answers these."""
        return Controlling(self.registry, self.store, self.store.passing)

    def operations(self, media: MediaHandlers) -> OperationsHandlers:
        """The handlers of those who run it, which count and measure all parts."""
        measured = Measured(
            registry=self.registry,
            services=self.services,
            store=self.store,
            audio=self.audio,
            archive=self.archive,
            posting=self.posting,
            live=self.live,
            connections=self.connections,
            media=media,
            usage=self.usage,
            loop_delay=self.loop_delay,
            max_calls=self.settings.bridge_max_calls,
            spans=self.traces.counters,
        )
        return metered(
            self.registry,
            self.services,
            self.store,
            self.audio,
            self.backfill,
            self.posting.senders,
            self.live,
            self.connections,
            self.refusals,
            self.access,
            self.audit,
            self.expiry,
            self.archive,
            measured.measures(),
        )

    def prober(self) -> Prober:
        """Asks origins for what a call without options of its own does."""
        options = self.options.options
        return Prober(self.origins, options.target(), dialect=partial(dialect_of, options, TELEPHONE.mono))


def construct(settings: Settings) -> Parts:
    """Every part, none of it open. Raises ConfigError for settings that cannot work."""
    egress, token_secret, issued = own_egress(), carriers.token_secret(settings), IssuedTokens()
    store, options, policy = event_store(settings), call_options(settings), backfill_policy(settings)
    bucket = archive(settings, store)
    audio, origins = audio_store(settings, bucket), deepgram_origins(settings, egress)
    traces, missing, requests = open_traces(os.environ), Missing(), settings.data_dir / REQUESTS
    observed = partial(Observed, missing=missing, traces=traces)
    transcribing = partial(Backfill, wall=time.time, random=Random(), requests=requests, observed=observed)
    backfill = transcribing(store, audio, origins, policy, options, owners=store)
    services = Services(
        policy=call_policy(settings),
        store=store,
        origins=origins,
        options=options,
        clock=SystemClock(),
        random=Random(),
        **carriers.asked(settings, token_secret, egress)._asdict(),
        missing=missing,
        traces=traces,
        find_named=allowed_urls(settings, egress).find,
    )
    registry = CallRegistry(
        services,
        max_calls=settings.bridge_max_calls,
        audio=audio if settings.bridge_audio_limit else None,
        keepers=store.keepers,
        on_uncovered=backfill.offer,
        had_token=issued.issued,
    )
    senders = posting(settings, store, egress, traces)
    access = _access(settings, store)
    recordings = Recordings(settings.data_dir, unfinished=may_be_heard_early(settings), archive=bucket)
    eraser = Eraser(store, audio, recordings, backfill)
    return Parts(
        settings=settings,
        refusals=carriers.refusals(settings),
        connections=Connections(settings.bridge_idle_connections, file_limit()),
        access=access,
        audit=AuditHandlers(store.audit, access, time.time),
        expiry=_expiry(settings, store, eraser, backfill),
        eraser=eraser,
        others=Others(store, audio, recordings, backfill, registry),
        token_secret=token_secret,
        issued=issued,
        store=store,
        audio=audio,
        archive=bucket,
        recordings=recordings,
        posting=senders,
        live=Live(store),
        origins=origins,
        options=options,
        backfill=backfill,
        services=services,
        registry=registry,
        usage=_usage(settings, store, senders, recordings),
        loop_delay=LoopDelay(),
        traces=traces,
    )


def _expiry(settings: Settings, store: ManagedStore, eraser: Eraser, backfill: Backfill) -> Expiry:
    ages = {"record_days": settings.bridge_record_days or None, "audit_days": settings.bridge_audit_days or None}
    delete = "worker" in settings.roles
    return Expiry(store, eraser, backfill, store.audit, **ages, wall=time.time, chore=store.chore, records=delete)


def read_tokens(settings: Settings) -> tuple[str, ...]:
    """The tokens that give access; the record's own if none is set. Raises StoreError if that cannot be kept."""
    return settings.read_tokens or (own_token(settings.data_dir),)


def readers(settings: Settings) -> list[Reader]:
    """Who may read the record. Raises ConfigError for a file that cannot be read, or makes no sense."""
    all_may = unlimited(read_tokens(settings))
    return all_may + file_readers(settings, all_may)


def _usage(settings: Settings, store: ManagedStore, senders: Posting, recordings: Recordings) -> Usage:
    database = None if settings.database_url else DATABASE
    return Usage(settings.data_dir, database, store, list(senders.counters), recordings)


def _access(settings: Settings, index: CallIndex) -> Access:
    ended = EndedSessions(settings.data_dir, time.time())
    return Access(readers(settings), settings.public_url, time.time, ended, index=index)
