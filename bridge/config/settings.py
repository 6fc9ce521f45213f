"""Every setting, as one frozen object. `bridge/docs/settings.md` is made from this class."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from bridge import forms, values
from bridge.deepgram import options
from bridge.roles import Role
from bridge.roles import parse as parse_roles


class Settings(BaseModel):
    """The settings; field names in capitals are the environment's names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: forms.Word = Field("0.0.0.0", description="Address to listen on; with `--local` 127.0.0.1")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes any free one")
    public_url: forms.PublicOrigin | None = Field(
        None,
        description="https origin as Twilio sees it, e.g. `https://calls.example.com`; "
        "`--tunnel` sets it, and with `--local` it is this machine's",
    )

    deepgram_url: forms.SocketOrigins = Field(
        "wss://api.deepgram.com",
        description="Deepgram's origin: a region, or your own server; several, separated by spaces, the preferred "
        "one first",
    )
    deepgram_api_key: forms.Keys | None = Field(
        None,
        description="Deepgram's API key, for all origins, or one for each, separated by spaces; "
        "not needed with `--local`",
    )
    deepgram_options: forms.DeepgramOptions = Field(
        "", description="Query string laid over the defaults, e.g. `model=nova-3&keyterm=Acme`"
    )

    bridge_vosk_url: forms.SocketUrl | None = Field(
        None, description="A Vosk server that hears calls in Deepgram's place, e.g. `ws://127.0.0.1:2700`"
    )

    webhook_url: forms.WebhookUrl | None = Field(
        None, repr=False, description="Where events are posted; without it they are only kept"
    )
    webhook_secret: forms.Keys | None = Field(
        None, description="`whsec_…`; several, separated by spaces, while rotating"
    )
    webhook_interim: bool = Field(False, description="Post interim transcripts too")
    webhook_speech_started: bool = Field(False, description="Post the starts of speech too")
    webhook_transcript: bool = Field(False, description="Post the whole transcript with `call.ended`, up to 64 kB")

    bridge_endpoints: forms.Folder | None = Field(
        None, description="TOML file with further webhooks, each with its own secret, events and numbers"
    )
    bridge_webhook_allow: forms.UrlPrefixes = Field(
        "",
        description='Beginnings of the URLs that a call may name by `<Parameter name="bridge.webhook">`, separated by '
        "spaces, e.g. `https://*.example.com/`",
    )
    bridge_egress_allow: forms.Networks = Field(
        "", description="Private networks that any webhook may be in, e.g. `10.0.0.0/8`"
    )
    bridge_egress_strict: bool = Field(
        False, description="Hold your own webhook URLs to the rules for URLs that calls name: public https only"
    )

    twilio_account_sid: forms.AccountSid | None = Field(
        None, description="For `bridge number`, and to ask for a lost stream again"
    )
    twilio_auth_token: forms.Keys | None = Field(
        None, description="Checks X-Twilio-Signature; several, separated by spaces, while rotating"
    )
    twilio_signature: Literal["strict", "warn", "off"] = Field(
        "strict",
        description="What happens to a request without Twilio's signature: "
        "`strict` refuses it, `warn` logs it and lets it in, `off` does not check",
    )

    bridge_telnyx_secret: forms.LongKeys | None = Field(
        None, description="Secret that Telnyx streams send; several, separated by spaces, while rotating"
    )
    bridge_jambonz_auth: forms.Passwords | None = Field(
        None, description="`user:password` that jambonz streams send; several, separated by spaces, while rotating"
    )

    data_dir: forms.Folder = Field(Path("data"), description="Folder in which the record is kept")
    database_url: forms.DatabaseUrl | None = Field(
        None,
        description="PostgreSQL in which the record is kept, for several processes: `postgresql://user:password@host/name`",
    )
    bridge_node_url: forms.WebOrigin | None = Field(
        None,
        description="Where other processes with the same record reach this one, e.g. `http://10.0.0.5:8080`, to relay "
        "streams of its calls; without it PORT at the address by which it reaches the database",
    )
    bridge_role: forms.Roles = Field(
        "media,web,worker",
        description="What this process does of all that there is to do; less than all needs `DATABASE_URL`, and other "
        "processes for the rest",
    )

    bridge_twilio_transcription_url: forms.WebhookUrl | None = Field(
        None, repr=False, description="Where calls are posted as Twilio's Real-Time Transcription posts them"
    )
    bridge_twilio_partial_results: bool = Field(
        False, description="Post interim transcripts there too, as Twilio's `partialResults` does"
    )

    bridge_twilio_api: forms.WebOrigin = Field(
        "https://api.twilio.com", description="Twilio's REST API: a region's, or for tests"
    )

    bridge_dial: forms.DialTarget | None = Field(
        None, description="Where a call goes next: dial `+15550100`, `sip:a@b.example` or `client:name`"
    )
    bridge_caller_id: forms.Word | None = Field(None, description="Caller id of that dialed call")
    bridge_say: forms.Sentence | None = Field(None, description="Sentence spoken first, e.g. a consent notice")
    bridge_pause: int = Field(
        3600, ge=1, le=86400, description="Seconds the line is held when there is nothing to dial"
    )
    bridge_label_inbound: forms.Label | None = Field(None, description="Speaker label of the inbound track")
    bridge_label_outbound: forms.Label | None = Field(None, description="Speaker label of the outbound track")
    bridge_require_token: bool = Field(
        False, description="Refuse streams without the per-call token that `/twiml/voice` gives out"
    )
    bridge_deepgram_overrides: forms.OptionNames = Field(
        "language,model,keyterm,keywords,endpointing,utterance_end_ms,smart_format,redact,tag",
        description='Options a call may set by `<Parameter name="deepgram.…">`',
    )
    bridge_pause_key: forms.TelephoneKey | None = Field(
        None, description="Key, such as `*`, by which anyone on the line pauses the transcription; Twilio tells no keys"
    )
    bridge_resume_key: forms.TelephoneKey | None = Field(
        None, description="Key that ends the pause; it may be the same one"
    )
    bridge_max_calls: int = Field(1000, ge=1, description="Calls at once; more are refused with 503")
    bridge_max_duration: float = Field(
        86_400.0, ge=1, le=2_592_000, description="Seconds after which a call is ended, whatever its streams do"
    )
    bridge_start_timeout: float = Field(10.0, gt=0, le=60, description="Seconds a socket may take to send `start`")
    bridge_idle_timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds without audio or a key after which a stream counts as lost"
    )
    bridge_idle_connections: int = Field(
        100,
        ge=1,
        le=65536,
        description="Connections of one address that may wait, for a request or for `start`; beyond it the oldest is "
        "closed. Raise it if all come from one proxy",
    )
    bridge_chunk_ms: int = Field(
        60, ge=20, le=100, multiple_of=20, description="Milliseconds of audio per message to Deepgram"
    )
    bridge_hold_ms: int = Field(60, ge=10, le=500, description="Milliseconds to wait for a missing frame")
    bridge_replay_window: float = Field(
        120.0,
        ge=5,
        le=3600,
        description="Seconds of audio kept in memory for sending again, where the disk has none of it",
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
        False,
        description="Keep the audio of every call as a recording; tell the people on the line. With `DATABASE_URL` it "
        "needs `BRIDGE_AUDIO_URL`",
    )
    bridge_recording_days: float = Field(
        30.0, ge=0, le=36500, description="Days for which recordings are kept; 0: forever"
    )
    bridge_recording_limit: int = Field(
        50_000, ge=0, description="Megabytes of recordings, the oldest are deleted first; 0: no limit"
    )
    bridge_audio_url: forms.ObjectStore | None = Field(
        None,
        description="Object store for recordings, and for audio that must outlive this disk: `s3://bucket/prefix`, "
        "`gs://…`, `az://…` or `file:///…`; extra `objects`",
    )
    bridge_record_days: float = Field(
        0.0,
        ge=0,
        le=36500,
        description="Days for which the record of a call stays after it, with its recording; 0: forever",
    )
    bridge_audit_days: float = Field(
        365.0, ge=0, le=36500, description="Days for which the audit log is kept; 0: forever"
    )
    bridge_redact: forms.RedactedKinds = Field(
        "",
        description="What is taken out of transcripts before anyone reads them: any of `card,phone,email,digits`",
    )
    bridge_redact_patterns: forms.Folder | None = Field(
        None, description="File of own patterns to take out, a label and an RE2 expression a line; extra `redact`"
    )
    bridge_redact_audio: bool = Field(
        False, description="Silence in recordings where words were taken out; they can be heard after the call only"
    )
    bridge_read_tokens: forms.LongKeys | None = Field(
        None,
        description="Tokens that give access to the calls, separated by spaces; without any, one is made in `DATA_DIR`",
    )
    bridge_tokens_file: forms.Folder | None = Field(
        None, description="A TOML file of further tokens, with rights and numbers of their own"
    )
    bridge_flush_timeout: float = Field(5.0, gt=0, le=60, description="Seconds to wait for the last words")
    bridge_stop: Literal["keep", "end"] = Field(
        "keep",
        description="What SIGTERM does to calls: `keep` leaves them open for the next process, `end` ends them",
    )
    bridge_stop_timeout: float = Field(
        20.0, ge=0, le=300, description="Seconds to finish calls and deliveries on SIGTERM"
    )
    bridge_drain_timeout: float = Field(
        0.0,
        ge=0,
        le=86400,
        description="Seconds for which SIGTERM waits for the end of calls whose carrier cannot be asked for another "
        "stream; a second SIGTERM ends the wait",
    )
    bridge_allow_ephemeral_disk: bool = Field(
        False, description="Start on a host whose disk is wiped at every restart (Heroku)"
    )
    bridge_start_checks: bool = Field(
        True,
        description="Look at the start, in the background, whether Deepgram, Twilio, the public URL, the webhook and "
        "the disk work, and log what does not",
    )
    bridge_metrics: str = Field(
        "open",
        description="Who may read `/metrics`: `open` everyone, `token` readers with a token; "
        "a port, or `address:port`, serves it there instead",
    )
    bridge_log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged"
    )
    bridge_log_format: Literal["json", "text"] | None = Field(
        None, description="`json`: one object a line; `text`: plain. By default text on a terminal, and JSON elsewhere"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object) -> object:
        return values.filled_in(values.trimmed(value)) if isinstance(value, str) else value

    @field_validator("deepgram_api_key")
    @classmethod
    def _one_or_one_each(cls, keys: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        origins = len(info.data.get("deepgram_url", "").split())
        if keys and len(keys.get_secret_value().split()) not in (1, origins):
            raise ValueError("must be the key alone, nothing before or after it, or a key for each of DEEPGRAM_URL")
        return keys

    @field_validator("bridge_metrics")
    @classmethod
    def _who_or_where(cls, text: str) -> str:
        if text not in ("open", "token"):
            host, _, port = text.rpartition(":")
            if not port.isdecimal() or not 0 < int(port) < 65536 or (":" in text and not host):
                raise ValueError("must be open, token, a port, or address:port")
        return text

    @property
    def roles(self) -> frozenset[Role]:
        """What this process does."""
        return parse_roles(self.bridge_role)

    @property
    def transcribes(self) -> bool:
        """Whether it does so, in calls or after them."""
        return self.roles != {"web"}

    @property
    def deepgram_origins(self) -> tuple[str, ...]:
        """Every origin of Deepgram, the preferred one first."""
        return tuple(self.deepgram_url.split())

    @property
    def deepgram_keys(self) -> tuple[str, ...]:
        """The key of each of them; empty: none is set."""
        keys = tuple(self.deepgram_api_key.get_secret_value().split()) if self.deepgram_api_key else ()
        return keys * len(self.deepgram_origins) if len(keys) == 1 else keys

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
    def metrics_address(self) -> tuple[str, int] | None:
        """Where the metrics are served, if apart from all else."""
        if self.bridge_metrics in ("open", "token"):
            return None
        host, _, port = self.bridge_metrics.rpartition(":")
        return host.strip("[]") or self.host, int(port)

    @property
    def overrides(self) -> frozenset[str]:
        """The names of the Deepgram options that a call may set."""
        return options.names(self.bridge_deepgram_overrides)
