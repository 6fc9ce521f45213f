"""Our public address: measured one step after the other, since each needs the one before."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from bridge.carriers.twilio import TWILIO
from bridge.config import Settings
from bridge.doctor.finding import Finding, Mark, broken, fine, skipped
from bridge.doctor.judging import public
from bridge.doctor.judging.network import may_be_tls, speaks_tls
from bridge.doctor.measuring import http
from bridge.egress import Egress
from twiml.signature import SIGNATURE_HEADER, sign_url

CHECK = "public_url"


async def examine_public_url(
    settings: Settings, egress: Egress, wall: Callable[[], float], *, local: bool = False
) -> list[Finding]:
    """Its name, its certificate, `/healthz` there, and a media socket. `wall`: seconds since 1970. `local`: it may be
    this machine's, and then no carrier comes."""
    url = settings.public_url
    if url is None and local:
        said = "there is no PUBLIC_URL, and no bridge serves here that would be its own"
        return [skipped(CHECK, said, "bridge serve --local")]
    if url is None:
        said = "there is no PUBLIC_URL: Twilio's calls cannot come"
        return [skipped(CHECK, said, "set it to the https origin at which Twilio reaches the bridge")]
    route, parts = egress.route(url), urlsplit(url)
    host, findings = parts.hostname or "", []
    if local and not is_outside(url):
        said = f"{parts.netloc} is this machine's, as --local has it: calls come from bridge call"
        findings.append(fine(public.DNS, said))
    elif route.proxy is None:  # otherwise the proxy looks it up
        findings.append(public.name(await http.addresses(host), host))
    if parts.scheme == "https" and not _is_broken(findings):
        findings.append(public.certificate(await http.certificate(url, route), parts.netloc, wall()))
    if _is_broken(findings):
        return [*findings, skipped(CHECK, "the rest of it was not tried")]
    tokens = settings.twilio_auth_tokens if settings.twilio_signature != "off" else ()
    socket = url.replace("http", "ws", 1) + TWILIO.path
    signature = {SIGNATURE_HEADER: sign_url(tokens[0], socket)} if tokens else {}
    answer, status = await asyncio.gather(
        http.ask(f"{url}/healthz", route),
        http.upgrade(socket, route, signature),
    )
    health = public.health(answer, parts.netloc, settings.port)
    if parts.scheme == "http" and may_be_tls(answer) and await http.speaks_tls(url, route):
        health = broken(public.HEALTH, *speaks_tls(parts.netloc, "PUBLIC_URL"))
    findings.append(health)
    if health.mark is not Mark.BROKEN:  # else it is told twice
        findings.append(public.media(status, parts.netloc, signed=bool(tokens)))
    return findings


def _is_broken(findings: list[Finding]) -> bool:
    return any(finding.mark is Mark.BROKEN for finding in findings)


def is_outside(url: str | None) -> bool:
    """Whether a public address is to be reached from elsewhere, and not only on this machine."""
    return bool(url) and urlsplit(url or "").hostname not in ("localhost", "127.0.0.1", "::1")
