"""The endpoints that events are posted to: `WEBHOOK_URL`, the file that `BRIDGE_ENDPOINTS` names, and what calls may
name themselves.

    [[endpoint]]
    name = "crm"                                  # its lanes go by this name
    url = "https://crm.example.com/calls"
    secret = "whsec_…"                            # or a list, while rotating; or secret_env = "CRM_SECRET"
    events = ["call.started", "call.ended"]       # by default all
    interim = false
    speech_started = false
    transcript = true                             # `call.ended` has the whole transcript
    numbers = ["+15550123"]                       # or "others"; by default all calls

An endpoint with `allow = ["https://*.example.com/"]` in the place of `url` is for what calls name.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bridge import forms, values
from bridge.delivery.allowed import Prefix, parse_prefix
from bridge.delivery.signing import parse_secrets
from bridge.errors import ConfigError
from bridge.events import EVENT_TYPES, Data, SpeechStarted, TranscriptInterim, TurnEagerEnd, TurnResumed
from bridge.guard import Guard, parse_networks
from bridge.outbox import TWILIO, WEBHOOK
from bridge.outlets import OTHERS, Outlet, Outlets, plain_number

CALL = "call"
"""The endpoint of what `BRIDGE_WEBHOOK_ALLOW` lets calls name."""

_LARGEST = 1_000_000  # octets of the file
_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,31}")
_FIELD = re.compile("[a-z_]{1,24}")
"""A name that may be repeated; what is longer may be a secret in a wrong place."""
_INTERIMS: tuple[type[Data], ...] = (TranscriptInterim, TurnEagerEnd, TurnResumed)


class Configured(Protocol):
    """The settings that are read here."""

    @property
    def webhook_url(self) -> str | None: ...
    @property
    def webhook_secret(self) -> SecretStr | None: ...
    @property
    def webhook_interim(self) -> bool: ...
    @property
    def webhook_speech_started(self) -> bool: ...
    @property
    def webhook_transcript(self) -> bool: ...
    @property
    def bridge_webhook_allow(self) -> str: ...
    @property
    def bridge_endpoints(self) -> Path | None: ...
    @property
    def bridge_twilio_transcription_url(self) -> str | None: ...
    @property
    def bridge_egress_allow(self) -> str: ...
    @property
    def bridge_egress_strict(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of them, checked."""

    name: str
    url: str | None = field(repr=False)
    """None: calls name theirs."""
    secrets: str = field(repr=False)
    """`whsec_…`, several separated by spaces."""
    events: frozenset[str] | None = None
    """The types that it is told; None: all."""
    interims: tuple[type[Data], ...] = ()
    transcript: bool = False
    numbers: frozenset[str] | Literal["others"] | None = None
    allow: tuple[Prefix, ...] = ()

    @property
    def outlet(self) -> Outlet:
        """What the store knows of it."""
        return Outlet(self.name, self.numbers, is_usual=self.name == WEBHOOK, is_pattern=self.url is None)


def endpoints(settings: Configured, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """All of them, but Twilio's. Raises ConfigError with one sentence, which repeats neither a secret nor a URL."""
    found = [*_of_settings(settings), *_of_file(settings, environment)]
    names = [endpoint.name for endpoint in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"BRIDGE_ENDPOINTS: there is an endpoint {twice} already")
    return tuple(found)


def outlets(settings: Configured, environment: Mapping[str, str]) -> Outlets:
    """What the store knows of all endpoints, Twilio's too."""
    found = [endpoint.outlet for endpoint in endpoints(settings, environment)]
    return Outlets([*found, *([Outlet(TWILIO)] if settings.bridge_twilio_transcription_url else [])])


def own_guard(settings: Configured) -> Guard:
    """The rule for the URLs that the operator has written."""
    return Guard(own=not settings.bridge_egress_strict, allowed=parse_networks(settings.bridge_egress_allow))


def named_guard(settings: Configured) -> Guard:
    """The rule for those that calls have named."""
    return Guard(own=False, allowed=parse_networks(settings.bridge_egress_allow))


def _of_settings(settings: Configured) -> Iterator[Endpoint]:
    secrets = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    if secrets is None:
        return
    interims = _interims(settings.webhook_interim, settings.webhook_speech_started)
    if settings.webhook_url:
        transcript = settings.webhook_transcript
        yield Endpoint(WEBHOOK, settings.webhook_url, secrets, interims=interims, transcript=transcript)
    if allow := settings.bridge_webhook_allow.split():
        prefixes = tuple(map(parse_prefix, allow))
        yield Endpoint(CALL, None, secrets, interims=interims, transcript=settings.webhook_transcript, allow=prefixes)


def _of_file(settings: Configured, environment: Mapping[str, str]) -> Iterator[Endpoint]:
    if settings.bridge_endpoints is None:
        return
    tables = _read(settings.bridge_endpoints)
    for number, table in enumerate(tables, 1):
        name = table.get("name") if isinstance(table, dict) else None
        whose = name if isinstance(name, str) and _NAME.fullmatch(name) else f"number {number}"
        try:
            yield _checked(_Table.model_validate(table), environment)
        except ValidationError as error:
            raise ConfigError(f"BRIDGE_ENDPOINTS: endpoint {whose}: {_sentence(error.errors()[0])}") from None
        except ConfigError as error:
            raise ConfigError(f"BRIDGE_ENDPOINTS: endpoint {whose}: {error}") from None


def _read(path: Path) -> list[Any]:
    """The tables of the file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            octets = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"BRIDGE_ENDPOINTS: the file cannot be read ({error.strerror})") from None
    if len(octets) > _LARGEST:
        raise ConfigError("BRIDGE_ENDPOINTS: the file is too large")
    try:
        document = tomllib.loads(octets.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number without end
        where = _place(error)  # of the library's sentence nothing else: it may show what stands there
        raise ConfigError(f"BRIDGE_ENDPOINTS: the file is no TOML{where}") from None
    tables = document.pop("endpoint", None)
    if document or not isinstance(tables, list) or not tables:
        raise ConfigError("BRIDGE_ENDPOINTS: the file must have [[endpoint]] tables and nothing else")
    return tables


def _place(error: Exception) -> str:
    _, mark, place = str(error).rpartition("(at line ")
    line = place.partition(",")[0]
    return f" (line {line})" if mark and line.isdecimal() else ""


def _name(text: str) -> str:
    if text == TWILIO:
        raise ValueError("must be another one: twilio is that of BRIDGE_TWILIO_TRANSCRIPTION_URL")
    return text


def _types(names: list[str]) -> list[str]:
    for name in names:
        if name not in EVENT_TYPES:
            raise ValueError("must be types of events, as bridge/docs/events.md lists them")
        if not EVENT_TYPES[name].durable:
            raise ValueError("must be types that have a seq; for the others there are interim and speech_started")
    if not names:
        raise ValueError("must name at least one type; without it the endpoint gets all")
    return names


def _prefixes(texts: list[str]) -> list[str]:
    for text in texts:
        forms.checked(parse_prefix, text)
    return texts


class _Table(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=f"^{_NAME.pattern}$"), AfterValidator(_name)]
    url: forms.WebhookUrl | None = Field(None, repr=False)
    allow: Annotated[list[str], AfterValidator(_prefixes)] = []
    secret: SecretStr | list[SecretStr] | None = None
    secret_env: str | None = None
    events: Annotated[list[str], AfterValidator(_types)] | None = None
    interim: bool = False
    speech_started: bool = False
    transcript: bool = False
    numbers: list[str] | Literal["others"] | None = None


def _checked(table: _Table, environment: Mapping[str, str]) -> Endpoint:
    """Raises ConfigError."""
    if bool(table.url) == bool(table.allow):
        raise ConfigError("must have a url, or allow for URLs that calls name, and not both")
    if table.allow and table.numbers is not None:
        raise ConfigError("numbers do nothing with allow: the calls that name a URL get it")
    secrets = _secrets(table, environment)
    try:
        parse_secrets(secrets)
    except ConfigError as error:
        raise ConfigError(f"secret: {error}") from None
    return Endpoint(
        table.name,
        table.url,
        secrets,
        frozenset(table.events) if table.events is not None else None,
        _interims(table.interim, table.speech_started),
        table.transcript,
        _numbers(table.numbers),
        tuple(map(parse_prefix, table.allow)),
    )


def _numbers(given: list[str] | Literal["others"] | None) -> frozenset[str] | Literal["others"] | None:
    if not isinstance(given, list):
        return given
    numbers = frozenset(map(plain_number, given))
    if not numbers or "" in numbers:
        raise ConfigError(f'numbers must be called numbers, such as ["+15550123"], or "{OTHERS}"')
    return numbers


def _secrets(table: _Table, environment: Mapping[str, str]) -> str:
    if (table.secret is None) == (table.secret_env is None):
        raise ConfigError("must have a secret, or secret_env with the name of the variable that has it")
    if table.secret_env is not None:
        if found := values.trimmed(environment.get(table.secret_env, "")):
            return found
        raise ConfigError("secret_env names a variable that is not set")
    given = table.secret if isinstance(table.secret, list) else [table.secret]
    return " ".join(secret.get_secret_value() for secret in given if secret)


def _interims(interim: bool, speech_started: bool) -> tuple[type[Data], ...]:
    return (_INTERIMS if interim else ()) + ((SpeechStarted,) if speech_started else ())


def _sentence(fault: Any) -> str:
    """What is wrong, without what was given."""
    place = ".".join(str(part) for part in fault["loc"][:1])
    match fault["type"]:
        case "extra_forbidden":
            known = ", ".join(_Table.model_fields)
            return f"there is no {place if _FIELD.fullmatch(place) else 'such name'}; there are {known}"
        case "missing":
            return f"{place} is missing"
        case "string_pattern_mismatch":
            return f"{place} must be up to 32 small letters, digits, _ and -"
        case "value_error":
            said = fault["msg"].removeprefix("Value error, ")
            return f"{place} {said}"
        case "model_type":
            return "it must be a table: [[endpoint]]"
        case _:
            return f"{place} has the wrong type"
