"""Settings against each other and against the host: what cannot work stops the start, what may not is logged."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge import endpoints
from bridge.config import Settings
from bridge.deepgram import options
from bridge.delivery.poster import Poster
from bridge.delivery.signing import parse_secrets
from bridge.egress import Egress
from bridge.errors import ConfigError
from bridge.outbox import TWILIO
from bridge.roles import ALL
from bridge.store.archive.objects import open_objects
from bridge.store.opening import lacking_driver

_DEEPGRAMS_SPEED = 1.25  # times real time


def check_for_serving(settings: Settings, environment: Mapping[str, str] | None = None) -> None:
    """Check that a server with these settings could work, and would not be open to every client.

    Raises ConfigError with one sentence that says what to do.
    """
    environment = os.environ if environment is None else environment
    if fault := next(_faults(settings, environment), None):
        raise ConfigError(fault)
    if contradictions := list(_contradictions(settings)):
        raise ConfigError("; ".join(contradictions))


def faults(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for everything that would stop the start, one after the other."""
    yield from _faults(settings, environment)
    yield from _contradictions(settings)


def _faults(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """What is missing, or cannot work whatever the rest is."""
    if settings.roles != ALL and not settings.database_url:
        yield (
            "a process with some of the roles leaves the rest to others, and a record in SQLite is one process's; "
            "set DATABASE_URL, or leave BRIDGE_ROLE and --role out"
        )
    if settings.transcribes and not settings.deepgram_api_key and not settings.bridge_vosk_url:
        yield "set DEEPGRAM_API_KEY, or start with --local to try the bridge without a key"
    if "media" in settings.roles:
        yield from _carrier_faults(settings)
    if (settings.webhook_url or settings.bridge_webhook_allow) and not settings.webhook_secret:
        yield "set WEBHOOK_SECRET (whsec_ and 32 random bytes in base64): every delivery is signed"
    if settings.webhook_secret:
        try:
            parse_secrets(settings.webhook_secret.get_secret_value())
        except ConfigError as error:
            yield f"WEBHOOK_SECRET: {error}"
    yield from _endpoint_faults(settings, environment)
    if settings.bridge_twilio_transcription_url and not (settings.twilio_auth_tokens and settings.twilio_account_sid):
        yield (
            "BRIDGE_TWILIO_TRANSCRIPTION_URL needs TWILIO_AUTH_TOKEN, with which its posts are signed, "
            "and TWILIO_ACCOUNT_SID, which they name; set both, or unset BRIDGE_TWILIO_TRANSCRIPTION_URL"
        )
    if settings.database_url and (lacking := lacking_driver()):
        yield lacking
    if settings.bridge_recordings and not settings.bridge_audio_limit:
        yield (
            "BRIDGE_RECORDINGS needs room for the audio of the calls that go on, and BRIDGE_AUDIO_LIMIT leaves none; "
            "unset BRIDGE_AUDIO_LIMIT, or BRIDGE_RECORDINGS"
        )
    if settings.bridge_recordings and settings.database_url and not settings.bridge_audio_url:
        yield (
            "BRIDGE_RECORDINGS with DATABASE_URL needs BRIDGE_AUDIO_URL, since any process with this record is asked "
            "for a recording, and none sees another's disk; set BRIDGE_AUDIO_URL to s3://bucket/prefix, gs://…, az://… "
            "or a folder that all of them share, file:///mnt/shared/calls, or unset BRIDGE_RECORDINGS"
        )
    try:
        if settings.bridge_audio_url:
            open_objects(settings.bridge_audio_url)
    except ConfigError as error:
        yield f"BRIDGE_AUDIO_URL: {error}"
    if "DYNO" in environment and not settings.database_url and not settings.bridge_allow_ephemeral_disk:
        yield (
            "this host wipes its disk at every restart and the record with it; "
            "set BRIDGE_ALLOW_EPHEMERAL_DISK=true if that is acceptable, or keep the record elsewhere by DATABASE_URL"
        )
    if fault := _unwritable(settings.data_dir):
        yield f"DATA_DIR: the record is kept there, and {fault}"


def _carrier_faults(settings: Settings) -> Iterator[str]:
    """Why no stream could be let in."""
    others = settings.telnyx_secrets or settings.jambonz_pairs  # carriers other than Twilio
    if not settings.answers_twilio and not others:
        yield "set TWILIO_AUTH_TOKEN so that streams can be checked, or TWILIO_SIGNATURE=off to take unsigned ones"
    if settings.twilio_signature != "off" and settings.twilio_auth_tokens and not settings.public_url:
        yield "set PUBLIC_URL to the https origin Twilio reaches: its signatures are made over it"


def _endpoint_faults(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the file of endpoints, or with where one of them leads."""
    try:
        found = endpoints.endpoints(settings, environment)
    except ConfigError as error:
        yield str(error)
        return
    urls = [(endpoint.name, endpoint.url) for endpoint in found]
    for name, url in (*urls, (TWILIO, settings.bridge_twilio_transcription_url)):
        try:
            if url:
                Poster(url, route=Egress(environment).route(url), guard=endpoints.own_guard(settings))
        except ConfigError as error:
            yield f"endpoint {name}: {error}"


def _contradictions(settings: Settings) -> Iterator[str]:
    """A sentence for each setting that would do nothing, or refuse every call, because of another one."""
    voice = {
        "BRIDGE_REQUIRE_TOKEN": (settings.bridge_require_token, "gives out the tokens"),
        "BRIDGE_DIAL": (settings.bridge_dial, "sends calls there"),
        "BRIDGE_SAY": (settings.bridge_say, "says it"),
        "BRIDGE_CALLER_ID": (settings.bridge_caller_id, "names it"),
    }
    if "media" not in settings.roles:
        return
    missing = "PUBLIC_URL" if not settings.public_url else None if settings.answers_twilio else "TWILIO_AUTH_TOKEN"
    for name, (given, what) in voice.items():
        if given and missing:
            said = f"{name} needs {missing}: without it there is no /twiml/voice, which {what}"
            yield f"{said}; set {missing}, or unset {name}"


def doubts(settings: Settings) -> Iterator[str]:
    """A sentence for each setting of a server that does nothing, or may not work: for its log."""
    if not settings.bridge_vosk_url:
        yield from (f"DEEPGRAM_OPTIONS: {doubt}" for doubt in options.doubts(options.parse(settings.deepgram_options)))
    asks_again = settings.twilio_auth_tokens and settings.public_url and settings.bridge_grace
    twilio_url = settings.bridge_twilio_transcription_url
    named = asks_again or twilio_url
    holds_lines = settings.public_url and settings.answers_twilio and not settings.bridge_dial
    posts = settings.webhook_url or settings.bridge_webhook_allow
    together = {"media", "worker"} <= settings.roles or "media" not in settings.roles
    apart = "in a process that hears calls and does not deliver: interims are posted by who does both"
    for name, works, needs in (
        ("DEEPGRAM_API_KEY", not settings.bridge_vosk_url, "with BRIDGE_VOSK_URL: calls are heard there"),
        ("DEEPGRAM_OPTIONS", not settings.bridge_vosk_url, "with BRIDGE_VOSK_URL: a Vosk server has no options"),
        ("WEBHOOK_SECRET", posts or settings.bridge_endpoints, "without WEBHOOK_URL: events are only kept"),
        ("WEBHOOK_INTERIM", posts, "without WEBHOOK_URL: events are only kept"),
        ("WEBHOOK_SPEECH_STARTED", posts, "without WEBHOOK_URL: events are only kept"),
        ("WEBHOOK_TRANSCRIPT", posts, "without WEBHOOK_URL: events are only kept"),
        ("BRIDGE_TWILIO_PARTIAL_RESULTS", twilio_url, "without BRIDGE_TWILIO_TRANSCRIPTION_URL"),
        ("WEBHOOK_INTERIM", together or not posts, apart),
        ("WEBHOOK_SPEECH_STARTED", together or not posts, apart),
        ("BRIDGE_TWILIO_PARTIAL_RESULTS", together or not twilio_url, apart),
        ("TWILIO_ACCOUNT_SID", named, "for a lost stream without TWILIO_AUTH_TOKEN, PUBLIC_URL and BRIDGE_GRACE"),
        ("BRIDGE_REDACT_AUDIO", settings.bridge_recordings, "without BRIDGE_RECORDINGS"),
        ("BRIDGE_CALLER_ID", settings.bridge_dial, "without BRIDGE_DIAL"),
        ("BRIDGE_PAUSE", holds_lines, "with BRIDGE_DIAL, or without a voice webhook (PUBLIC_URL)"),
        ("BRIDGE_BACKFILL_TIMEOUT", settings.bridge_audio_limit, "without kept audio (BRIDGE_AUDIO_LIMIT)"),
        ("BRIDGE_AUDIO_URL", settings.bridge_audio_limit, "without kept audio (BRIDGE_AUDIO_LIMIT)"),
        ("BRIDGE_BACKFILL_DAYS", settings.bridge_audio_limit, "without kept audio (BRIDGE_AUDIO_LIMIT)"),
    ):
        if name.lower() in settings.model_fields_set and getattr(settings, name.lower()) and not works:
            yield f"{name} does nothing {needs}"
    if settings.twilio_auth_tokens and settings.twilio_signature == "off":
        yield "TWILIO_AUTH_TOKEN checks no stream, because TWILIO_SIGNATURE is off; unset TWILIO_SIGNATURE"
    theirs = any(origin.endswith("deepgram.com") for origin in settings.deepgram_origins)
    if settings.bridge_replay_speed > _DEEPGRAMS_SPEED and theirs:
        said = f"BRIDGE_REPLAY_SPEED: Deepgram takes {_DEEPGRAMS_SPEED} at most, and may close the socket"
        yield f"{said}; unset BRIDGE_REPLAY_SPEED"


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be written in a folder, which need not be there yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))  # or may not be known
    if not there.is_dir():
        return f"{there} is a file"
    may = os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    return None if may else f"{there} cannot be written"
