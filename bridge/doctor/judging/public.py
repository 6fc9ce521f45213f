"""Our public address, as it is found from outside in: the name, the certificate, what answers, and an upgrade."""

import json
from ipaddress import ip_address

from bridge.doctor.finding import Finding, broken, doubt, fine
from bridge.doctor.judging.network import Answer, Lifetime, unreached
from bridge.failure import Failure

DNS, TLS, HEALTH, MEDIA = "public_url.dns", "public_url.tls", "public_url.health", "public_url.media"

_SETTING = "PUBLIC_URL"
_DAY = 86_400.0
_SOON = 14 * _DAY
"""Seconds before the end of a certificate of three months from which on it should have been renewed: all do so a month
before."""


def name(found: tuple[str, ...] | Failure, host: str) -> Finding:
    """`found`: the addresses that the name has."""
    if isinstance(found, Failure):
        return broken(DNS, *unreached(found, host, _SETTING, ours=True))
    shown = ", ".join(found[:3])
    if private := [address for address in found if not ip_address(address.partition("%")[0]).is_global]:
        where = f"{host} is" if host == private[0] else f"{host} is {private[0]} here,"
        said = f"{where} an address that no one outside of this network reaches"
        return doubt(DNS, said, "for calls set PUBLIC_URL to a public name, or use a tunnel: bridge serve --tunnel")
    return fine(DNS, f"{host} is {shown}")


def certificate(found: Lifetime | Failure, host: str, now: float) -> Finding:
    """`now`: seconds since 1970."""
    if isinstance(found, Failure):
        return broken(TLS, *unreached(found, host, _SETTING, ours=True))
    days = int((found.ends - now) // _DAY)
    if found.is_late(now, _SOON):
        left = f"in {days} day{'' if days == 1 else 's'}" if days > 0 else "within a day"
        said = f"the certificate of {host} ends {left}"
        return doubt(TLS, said, "renew it now, and see why that did not happen by itself: certbot renew --dry-run")
    left = f"{days} day{'' if days == 1 else 's'}" if days > 0 else "some hours, as long as its kind lives"
    return fine(TLS, f"the certificate of {host} is trusted, and good for {left}")


def health(found: Answer | Failure, host: str, port: int) -> Finding:
    """What `/healthz` answers through the public address. `port`: where the bridge listens."""
    if isinstance(found, Failure):
        return broken(HEALTH, *unreached(found, host, _SETTING, ours=True))
    status, behind = found.status, f"the bridge listens at port {port}"
    if status == 200 and _is_health(found.body):
        return fine(HEALTH, f"the bridge answers at {host}")
    if found.error_code or status == 530:
        code = f" ({found.error_code})" if found.error_code else ""
        return broken(
            HEALTH, f"the tunnel at {host} is not running{code}", "start it, or set PUBLIC_URL to the new one"
        )
    if 300 <= status < 400:
        there = found.location or "another place"
        remedy = f"set PUBLIC_URL={there}, if that is the bridge, and point the number there: bridge number"
        return broken(HEALTH, f"{host} redirects to {there} ({status}), and Twilio's sockets follow nowhere", remedy)
    if status in (502, 503, 504):
        remedy = f"start it (bridge serve), and have the proxy pass everything there: {behind}"
        return broken(HEALTH, f"the proxy at {host} does not reach the bridge ({status})", remedy)
    if status in (401, 403, 407):
        remedy = "let /twiml/ and /media/ through without a login, and without a firewall's puzzle"
        return broken(HEALTH, f"{host} asks who we are ({status}): Twilio has no answer to that", remedy)
    if status == 429:
        remedy = "raise its limit for /twiml/ and /media/: all of Twilio's requests come from few addresses"
        return broken(HEALTH, f"{host} takes no more requests for now (429)", remedy)
    what = "a page" if found.media_type == "text/html" else "something else"
    remedy = f"have the proxy pass / and all below it to the bridge, without changing the path: {behind}"
    return broken(HEALTH, f"another server answers at {host}, with {what} ({status})", remedy)


def media(found: int | Failure, host: str, *, signed: bool) -> Finding:
    """What the upgrade of a media socket was answered with. `signed`: with a signature of ours."""
    if isinstance(found, Failure):
        return broken(MEDIA, *unreached(found, host, _SETTING, ours=True))
    where = f"wss://{host}/media/twilio"
    match found:
        case 101:
            how = "with a signature of ours" if signed else "unsigned, as TWILIO_SIGNATURE=off has it"
            return fine(MEDIA, f"a media socket opens through the proxy, {how}")
        case 401 | 403:
            remedy = (
                "restart the bridge behind it with these settings: it has another TWILIO_AUTH_TOKEN or PUBLIC_URL; or "
                "have the proxy pass X-Twilio-Signature and the path on as they come; if its log says nothing, "
                "a firewall refuses"
            )
            return broken(MEDIA, f"{where} refuses the signature ({found})", remedy)
        case 400 | 426 | 200 | 405 | 501:
            remedy = (
                "have the proxy pass Upgrade and Connection on; nginx: proxy_http_version 1.1; "
                'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; '
                "Cloudflare: turn WebSockets on"
            )
            return broken(MEDIA, f"the proxy at {host} lets no WebSocket through ({found})", remedy)
        case 404:
            remedy = "have the proxy pass /media/ to the bridge, without changing the path"
            return broken(MEDIA, f"there is no /media/twilio at {host} (404)", remedy)
        case 503:
            remedy = "see /readyz there: it is full, stopping, or cannot keep anything"
            return doubt(MEDIA, f"the bridge at {host} takes no more calls now (503)", remedy)
        case _:
            remedy = "look into the proxy's log for the same second"
            return broken(MEDIA, f"the media socket at {host} is answered with {found}", remedy)


def _is_health(body: bytes) -> bool:
    """Whether it is what our `/healthz` says."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("status") == "ok" and isinstance(said.get("calls"), int)
