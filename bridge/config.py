"""Every setting, read once from the environment by the commands and handed down as one frozen object.

The README's table is tested against this class. Settings that only the bridge has begin with `BRIDGE_`; an unknown
`BRIDGE_*` name stops the start, because a misspelt setting that is ignored would be noticed only when it is needed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from bridge.deepgram import options
from bridge.errors import ConfigError

_SHORTEST_TOKEN = 16  # characters: too many to guess, whatever the number of attempts


class Settings(BaseModel):
    """The settings; field names in capitals are the environment's names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("0.0.0.0", description="Address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes any free one")
    public_url: str | None = Field(None, description="https origin as Twilio sees it, e.g. `https://calls.example.com`")

    deepgram_api_key: SecretStr | None = Field(None, description="Deepgram's API key; not needed with `--local`")
    deepgram_url: str = Field("wss://api.deepgram.com", description="Deepgram's origin: a region, or your own server")
    deepgram_options: str = Field(
        "", description="Query string laid over the defaults, e.g. `model=nova-3&keyterm=Acme`"
    )

    webhook_url: str | None = Field(None, description="Where events are posted; without it they are only kept")
    webhook_secret: SecretStr | None = Field(
        None, description="`whsec_…`; several, separated by spaces, while rotating"
    )
    webhook_interim: bool = Field(False, description="Post interim transcripts too")

    twilio_account_sid: str | None = Field(None, description="For `bridge number`, and to ask for a lost stream again")
    twilio_auth_token: SecretStr | None = Field(
        None, description="Checks X-Twilio-Signature; several, separated by spaces, while rotating"
    )
    twilio_signature: Literal["strict", "warn", "off"] = Field(
        "strict",
        description="What happens to a request without Twilio's signature: "
        "`strict` refuses it, `warn` logs it and lets it in, `off` does not check",
    )

    bridge_telnyx_secret: SecretStr | None = Field(
        None, description="Secret that Telnyx streams send; several, separated by spaces, while rotating"
    )
    bridge_jambonz_auth: SecretStr | None = Field(
        None, description="`user:password` that jambonz streams send; several, separated by spaces, while rotating"
    )

    data_dir: Path = Field(Path("data"), description="Folder in which the record is kept")
    database_url: str | None = Field(None, description="Reserved: only SQLite in `DATA_DIR` is built so far")

    bridge_twilio_api: str = Field("https://api.twilio.com", description="Twilio's REST API: a region's, or for tests")

    bridge_dial: str | None = Field(
        None, description="Where a call goes next: dial `+15550100`, `sip:a@b.example` or `client:name`"
    )
    bridge_caller_id: str | None = Field(None, description="Caller id of that dialed call")
    bridge_say: str | None = Field(None, description="Sentence spoken first, e.g. a consent notice")
    bridge_pause: int = Field(
        3600, ge=1, le=86400, description="Seconds the line is held when there is nothing to dial"
    )
    bridge_label_inbound: str | None = Field(None, description="Speaker label of the inbound track")
    bridge_label_outbound: str | None = Field(None, description="Speaker label of the outbound track")
    bridge_require_token: bool = Field(
        False, description="Refuse streams without the per-call token that `/twiml/voice` gives out"
    )
    bridge_deepgram_overrides: str = Field(
        "language,model,keyterm,keywords,endpointing,utterance_end_ms,smart_format,redact,tag",
        description='Options a call may set by `<Parameter name="deepgram.…">`',
    )
    bridge_max_calls: int = Field(1000, ge=1, description="Calls at once; more are refused with 503")
    bridge_max_duration: float = Field(
        86_400.0, ge=1, le=2_592_000, description="Seconds after which a call is ended, whatever its streams do"
    )
    bridge_start_timeout: float = Field(10.0, gt=0, le=60, description="Seconds a socket may take to send `start`")
    bridge_idle_timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds without audio or a key after which a stream counts as lost"
    )
    bridge_chunk_ms: int = Field(
        60, ge=20, le=100, multiple_of=20, description="Milliseconds of audio per message to Deepgram"
    )
    bridge_hold_ms: int = Field(60, ge=10, le=500, description="Milliseconds to wait for a missing frame")
    bridge_replay_window: float = Field(
        120.0, ge=5, le=3600, description="Seconds of audio kept in memory for sending again"
    )
    bridge_replay_speed: float = Field(
        1.25, ge=1.0, le=1000, description="How fast audio may go out, times real time; Deepgram takes 1.25"
    )
    bridge_audio_limit: int = Field(
        10_000, ge=0, description="Megabytes of audio kept on the disk over all calls until it is transcribed; 0: none"
    )
    bridge_grace: float = Field(
        15.0, ge=0, le=300, description="Seconds a call waits for another stream after its own, or the bridge, was lost"
    )
    bridge_backfill_timeout: float = Field(
        3600.0, ge=0, le=604800, description="Seconds after a call for which transcribing kept audio is tried"
    )
    bridge_backfill_days: float = Field(
        7.0,
        gt=0,
        le=365,
        description="Days for which audio that was not transcribed in time stays for `bridge backfill`",
    )
    bridge_recordings: bool = Field(
        False, description="Keep the audio of every call as a recording; tell the people on the line"
    )
    bridge_recording_days: float = Field(
        30.0, ge=0, le=36500, description="Days for which recordings are kept; 0: forever"
    )
    bridge_recording_limit: int = Field(
        50_000, ge=0, description="Megabytes of recordings, the oldest are deleted first; 0: no limit"
    )
    bridge_read_tokens: SecretStr | None = Field(
        None,
        description="Tokens that give access to the calls, separated by spaces; without any, one is made in `DATA_DIR`",
    )
    bridge_flush_timeout: float = Field(5.0, gt=0, le=60, description="Seconds to wait for the last words")
    bridge_stop: Literal["keep", "end"] = Field(
        "keep",
        description="What SIGTERM does to calls: `keep` leaves them open for the next process, `end` ends them",
    )
    bridge_stop_timeout: float = Field(
        20.0, ge=0, le=300, description="Seconds to finish calls and deliveries on SIGTERM"
    )
    bridge_allow_ephemeral_disk: bool = Field(
        False, description="Start on a host whose disk is wiped at every restart (Heroku)"
    )
    bridge_log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged"
    )
    bridge_log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or plain text")

    @field_validator("public_url")
    @classmethod
    def _origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not (parts.scheme == "https" or (parts.scheme == "http" and local)) or not parts.netloc:
            raise ValueError("must be an https origin such as https://calls.example.com")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("must be an origin: no path and no query")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("deepgram_url")
    @classmethod
    def _socket_origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0:
            raise ValueError("must begin with wss:// or ws://, and name a host")
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("must be an origin: no path, no query, no user name")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("webhook_url")
    @classmethod
    def _http_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("must begin with https:// or http://")
        if parts.username or parts.password:
            raise ValueError("must not carry a user name or a password: the signature is what proves us")
        return url

    @field_validator("bridge_jambonz_auth")
    @classmethod
    def _pairs(cls, pairs: SecretStr | None) -> SecretStr | None:
        if pairs and any(not all(pair.partition(":")[::2]) for pair in pairs.get_secret_value().split()):
            raise ValueError("must be user:password")
        return pairs

    @field_validator("bridge_read_tokens", "bridge_telnyx_secret")
    @classmethod
    def _long_enough(cls, tokens: SecretStr | None) -> SecretStr | None:
        if tokens and any(len(token) < _SHORTEST_TOKEN for token in tokens.get_secret_value().split()):
            raise ValueError(f"each token must have at least {_SHORTEST_TOKEN} characters")
        return tokens

    @field_validator("deepgram_options")
    @classmethod
    def _options(cls, text: str) -> str:
        try:
            options.parse(text)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return text

    @property
    def twilio_auth_tokens(self) -> tuple[str, ...]:
        """Every auth token that Twilio may sign with."""
        return tuple(self.twilio_auth_token.get_secret_value().split()) if self.twilio_auth_token else ()

    @property
    def telnyx_secrets(self) -> tuple[str, ...]:
        """Every secret that a stream of Telnyx may send."""
        return tuple(self.bridge_telnyx_secret.get_secret_value().split()) if self.bridge_telnyx_secret else ()

    @property
    def jambonz_pairs(self) -> tuple[str, ...]:
        """Every `user:password` that a stream of jambonz may send."""
        return tuple(self.bridge_jambonz_auth.get_secret_value().split()) if self.bridge_jambonz_auth else ()

    @property
    def answers_twilio(self) -> bool:
        """Whether Twilio's requests can be checked, or need not be."""
        return self.twilio_signature == "off" or bool(self.twilio_auth_tokens)

    @property
    def read_tokens(self) -> tuple[str, ...]:
        """Every token that gives access to the record; empty: none is set."""
        return tuple(self.bridge_read_tokens.get_secret_value().split()) if self.bridge_read_tokens else ()

    @property
    def overrides(self) -> frozenset[str]:
        """The names of the Deepgram options that a call may set."""
        return frozenset(name.strip() for name in self.bridge_deepgram_overrides.split(",") if name.strip())


def load(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings from an environment (by default the process's own), overridden by those in `given`.

    Raises ConfigError with one sentence per fault; it repeats no values, since they may be secrets.
    """
    environment = os.environ if environment is None else environment
    known = {name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in environment if name.startswith("BRIDGE_") and name not in known)
    if unknown:
        raise ConfigError(f"unknown setting {', '.join(unknown)}; the README lists them all")
    values = {name.lower(): value for name, value in environment.items() if name in known and value != ""}
    try:
        return Settings.model_validate(values | given)
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(fault) for fault in error.errors())) from None


def _sentence(fault: Any) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    said = fault["msg"].removeprefix("Value error, ")
    return f"{name}: {said[:1].lower()}{said[1:]}"


def check_for_serving(settings: Settings, environment: Mapping[str, str] | None = None) -> None:
    """Check that a server with these settings could work, and would not be open to every client.

    Raises ConfigError with one sentence that says what to do.
    """
    environment = os.environ if environment is None else environment
    if not settings.deepgram_api_key:
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
