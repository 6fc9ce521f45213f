"""What an endpoint made of a test event: the likely fault, and who mends it."""

from bridge.doctor.finding import Finding, broken, doubt, fine
from bridge.doctor.judging.network import Answer, Lifetime, unreached
from bridge.failure import Failure

_SLOW = 5.0
"""Seconds: events of a call wait for the answer to the one before."""

_SOON = 2 * 86_400.0
"""Seconds before the end of a certificate from which on it is told."""

_SECRET = (
    "verify with the same {}, over the body as it came and before it is parsed, by a clock that is right; "
    "let a login or a firewall in front of it pass this path"
)
_TOKEN = "verify with the same TWILIO_AUTH_TOKEN, over the URL that is set here; let a firewall pass this path"


def judge(
    check: str, setting: str, outcome: Answer | Failure, took: float, host: str, *, secure: bool = True
) -> Finding:
    """`setting`: of the endpoint's URL. `took`: seconds. `host`: as it may be shown. `secure`: no stranger can read on
    the way there."""
    if isinstance(outcome, Failure):
        if outcome.kind == "timeout":
            remedy = "answer 2xx first and work afterwards: after 15 s an event counts as not taken, and comes again"
            return broken(check, f"{host} has not answered a test event within {took:.0f} s", remedy)
        return broken(check, *unreached(outcome, host, setting))
    if 200 <= outcome.status < 300:
        return _taken(check, setting, outcome, took, host, secure=secure)
    return broken(check, *_refused(setting, outcome, host))


def reach(check: str, setting: str, found: Lifetime | Failure | None, host: str, now: float) -> Finding:
    """Whether an endpoint is there, without posting to it. `found`: of its certificate; None: it has none, and is
    there. `now`: seconds since 1970."""
    if isinstance(found, Failure):
        return broken(check, *unreached(found, host, setting))
    if found is not None and found.is_late(now, _SOON):
        said = f"the certificate of {host} ends within {int(max(0.0, found.ends - now) // 3600) + 1} hours"
        return doubt(check, said, "have it renewed there: after that nothing is delivered")
    return fine(check, f"{host} is there")


def _taken(check: str, setting: str, outcome: Answer, took: float, host: str, *, secure: bool) -> Finding:
    said = f"{host} took a test event: {outcome.status} in {took:.2f} s"
    if outcome.media_type == "text/html":
        remedy = f"see that {setting} is the endpoint and no page: what is answered 2xx counts as delivered"
        return doubt(check, f"{said}, but answered with a web page", remedy)
    if took > _SLOW:
        return doubt(check, said, "answer first and work afterwards: the events of a call wait for each other")
    if not secure:
        return doubt(check, f"{said}, unencrypted", f"use https:// in {setting}: transcripts can be read on the way")
    return fine(check, said)


def _refused(setting: str, outcome: Answer, host: str) -> tuple[str, str]:
    """The sentence and the remedy."""
    status = outcome.status
    key = _SECRET.format("WEBHOOK_SECRET" if setting == "WEBHOOK_URL" else "secret")
    if setting == "BRIDGE_TWILIO_TRANSCRIPTION_URL":
        key = _TOKEN
    match status:
        case 301 | 302 | 303 | 307 | 308:
            whither = f"to {outcome.location}" if outcome.location and outcome.location != host else "elsewhere"
            at = f", at {outcome.location}" if outcome.location else ""
            remedy = f"set {setting} to where it ends{at} (https://, www., a slash at the end): none is followed"
            return f"{host} redirects {whither} ({status})", remedy
        case 401 | 403:
            return f"{host} refuses the signature, or us ({status})", key
        case 400 | 422:
            remedy = f"answer 2xx to types that it does not know, as to webhook.test; or it is the signature: {key}"
            return f"{host} rejects a test event ({status})", remedy
        case 404:
            return f"there is no such path at {host} (404)", f"correct the path in {setting}, or add it there"
        case 405:
            return f"{host} takes no POST at this path (405)", f"correct the path in {setting}, or take POST there"
        case 410:
            return f"{host} says that the endpoint is gone (410)", f"set {setting} to the new one, or unset it"
        case 413:
            return f"{host} finds a test event too large (413)", "allow bodies of 100 kB there (client_max_body_size)"
        case 415:
            return f"{host} takes no application/json (415)", "take JSON there: a body parser for it may be missing"
        case 429:
            return f"{host} takes no more posts for now (429)", "raise its limit: a call has some events a second"
        case 502 | 503 | 504:
            return f"the proxy at {host} does not reach the endpoint ({status})", "start the endpoint behind it"
        case _ if status >= 500:
            return f"the endpoint at {host} fails ({status})", "look into its log for the same second"
        case _:
            return f"{host} answers with {status}", f"answer 2xx there, or correct {setting}"
