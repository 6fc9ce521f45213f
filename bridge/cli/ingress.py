"""What ngrok and cloudflared say of the tunnels from the internet to this machine. Pure: text and JSON in.

`exposing` asks and starts them. What they say is theirs to change: what cannot be read is no tunnel, and no fault.

    ngrok         its agent's API: https://ngrok.com/docs/agent/api/ (`GET`, `POST`, `DELETE /api/tunnels`), and its
                  log in JSON (`--log=stdout --log-format=json`)
    cloudflared   its metrics server (`GET /quicktunnel`, `GET /config`; metrics/metrics.go in its source), and its log
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bridge.text import plain

_HERE = frozenset(("localhost", "127.0.0.1", "::1", "0.0.0.0", ""))

_LONGEST_REASON = 200  # characters

_QUICK_URL = re.compile(r"https://(?!api\.)[a-z0-9-]+\.trycloudflare\.com\b")
"""`api.trycloudflare.com` is whom cloudflared asks for one."""

_NGROK_REMEDIES = {
    "ERR_NGROK_105": "give it your token: ngrok config add-authtoken TOKEN",
    "ERR_NGROK_107": "give it your token: ngrok config add-authtoken TOKEN",
    "ERR_NGROK_4018": "give it your token: ngrok config add-authtoken TOKEN",
    "ERR_NGROK_108": "another ngrok of your account runs: end it, or start it on this machine",
    "ERR_NGROK_334": "another ngrok has your account's address: end it",
}
"""By its error codes: https://ngrok.com/docs/errors/."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a line of a program's log says of its tunnel, if it does."""

    url: str | None = None
    connected: bool = False
    """It can be reached through its URL."""
    fault: str | None = None
    remedy: str | None = None
    """What its owner can do about it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that makes a tunnel to a local address, `127.0.0.1:8080`."""

    name: str
    command: Callable[[str], Sequence[str]]
    read: Callable[[str], Said]


def ngrok_url(tunnels: Any, port: int) -> str | None:
    """The https URL that a running agent's tunnels have for a port of this machine."""
    for tunnel in _entries(tunnels, "tunnels"):
        config, url = tunnel.get("config"), str(tunnel.get("public_url"))
        if isinstance(config, Mapping) and url.startswith("https://") and leads_to(str(config.get("addr")), port):
            return url
    return None


def cloudflared_url(quick: Any, config: Any, port: int) -> str | None:
    """The same of a running cloudflared: a hostname of its own that it leads there, or that of its quick tunnel."""
    rules = _entries(config.get("config") if isinstance(config, Mapping) else None, "ingress")
    for rule in rules:
        if not rule.get("path") and leads_to(str(rule.get("service")), port):
            hostname = rule.get("hostname") or (quick.get("hostname") if isinstance(quick, Mapping) else None)
            if hostname and "*" not in str(hostname):
                return f"https://{hostname}"
    return None


def leads_to(address: str, port: int) -> bool:
    """Whether an address such as `8080`, `localhost:8080` or `http://127.0.0.1:8080` is this port of this machine."""
    if address.isdecimal():
        return int(address) == port
    try:
        url = urlsplit(address if "://" in address else f"http://{address}")
        return url.scheme == "http" and (url.hostname or "") in _HERE and (url.port or 80) == port
    except ValueError:
        return False


def _read_ngrok(line: str) -> Said:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):  # its last words, each line after ERROR:
        return _ngrok_fault(line.removeprefix("ERROR:")) if line.startswith("ERROR:") else Said()
    if said.get("msg") == "started tunnel" and str(said.get("url")).startswith("https://"):
        return Said(url=str(said["url"]), connected=True)
    error = said.get("err")
    failed = said.get("lvl") in ("eror", "crit") and isinstance(error, str) and error not in ("", "<nil>")
    return _ngrok_fault(str(error)) if failed else Said()


def _ngrok_fault(text: str) -> Said:
    code = re.search(r"ERR_NGROK_\d+", text)
    remedy = _NGROK_REMEDIES.get(code[0], f"see https://ngrok.com/docs/errors/{code[0].lower()}/") if code else None
    return Said(fault=_first_line(text) or None, remedy=remedy)


def _read_cloudflared(line: str) -> Said:
    if url := _QUICK_URL.search(line):
        return Said(url=url[0])
    if "Registered tunnel connection" in line:
        return Said(connected=True)
    if " ERR " in line or line.startswith("failed to "):
        return Said(fault=_first_line(line.rpartition(" ERR ")[2]))
    return Said()


def _first_line(text: str) -> str:
    """Without what follows it: instructions, and the token that was given."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return plain(line[:_LONGEST_REASON].rstrip(". "))  # our own sentence goes on


def _entries(body: Any, name: str) -> Iterator[Mapping[str, Any]]:
    entries = body.get(name) if isinstance(body, Mapping) else None
    yield from (entry for entry in entries if isinstance(entry, Mapping)) if isinstance(entries, list) else ()


NGROK = Program("ngrok", lambda address: ("ngrok", "http", address, "--log=stdout", "--log-format=json"), _read_ngrok)

CLOUDFLARED = Program(
    "cloudflared",
    # With a configuration file of its owner's it would serve that.
    lambda address: (
        *("cloudflared", "tunnel", "--no-autoupdate", "--config", "/dev/null"),
        *("--url", f"http://{address}"),
    ),
    _read_cloudflared,
)

PROGRAMS = (NGROK, CLOUDFLARED)
"""In the order in which they are tried."""
