"""The endpoints: a test event to each, as events are posted."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from bridge.config import Settings
from bridge.delivery.address import parse_address
from bridge.delivery.poster import Poster, Timeouts
from bridge.doctor.finding import Finding, Mark, broken, of_sentence, skipped
from bridge.doctor.judging import webhook
from bridge.doctor.judging.network import may_be_tls, speaks_tls
from bridge.doctor.judging.settings import typed
from bridge.doctor.measuring import endpoint, http
from bridge.egress import Egress, Route
from bridge.endpoints import Endpoint, own_guard
from bridge.errors import ConfigError
from bridge.outbox import TWILIO as TWILIO_NAME
from bridge.outbox import WEBHOOK
from twiml.signature import sign_form

_PATTERN = "calls name its URLs: there is none to post to"


async def examine_webhooks(
    settings: Settings,
    egress: Egress,
    endpoints: Sequence[Endpoint],
    by: Literal["doctor", "webhook test"],
    timeouts: Timeouts | None = None,
) -> list[Finding]:
    """Post to each, and judge what it answers. `timeouts`: by default those of deliveries."""
    asked = [_asked(_Place(settings, egress, each), each.secrets, by, timeouts) for each in endpoints if each.url]
    findings = await asyncio.gather(*asked, _twilio(settings, egress))
    patterns = [skipped(f"{WEBHOOK}.{each.name}", _PATTERN) for each in endpoints if not each.url]
    return [*_lacking(settings, endpoints), *(finding for finding in findings if finding), *patterns]


async def reach_webhooks(settings: Settings, egress: Egress, endpoints: Sequence[Endpoint]) -> list[Finding]:
    """Whether each is there, without posting to it."""
    places = [_Place(settings, egress, each) for each in endpoints if each.url]
    if settings.bridge_twilio_transcription_url:
        places.append(_twilio_place(settings, egress, settings.bridge_twilio_transcription_url))
    return list(await asyncio.gather(*map(_reach, places)))


class _Place:
    """Where an endpoint is, and how it is called here."""

    def __init__(self, settings: Settings, egress: Egress, endpoint: Endpoint) -> None:
        of_file = endpoint.name != WEBHOOK or not settings.webhook_url
        self.check = WEBHOOK if endpoint.name == WEBHOOK else f"{WEBHOOK}.{endpoint.name}"
        self.setting = f"the url of {endpoint.name} (BRIDGE_ENDPOINTS)" if of_file else "WEBHOOK_URL"
        self.url = endpoint.url or ""
        self.guard = own_guard(settings)
        self._egress = egress

    @property
    def route(self) -> Route:
        """Raises ConfigError."""
        return self._egress.route(self.url)


def _twilio_place(settings: Settings, egress: Egress, url: str) -> _Place:
    place = _Place(settings, egress, Endpoint(TWILIO_NAME, url, ""))
    place.setting = "BRIDGE_TWILIO_TRANSCRIPTION_URL"
    return place


def _lacking(settings: Settings, endpoints: Sequence[Endpoint]) -> list[Finding]:
    """What is said where there is no endpoint, or one to which nothing can be posted."""
    if settings.webhook_url and not settings.webhook_secret:
        return [skipped(WEBHOOK, "nothing is posted without WEBHOOK_SECRET", "set it: every delivery is signed")]
    return [] if endpoints else [skipped(WEBHOOK, "there is no WEBHOOK_URL: events are only kept")]


def _unusable(place: _Place, error: ConfigError) -> Finding:
    """A URL or a secret with which nothing can be posted."""
    found = of_sentence(place.check, Mark.BROKEN, str(error))
    if found.remedy:
        return broken(place.check, found.said, _allowed(found.remedy, urlsplit(place.url).hostname or ""))
    is_secret = "secret" in found.said
    if place.setting == "WEBHOOK_URL":
        return broken(place.check, found.said, typed("WEBHOOK_SECRET" if is_secret else "WEBHOOK_URL"))
    return broken(place.check, found.said, f"correct {'the secret beside ' if is_secret else ''}{place.setting}")


def _allowed(remedy: str, host: str) -> str:
    """The guard's remedy; where the URL has an address in numbers, with the network that would have to be allowed."""
    try:
        network = ip_network(host)
    except ValueError:
        return remedy
    return remedy.replace("its network must stand in BRIDGE_EGRESS_ALLOW", f"BRIDGE_EGRESS_ALLOW={network} must be set")


async def _reach(place: _Place) -> Finding:
    measure = http.certificate if urlsplit(place.url).scheme == "https" else http.connection
    try:
        Poster(place.url, route=place.route, guard=place.guard)  # raises what posting would
        found = await measure(place.url, place.route, guard=place.guard)
    except ConfigError as error:
        return _unusable(place, error)
    return webhook.reach(place.check, place.setting, found, urlsplit(place.url).netloc.rpartition("@")[2], time.time())


async def _asked(
    place: _Place, secrets: str, by: Literal["doctor", "webhook test"], timeouts: Timeouts | None
) -> Finding:
    try:
        posted = await endpoint.post_event(place.url, secrets, place.route, by, place.guard, timeouts)
    except ConfigError as error:
        return _unusable(place, error)
    return await _judged(place, posted)


async def _twilio(settings: Settings, egress: Egress) -> Finding | None:
    url, account, tokens = (
        settings.bridge_twilio_transcription_url,
        settings.twilio_account_sid,
        settings.twilio_auth_tokens,
    )
    if not url or not account or not tokens:
        return None
    place = _twilio_place(settings, egress, url)
    try:
        sign = partial(sign_form, tokens[0], parse_address(url).absolute)
        posted = await endpoint.post_form(url, account, sign, place.route, place.guard)
    except ConfigError as error:
        return _unusable(place, error)
    return await _judged(place, posted)


async def _judged(place: _Place, posted: endpoint.Posted) -> Finding:
    """With the host alone: path and query may hold a token."""
    parts = urlsplit(place.url)
    host, is_secure = parts.netloc.rpartition("@")[2], parts.scheme == "https"
    if not is_secure and may_be_tls(posted[0]) and await http.speaks_tls(place.url, place.route, guard=place.guard):
        return broken(place.check, *speaks_tls(host, place.setting))
    return webhook.judge(place.check, place.setting, *posted, host, secure=is_secure or _is_near(parts.hostname or ""))


def _is_near(host: str) -> bool:
    """Whether it is this machine, or of a private network: a container's name, for one."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))
