"""Settings against each other and against the host: what cannot work stops the start, what may not is logged."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge.config import Settings
from bridge.deepgram import options
from bridge.delivery.signing import parse_secrets
from bridge.errors import ConfigError

_DEEPGRAMS_SPEED = 1.25  # times real time


def check_for_serving(settings: Settings, environment: Mapping[str, str] | None = None) -> None:
    """Check that a server with these settings could work, and would not be open to every client.

    Raises ConfigError with one sentence that says what to do.
    """
    environment = os.environ if environment is None else environment
    if not settings.deepgram_api_key and not settings.bridge_vosk_url:
        raise ConfigError("set DEEPGRAM_API_KEY, or start with --local to try the bridge without a key")
    others = settings.telnyx_secrets or settings.jambonz_pairs  # carriers other than Twilio
    if not settings.answers_twilio and not others:
        raise ConfigError(
            "set TWILIO_AUTH_TOKEN so that streams can be checked, or TWILIO_SIGNATURE=off to take unsigned ones"
        )
    if settings.twilio_signature != "off" and settings.twilio_auth_tokens and not settings.public_url:
        raise ConfigError("set PUBLIC_URL to the https origin Twilio reaches: its signatures are made over it")
    if settings.webhook_url and not settings.webhook_secret:
        raise ConfigError("set WEBHOOK_SECRET (whsec_ and 32 random bytes in base64): every delivery is signed")
    if settings.webhook_secret:
        try:
            parse_secrets(settings.webhook_secret.get_secret_value())
        except ConfigError as error:
            raise ConfigError(f"WEBHOOK_SECRET: {error}") from None
    if settings.bridge_twilio_transcription_url and not (settings.twilio_auth_tokens and settings.twilio_account_sid):
        raise ConfigError(
            "BRIDGE_TWILIO_TRANSCRIPTION_URL needs TWILIO_AUTH_TOKEN, with which its posts are signed, "
            "and TWILIO_ACCOUNT_SID, which they name"
        )
    if settings.database_url:
        raise ConfigError("DATABASE_URL is not supported yet; unset it, the record is kept in DATA_DIR")
    if settings.bridge_recordings and not settings.bridge_audio_limit:
        raise ConfigError(
            "BRIDGE_RECORDINGS needs room for the audio of the calls that go on: raise BRIDGE_AUDIO_LIMIT"
        )
    if "DYNO" in environment and not settings.bridge_allow_ephemeral_disk:
        raise ConfigError(
            "this host wipes its disk at every restart and the record with it; "
            "set BRIDGE_ALLOW_EPHEMERAL_DISK=true if that is acceptable"
        )
    if fault := _unwritable(settings.data_dir):
        raise ConfigError(f"DATA_DIR: {fault}; the record is kept there")
    if contradictions := list(_contradictions(settings)):
        raise ConfigError("; ".join(contradictions))


def _contradictions(settings: Settings) -> Iterator[str]:
    """A sentence for each setting that would do nothing, or refuse every call, because of another one."""
    voice = {
        "BRIDGE_REQUIRE_TOKEN": (settings.bridge_require_token, "gives out the tokens"),
        "BRIDGE_DIAL": (settings.bridge_dial, "sends calls there"),
        "BRIDGE_SAY": (settings.bridge_say, "says it"),
        "BRIDGE_CALLER_ID": (settings.bridge_caller_id, "names it"),
    }
    missing = "PUBLIC_URL" if not settings.public_url else None if settings.answers_twilio else "TWILIO_AUTH_TOKEN"
    for name, (given, what) in voice.items():
        if given and missing:
            yield f"{name} needs {missing}: without it there is no /twiml/voice, which {what}"


def doubts(settings: Settings) -> Iterator[str]:
    """A sentence for each setting of a server that does nothing, or may not work: for its log."""
    if not settings.bridge_vosk_url:
        yield from (f"DEEPGRAM_OPTIONS: {doubt}" for doubt in options.doubts(options.parse(settings.deepgram_options)))
    asks_again = settings.twilio_auth_tokens and settings.public_url and settings.bridge_grace
    twilio_url = settings.bridge_twilio_transcription_url
    named = asks_again or twilio_url
    holds_lines = settings.public_url and settings.answers_twilio and not settings.bridge_dial
    for name, works, needs in (
        ("DEEPGRAM_API_KEY", not settings.bridge_vosk_url, "with BRIDGE_VOSK_URL: calls are heard there"),
        ("DEEPGRAM_OPTIONS", not settings.bridge_vosk_url, "with BRIDGE_VOSK_URL: a Vosk server has no options"),
        ("WEBHOOK_SECRET", settings.webhook_url, "without WEBHOOK_URL: events are only kept"),
        ("WEBHOOK_INTERIM", settings.webhook_url, "without WEBHOOK_URL: events are only kept"),
        ("WEBHOOK_SPEECH_STARTED", settings.webhook_url, "without WEBHOOK_URL: events are only kept"),
        ("BRIDGE_TWILIO_PARTIAL_RESULTS", twilio_url, "without BRIDGE_TWILIO_TRANSCRIPTION_URL"),
        ("TWILIO_ACCOUNT_SID", named, "for a lost stream without TWILIO_AUTH_TOKEN, PUBLIC_URL and BRIDGE_GRACE"),
        ("BRIDGE_CALLER_ID", settings.bridge_dial, "without BRIDGE_DIAL"),
        ("BRIDGE_PAUSE", holds_lines, "with BRIDGE_DIAL, or without a voice webhook (PUBLIC_URL)"),
        ("BRIDGE_BACKFILL_TIMEOUT", settings.bridge_audio_limit, "without kept audio (BRIDGE_AUDIO_LIMIT)"),
        ("BRIDGE_BACKFILL_DAYS", settings.bridge_audio_limit, "without kept audio (BRIDGE_AUDIO_LIMIT)"),
    ):
        if name.lower() in settings.model_fields_set and getattr(settings, name.lower()) and not works:
            yield f"{name} does nothing {needs}"
    if settings.twilio_auth_tokens and settings.twilio_signature == "off":
        yield "TWILIO_AUTH_TOKEN checks no stream, because TWILIO_SIGNATURE is off"
    theirs = any(origin.endswith("deepgram.com") for origin in settings.deepgram_origins)
    if settings.bridge_replay_speed > _DEEPGRAMS_SPEED and theirs:
        yield f"BRIDGE_REPLAY_SPEED: Deepgram takes {_DEEPGRAMS_SPEED} at most, and may close the socket"


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be written in a folder, which need not be there yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        return f"{there} is a file"
    return None if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written"
