"""The types of the settings: each is a form of `values`, or a check of the package that reads the setting."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from bridge import roles, values
from bridge.deepgram import options
from bridge.delivery.allowed import parse_prefix
from bridge.errors import ConfigError
from bridge.guard import parse_networks
from bridge.redaction import rules

_LONGEST_LABEL = 400  # characters: Twilio carries fewer than 500 of a parameter's name and value


def checked(check: Callable[[str], object], text: str) -> str:
    """The text, after a check of another package, whose error becomes the one that pydantic expects."""
    try:
        check(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


def _prefixes(text: str) -> None:
    for word in text.split():
        parse_prefix(word)


def _dial_target(text: str) -> str:
    from twiml.document import parse_target  # not above: it loads Twilio's library

    parse_target(text)
    return text


def _folder(path: object) -> object:
    return Path(values.one_line(path)).expanduser() if isinstance(path, str) else path


def _hidden(check: Callable[[str], str]) -> BeforeValidator:
    """A check of a secret's text, before that is hidden."""
    return BeforeValidator(lambda value: check(value) if isinstance(value, str) else value)


Word = Annotated[str, AfterValidator(values.word)]
Sentence = Annotated[str, AfterValidator(values.sentence)]
TelephoneKey = Annotated[str, AfterValidator(values.telephone_key)]
Label = Annotated[str, Field(max_length=_LONGEST_LABEL), AfterValidator(values.sentence)]

Hidden = Annotated[SecretStr, _hidden(values.one_line)]
DatabaseUrl = Annotated[SecretStr, _hidden(values.database)]
Keys = Annotated[SecretStr, _hidden(values.secrets)]
LongKeys = Annotated[SecretStr, _hidden(lambda text: values.long_enough(values.secrets(text)))]
Passwords = Annotated[SecretStr, _hidden(values.passwords)]

PublicOrigin = Annotated[str, AfterValidator(values.public_origin)]
SocketOrigins = Annotated[str, AfterValidator(values.socket_origins)]
SocketUrl = Annotated[str, AfterValidator(values.socket_url)]
WebOrigin = Annotated[str, AfterValidator(values.web_origin)]
ObjectStore = Annotated[str, AfterValidator(values.object_store)]
WebhookUrl = Annotated[str, AfterValidator(values.webhook)]

AccountSid = Annotated[str, AfterValidator(values.account)]
DialTarget = Annotated[str, AfterValidator(_dial_target)]
DeepgramOptions = Annotated[str, AfterValidator(lambda text: checked(options.parse, values.one_line(text)))]
OptionNames = Annotated[str, AfterValidator(lambda text: checked(options.check_names, values.one_line(text)))]
RedactedKinds = Annotated[str, AfterValidator(lambda text: checked(rules.kinds, values.one_line(text)))]
Roles = Annotated[str, AfterValidator(lambda text: checked(roles.parse, values.one_line(text)))]
UrlPrefixes = Annotated[str, AfterValidator(lambda text: checked(_prefixes, values.one_line(text)))]
Networks = Annotated[str, AfterValidator(lambda text: checked(parse_networks, values.one_line(text)))]
Folder = Annotated[Path, BeforeValidator(_folder)]
