"""The settings by themselves: everything that would stop a start, or does nothing, at once and not one after the other.

Nothing is judged here that a start does not judge: `config`, `checks` and `certificates` say what is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge import checks, config
from bridge.certificates import trusted
from bridge.config import Settings
from bridge.doctor.finding import Finding, fine
from bridge.doctor.judging.settings import FILES, SETTINGS, fault, names, useless
from bridge.egress import Egress
from bridge.endpoints import Endpoint, endpoints
from bridge.errors import ConfigError
from bridge.policies import file_readers, redaction
from bridge.rights import unlimited


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the other checks go by."""

    settings: Settings
    """As far as they can be meant."""
    egress: Egress
    endpoints: tuple[Endpoint, ...]
    """Of a file that cannot be used none."""
    findings: list[Finding]
    local: bool = False
    """As `bridge serve --local` has it: calls are heard on this machine."""
    place: str | None = None
    """Where a bridge with these settings serves on this machine, as far as that is known."""


def set_up(environment: Mapping[str, str], **given: object) -> SetUp:
    """The settings of an environment, and all that is wrong with them."""
    settings, faults = config.examine(environment, **given)
    sentences = list(faults)
    named = {name for sentence in faults for name in names(sentence)}
    # What is missing because it was misspelt, or is out of range, is named already.
    sentences += [said for said in checks.faults(settings, environment) if not named & {*names(said)}]
    for reads in (lambda: file_readers(settings, unlimited(settings.read_tokens)), lambda: redaction(settings)):
        try:
            reads()
        except ConfigError as error:
            sentences.append(str(error))
    try:
        egress = Egress(environment, trusted(environment))
    except ConfigError as error:
        sentences.append(str(error))
        egress = Egress(environment, trusted({}))
    files = {name: str(getattr(settings, name.lower())) for name in FILES if getattr(settings, name.lower())}
    files["SSL_CERT_FILE"] = environment.get("SSL_CERT_FILE", "")
    webhook = "WEBHOOK_URL" if settings.webhook_url else "its url in the file of BRIDGE_ENDPOINTS"
    findings = [fault(sentence, files, webhook) for sentence in sentences]
    findings += [useless(sentence) for sentence in checks.doubts(settings)]
    return SetUp(settings, egress, _endpoints(settings, environment), findings or list(_fine(settings)))


def _endpoints(settings: Settings, environment: Mapping[str, str]) -> tuple[Endpoint, ...]:
    try:
        return endpoints(settings, environment)
    except ConfigError:  # which the findings tell
        return endpoints(settings.model_copy(update={"bridge_endpoints": None}), environment)


def _fine(settings: Settings) -> Iterator[Finding]:
    count = len(settings.model_fields_set)
    yield fine(SETTINGS, f"{count} {'is' if count == 1 else 'are'} set; all can be meant, and none rules another out")
