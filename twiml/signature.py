"""X-Twilio-Signature, made and checked: on https webhooks and on the upgrade of a media socket.

Twilio signs base64(HMAC-SHA1(auth token, URL + sorted form fields)); its own library computes that. What the
library's `validate` gets wrong is which spellings of a URL to try: for `wss` it adds port 80, it never tries a trailing
slash, and it breaks IPv6 literals. So the candidates and the comparison are ours. The URL always comes from the
configured public address; the `Host` header is not used.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from urllib.parse import SplitResult, urlsplit

from twilio.request_validator import RequestValidator

SIGNATURE_HEADER = "X-Twilio-Signature"
"""In any case of letters: on an upgrade Twilio writes it in lower case."""

DEFAULT_PORT: Mapping[str, int] = {"https": 443, "wss": 443, "http": 80, "ws": 80}
TWIN: Mapping[str, str] = {"https": "wss", "wss": "https", "http": "ws", "ws": "http"}

Form = Mapping[str, str]
"""A form's fields; one that repeats comes as a multidict, whose `getall` Twilio's library knows to ask."""


def sign_url(auth_token: str, url: str) -> str:
    """The signature of a request without form fields, such as an upgrade."""
    return sign_form(auth_token, url, {})


def sign_form(auth_token: str, url: str, form: Form) -> str:
    """The signature of a form posted to `url`: every field counts, the empty ones too."""
    return str(RequestValidator(auth_token).compute_signature(url, form))


def verify_form(auth_tokens: str | Sequence[str], url: str, form: Form, signature: str | None) -> str | None:
    """Check a webhook. Returns the spelling of `url` that was signed, or None when the signature is not valid.

    `auth_tokens` are all that may be in use: the old and the new one during a rotation, those of subaccounts.
    """
    return _match(auth_tokens, webhook_candidates(url), form, signature)


def verify_upgrade(auth_tokens: str | Sequence[str], url: str, signature: str | None) -> str | None:
    """Check the upgrade of a media socket whose TwiML said `url`. Returns as `verify_form` does."""
    return _match(auth_tokens, upgrade_candidates(url), {}, signature)


def webhook_candidates(url: str) -> tuple[str, ...]:
    """`url`, and `url` with or without its port: Twilio's own library calls the sender inconsistent about it."""
    return _spellings(url, schemes=1, slashes=1)


def upgrade_candidates(url: str) -> tuple[str, ...]:
    """`url` as the TwiML says it, then what Twilio may make of it: with and without a port, a trailing slash, and
    under the https twin of its scheme. Which ones it uses is not documented; most likely the first."""
    return _spellings(url, schemes=2, slashes=2)


def _spellings(url: str, schemes: int, slashes: int) -> tuple[str, ...]:
    parts = urlsplit(url)
    each_scheme = (parts.scheme, TWIN[parts.scheme])[:schemes]
    each_netloc = (parts.netloc, _other_netloc(parts))
    slashed = parts.path.removesuffix("/") if parts.path.endswith("/") else parts.path + "/"
    each_path = (parts.path, slashed)[:slashes]
    spelled = (
        parts._replace(scheme=scheme, netloc=netloc, path=path).geturl()
        for scheme, netloc, path in product(each_scheme, each_netloc, each_path)
    )
    return tuple(dict.fromkeys((url, *spelled)))


def _other_netloc(parts: SplitResult) -> str:
    """Without the port that is there, with the scheme's own where there is none; an IPv6 literal keeps its brackets."""
    if parts.port is None:
        return f"{parts.netloc}:{DEFAULT_PORT[parts.scheme]}"
    return parts.netloc.removesuffix(f":{parts.port}")


def _match(
    auth_tokens: str | Sequence[str], candidates: Iterable[str], form: Form, signature: str | None
) -> str | None:
    if not signature:
        return None
    tokens = (auth_tokens,) if isinstance(auth_tokens, str) else auth_tokens
    try:
        # As octets: compare_digest takes text only if it is ASCII, and a header may hold anything.
        given = signature.encode()
        for auth_token, url in product(filter(None, tokens), candidates):  # an empty token is no secret
            if hmac.compare_digest(sign_form(auth_token, url, form).encode(), given):
                return url
    except UnicodeEncodeError:
        return None  # a header or a URL that is no UTF-8 is nothing Twilio signed
    return None
