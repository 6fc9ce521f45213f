"""What a peer answered, or why it was not reached: as a sentence, and what to do about it."""

from dataclasses import dataclass

from bridge.failure import Failure


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Of a certificate that is trusted, in seconds since 1970."""

    begins: float
    ends: float

    def is_late(self, now: float, longest: float) -> bool:
        """Whether it should have been renewed by now: everyone does when a third of its life is left. `longest`: the
        seconds before the end from which on that is said of one that lives long; some live for days or hours."""
        return self.ends - now < min(longest, (self.ends - self.begins) / 5)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, as far as it matters here."""

    status: int
    media_type: str = ""
    body: bytes = b""
    """Its beginning."""
    location: str | None = None
    """Scheme and host that a redirect leads to."""
    error_code: str = ""
    """What a tunnel's own server says of itself (`ngrok-error-code`)."""
    skew: float | None = None
    """Seconds by which our clock is ahead of the peer's; None: it does not tell the time."""


_OURS = {
    "certificate expired": "renew it (certbot renew, or see what Caddy says), and reload the proxy",
    "certificate not yet valid": "look at this machine's clock, and at the certificate's first day",
    "self-signed certificate": "get one that everyone trusts (Caddy and certbot do): Twilio takes no other",
    "self-signed certificate in chain": "get one that everyone trusts (Caddy and certbot do): Twilio takes no other",
    "unknown issuer": "have the proxy send the whole chain (fullchain.pem, not cert.pem); Twilio takes no private "
    "authority",
    "hostname mismatch": "get a certificate for that very name, or set PUBLIC_URL to the name that it has",
    "address mismatch": "set PUBLIC_URL to a name instead of an address: a certificate is for names",
}
"""Of a certificate that we are to show: by the detail of the failure."""

_THEIRS = {
    "certificate expired": "renew it there",
    "certificate not yet valid": "look at this machine's clock",
    "self-signed certificate": "give it a certificate that is trusted, or name its own in SSL_CERT_FILE",
    "self-signed certificate in chain": "name its private authority in SSL_CERT_FILE; a proxy that opens TLS has one",
    "unknown issuer": "have it send its whole chain (fullchain.pem), or name its private authority in SSL_CERT_FILE",
    "hostname mismatch": "use the name that its certificate has",
    "address mismatch": "use the name that its certificate has",
}

_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"))
"""OpenSSL's reasons where the other side speaks something else."""


def _plain_scheme(setting: str) -> str:
    return "ws://" if setting in ("DEEPGRAM_URL", "BRIDGE_VOSK_URL") else "http://"


def may_be_tls(outcome: Answer | Failure) -> bool:
    """Whether that may come of a server that waits for TLS, and was spoken to without."""
    return outcome.kind in ("reset", "protocol") if isinstance(outcome, Failure) else outcome.status == 400


def speaks_tls(who: str, setting: str) -> tuple[str, str]:
    """A sentence and a remedy where a URL without TLS leads to a port that speaks nothing else. `who`, `setting`: as
    `unreached` has them."""
    plain = _plain_scheme(setting)
    secure = plain.replace("://", "s://")
    return f"{who} speaks TLS at that port", f"write {secure} in {setting}, in the place of {plain}"


def unreached(why: Failure, who: str, setting: str, *, ours: bool = False) -> tuple[str, str]:
    """A sentence and a remedy. `who`: the host, as it may be shown. `setting`: that names it. `ours`: that is us."""
    told = f" ({why.detail})" if why.detail else ""
    match why.kind:
        case "timeout":
            remedy = f"start it, have its firewall let this machine in, or correct {setting}"
            return f"{who} does not answer in time", remedy
        case "dns":
            record = "add its A or AAAA record" if ours else "see that this machine can look names up"
            return f"there is no host {who}", f"correct {setting}, or {record}: dig +short {who}"
        case "blocked":
            remedy = f"correct {setting}, or name the network of {who} in BRIDGE_EGRESS_ALLOW"
            return f"{who} is at an address that is not dialled{told}", remedy
        case "connect" if why.detail == "ECONNREFUSED":
            start = "start the proxy or the tunnel in front of the bridge" if ours else "start it"
            return f"nothing listens at {who}", f"{start}, open the port, or correct {setting}"
        case "connect":
            return (
                f"there is no way to {who}{told}",
                f"look at this machine's network and firewall, or correct {setting}",
            )
        case "proxy" if why.detail == "status 407":
            return f"the proxy to {who} wants to know who we are (407)", "put user:password into HTTPS_PROXY's URL"
        case "proxy":
            remedy = "look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name the host in NO_PROXY"
            return f"the proxy leads nowhere on the way to {who}{told}", remedy
        case "tls" if why.detail in _NO_TLS:
            other = (
                "let the proxy in front do TLS at that port" if ours else f"write {_plain_scheme(setting)} in {setting}"
            )
            return f"{who} speaks no TLS at that port", f"{other}, or correct the port"
        case "tls":
            known = _OURS if ours else _THEIRS
            remedy = known.get(why.detail or "", f"see what it offers: openssl s_client -connect {_with_port(who)}")
            return f"there is no secure connection to {who}{told}", remedy
        case "reset":
            return (
                f"{who} closes the connection without an answer{told}",
                "look into its log; a firewall may do it, too",
            )
        case "protocol":
            return f"{who} answers with what is no sensible HTTP", f"correct {setting}: another program listens there"


def _with_port(who: str) -> str:
    return who if who.rpartition(":")[2].isdecimal() else f"{who}:443"
