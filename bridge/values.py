"""The forms that the text of a setting can have: what is trimmed, and what is refused with what to type instead.

A value comes from a file, a page or a shell, and brings line ends, quotes and blanks along that are not seen. The
functions return the value as it was meant, or raise ValueError; its sentence never has the value, which may be secret.
"""

import re
from urllib.parse import SplitResult, urlsplit

_UNFILLED = re.compile(
    r"\$\{\w+[^}]*\} | \$\(\w[^)]*\) | \{\{[^}]*\}\} | ^\$[A-Z_]\w*(/|$)"
    r"| ^( <[^<>]*> | \.\.\. | … | (?i: change-?me | your[_-][\w-]+ ) )$",
    re.VERBOSE,
)
_WORD = re.compile(r"[!-~]+")
_BREAKS = re.compile(r"[ \t\r\n]+")
_QUOTES = "\"'`"
_SHORTEST_TOKEN = 16  # characters: too many to guess, whatever the number of attempts


def trimmed(text: str) -> str:
    """Without blanks and invisible characters around it, and without the pair of quotes that an env file leaves."""
    text = _bare(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        text = _bare(text[1:-1])
    return text


def _bare(text: str) -> str:
    start, end = 0, len(text)
    while start < end and not _visible(text[start]):
        start += 1
    while end > start and not _visible(text[end - 1]):
        end -= 1
    return text[start:end]


def _visible(character: str) -> bool:
    return character.isprintable() and character != " "


def filled_in(text: str) -> str:
    """A value that is no placeholder."""
    if _UNFILLED.search(text):
        raise ValueError("is a placeholder that nothing has filled in; type the value itself")
    return text


def one_line(text: str) -> str:
    """A value of one line, of characters that can be seen."""
    if not text.isprintable():
        raise ValueError("must be one line without invisible characters; type it again by hand")
    return text


def sentence(text: str) -> str:
    """Text for people: on one line, with single blanks where there are line ends and tabs."""
    return one_line(" ".join(text.split()))


def word(text: str) -> str:
    """A value without blanks."""
    if _BREAKS.search(one_line(text)):
        raise ValueError("must have no blanks")
    return text


def telephone_key(text: str) -> str:
    """A key of a telephone."""
    if not re.fullmatch(r"[0-9*#A-Da-d]", text):
        raise ValueError("must be one key of a telephone: 0 to 9, *, # or A to D")
    return text.upper()


def secrets(text: str) -> str:
    """One or more tokens, with a blank between them."""
    return " ".join(secret(token) for token in _BREAKS.split(text))


def secret(token: str) -> str:
    """One token."""
    if not _WORD.fullmatch(token) or token[0] in _QUOTES or token[-1] in _QUOTES:
        raise ValueError("must be one or more of letters, digits and signs, with one blank between two, without quotes")
    return token


def passwords(text: str) -> str:
    """One or more of `user:password`, with a blank between them; both may be in any script."""
    pairs = _BREAKS.split(text)
    for pair in pairs:
        if not pair.isprintable() or pair[0] in _QUOTES or pair[-1] in _QUOTES or not all(pair.partition(":")[::2]):
            raise ValueError("must be user:password, several with one blank between two, without quotes")
    return " ".join(pairs)


def url(text: str, schemes: tuple[str, ...], what: str) -> SplitResult:
    """The parts of a URL with one of the schemes and a host, and without user and password. `what` it must be."""
    try:
        parts = urlsplit(word(text))
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its words may have the user and the password
        usable = False
    if not usable:
        raise ValueError(f"must be {what}")
    if "@" in parts.netloc:
        raise ValueError("must have no user name and no password in it")
    return parts


def origin(text: str, schemes: tuple[str, ...], what: str) -> str:
    """The origin that a URL is, with nothing after the host and the port."""
    parts = url(text, schemes, what)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"must be {what}: no path and no query")
    return f"{parts.scheme}://{parts.netloc}"


def public_origin(text: str) -> str:
    """Our own origin as the internet sees it; plain http only on this machine, where there is no TLS."""
    what = "an https origin such as https://calls.example.com"
    found = origin(text, ("https", "http"), what)
    if found.startswith("http:") and urlsplit(found).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError(f"must be {what}")
    if "_" in found:
        raise ValueError("must have no underscore in its host: Twilio takes none")
    return found


def socket_origin(text: str) -> str:
    """The origin of a WebSocket server."""
    return origin(text, ("wss", "ws"), "a wss:// or ws:// origin such as wss://api.deepgram.com")


def socket_origins(text: str) -> str:
    """One or more origins of WebSocket servers, each once, with a blank between them."""
    if "," in text:
        raise ValueError("must have blanks between the origins, no commas")
    origins = [socket_origin(one) for one in _BREAKS.split(text)]
    if len(set(origins)) < len(origins):
        raise ValueError("must have no origin twice")
    return " ".join(origins)


def socket_url(text: str) -> str:
    """Where a WebSocket server is, as it was given."""
    what = "a ws:// or wss:// URL such as ws://127.0.0.1:2700"
    if url(text, ("wss", "ws"), what).fragment:
        raise ValueError(f"must be {what}")
    return text


def web_origin(text: str) -> str:
    """The origin of an HTTP server."""
    return origin(text, ("https", "http"), "an https:// or http:// origin such as https://api.twilio.com")


def webhook(text: str) -> str:
    """A URL to post to, as it was given."""
    what = "an https:// or http:// URL such as https://app.example.com/calls"
    if url(text, ("https", "http"), what).fragment:
        raise ValueError("must have no # in it: what follows is never sent")
    return text


def object_store(text: str) -> str:
    """Where an object store is: a bucket, a container or a folder, and what every key begins with."""
    what = "an address such as s3://bucket/prefix, gs://bucket, az://container or file:///mnt/shared"
    if text.startswith("file:"):
        if not re.fullmatch(r"file:///[^/?#][^?#]*", one_line(text)):
            raise ValueError(f"must be {what}, with three slashes before a folder")
        return text
    parts = url(text, ("s3", "gs", "az"), what)
    if parts.query or parts.fragment or parts.port:
        raise ValueError(f"must be {what}: a name and a path; the rest is set in the environment")
    return text


def database(text: str) -> str:
    """Where a PostgreSQL server is, as it was given; it may name several hosts, which is no URL to others."""
    if not one_line(text).startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://, as in postgresql://user:password@host/name")
    return text


def account(text: str) -> str:
    """The SID of an account at Twilio."""
    if not re.fullmatch(r"AC[0-9A-Za-z]+", text):
        raise ValueError("must be the SID of the account, AC and 32 digits and letters; the SK… of a key is none")
    return text


def long_enough(tokens: str) -> str:
    """Tokens of which none can be guessed."""
    if any(len(token) < _SHORTEST_TOKEN for token in tokens.split()):
        raise ValueError(f"each token must have at least {_SHORTEST_TOKEN} characters")
    return tokens
