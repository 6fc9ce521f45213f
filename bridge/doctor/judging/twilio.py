"""What Twilio's account says of itself and of its numbers."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from bridge.doctor.finding import Finding, broken, doubt, fine, skipped
from twiml.number import NumberConfig

ACCOUNT, NUMBER = "twilio", "twilio.number"

_SHOWN = 5
"""Numbers that are named."""


def numbers(held: Sequence[NumberConfig], voice_url: str | None) -> list[Finding]:
    """How the numbers of the account answer. `voice_url`: ours, which they are to have; None: we have no address."""
    if voice_url is None:
        return [skipped(NUMBER, "no number is looked at: without PUBLIC_URL there is no voice URL")]
    if not held:
        return [
            doubt(NUMBER, "the account has no number", "buy one in Twilio's console, or use another account's pair")
        ]
    ours = [each for each in held if _comes(each, voice_url) or _same(each.voice_url, voice_url)]
    findings = [_number(each, voice_url) for each in ours]
    findings += [_astray(each, voice_url) for each in held if each not in ours and _is_astray(each, voice_url)]
    if not findings:
        overridden = sum(1 for each in held if each.obstacle)
        rest = f"; {overridden} of them answer by an application or a trunk" if overridden else ""
        count = f"{len(held)} number{'' if len(held) == 1 else 's'}"
        said = f"none of the account's {count} has the voice URL {voice_url}{rest}"
        free = next((each for each in held if not each.obstacle), None)
        remedy = f"bridge number {free.number}" if free else _detached(held[0])
        findings = [doubt(NUMBER, said, f"{remedy}, or the TwiML of bridge twiml in a TwiML Bin")]
    return findings[:_SHOWN]


def one(number: NumberConfig, voice_url: str | None) -> Finding:
    """How the one that was asked for answers."""
    if voice_url is None and not number.obstacle:
        return skipped(NUMBER, f"{number.number} is there; without PUBLIC_URL there is no voice URL to compare")
    if voice_url is None or number.obstacle or _same(number.voice_url, voice_url):
        return _number(number, voice_url)
    return _astray(number, voice_url)


def _number(number: NumberConfig, voice_url: str | None) -> Finding:
    if voice_url is not None and number.obstacle and _comes(number, voice_url):
        return fine(NUMBER, f"{number.number} calls here, by the TwiML App {number.voice_application_sid}")
    if number.obstacle:
        return broken(NUMBER, number.obstacle.partition(". ")[0], _detached(number))
    return fine(NUMBER, f"{number.number} calls here")


def _detached(number: NumberConfig) -> str:
    """What to do about what Twilio goes by instead of the voice URL."""
    how = (number.obstacle or "").partition(". ")[2].removesuffix(", then try again.")
    return f"{how}, then: bridge number {number.number}"


def _astray(number: NumberConfig, voice_url: str) -> Finding:
    there = urlsplit(number.voice_url)
    shown = f"{there.scheme}://{there.netloc}{there.path}" if there.netloc else "nothing"
    remedy = f"bridge number {number.number}"
    return broken(NUMBER, f"{number.number} answers with {shown}, not with {voice_url}", remedy)


def _is_astray(number: NumberConfig, voice_url: str) -> bool:
    """It leads to our host, and not to the voice webhook there."""
    return urlsplit(number.voice_url).hostname == urlsplit(voice_url).hostname


def _comes(number: NumberConfig, voice_url: str) -> bool:
    """Its calls come here, by its own voice URL or by that of its TwiML App."""
    return _same(number.leads_to, voice_url)


def _same(one: str, other: str) -> bool:
    """As our handler takes them: a slash at the end, and a query, change nothing."""
    return one.partition("?")[0].rstrip("/") == other
