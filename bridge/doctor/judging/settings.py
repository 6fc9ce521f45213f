"""What to type for a setting that cannot be meant, by the sentence that a start would say of it."""

import re
from collections.abc import Mapping, Sequence

from bridge.doctor.finding import Finding, broken, doubt
from bridge.outbox import TWILIO, WEBHOOK

SETTINGS = "settings"

FILES = ("BRIDGE_ENDPOINTS", "BRIDGE_TOKENS_FILE", "BRIDGE_REDACT_PATTERNS")
"""Settings that name a file in which something may be wrong."""

_NAME = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b(?:HOST|PORT)\b")
_MEANT = re.compile(
    r"(?P<wrong>[\w-]+)(?: is no setting of the bridge| is unknown)?(?: \(|: )did you mean (?P<right>[\w.-]+)\?"
)
_LANGUAGE = re.compile(r"(?P<option>language\w*) is not a code of ISO 639 \(did you mean (?P<right>[\w-]+)\?\)")
_UNKNOWN = re.compile(r"unknown setting (\S+)$")
_LINE = re.compile(r"\bline \d+\b")
_TABLE = re.compile(r"\b(?:endpoint|the token) (?:number )?[\w-]+|\[\[token\]\] number \d+")
_PLACE = re.compile(r"endpoint ([\w-]+): ")

_TYPED = {
    "DEEPGRAM_API_KEY": "export DEEPGRAM_API_KEY=…, from console.deepgram.com (API Keys); without one there is "
    "bridge serve --local, and bridge doctor --local",
    "TWILIO_AUTH_TOKEN": "export TWILIO_AUTH_TOKEN=…, from the first page of Twilio's console",
    "TWILIO_ACCOUNT_SID": "export TWILIO_ACCOUNT_SID=AC…, from the first page of Twilio's console",
    "PUBLIC_URL": "export PUBLIC_URL=https://…, the origin at which Twilio reaches the bridge",
    "WEBHOOK_URL": "export WEBHOOK_URL=https://…, where events are to be posted",
    "WEBHOOK_SECRET": "export WEBHOOK_SECRET=whsec_$(openssl rand -base64 32), and give it to the receiver too",
    "DATA_DIR": "set DATA_DIR to a folder that this user can write",
}
"""Of settings that have no default that would do."""


def names(sentence: str) -> Sequence[str]:
    """The settings that a sentence names."""
    return _NAME.findall(sentence)


def fault(sentence: str, files: Mapping[str, str], webhook: str = "WEBHOOK_URL") -> Finding:
    """What stops a start. `files`: the path of each file, by the setting that names it. `webhook`: where the URL of the
    endpoint of that name is set."""
    said, _, more = sentence.partition("; ")
    own = more if names(more) else ""  # what else follows a semicolon explains
    if meant := _LANGUAGE.search(said):
        return broken(SETTINGS, said, f"write {meant['option']}={meant['right']} in DEEPGRAM_OPTIONS")
    if meant := _MEANT.search(said):
        return broken(SETTINGS, said, f"rename {meant['wrong']} to {meant['right']}")
    if unknown := _UNKNOWN.search(said):
        return broken(SETTINGS, said, f"unset {unknown[1]}: bridge/docs/settings.md lists all that there are")
    if place := _PLACE.match(said):
        settings = {WEBHOOK: webhook, TWILIO: "BRIDGE_TWILIO_TRANSCRIPTION_URL"}
        where = settings.get(place[1], f"the url of {place[1]} in the file of BRIDGE_ENDPOINTS")
        return broken(SETTINGS, said, f"correct {where}: {more}" if more else f"correct {where}")
    name = next(iter(names(said)), "")
    if name in files:
        return broken(SETTINGS, sentence, own or _of_file(name, files[name], said))
    if own:
        return broken(SETTINGS, said, own)
    if name in _TYPED:
        return broken(SETTINGS, sentence, _TYPED[name])
    default = ", or unset it for its default" if said.startswith(f"{name}: ") else ""
    return broken(SETTINGS, sentence, f"correct {name or 'it'}{default}")


def useless(sentence: str) -> Finding:
    """What does nothing, or may not work."""
    if sentence.startswith("DEEPGRAM_OPTIONS: "):
        return doubt(SETTINGS, sentence, "correct DEEPGRAM_OPTIONS, unless it is meant so")
    said, _, own = sentence.partition("; ")
    return doubt(SETTINGS, said, own or f"unset {next(iter(names(said)), 'it')}, or set what it needs")


def typed(name: str) -> str:
    """What to type for a setting."""
    return _TYPED.get(name, f"correct {name}")


def _of_file(name: str, path: str, said: str) -> str:
    place = _LINE.search(said) or _TABLE.search(said.partition(": ")[2])
    if "cannot be read" in said or name == "SSL_CERT_FILE":
        return f"set {name} to a file that can be read, or unset {name}: now it is {path}"
    return f"mend {f'{place[0]} of ' if place else ''}{path}, or unset {name}"
