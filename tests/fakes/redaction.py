"""Sentences with marked secrets, through the redactor as a call would have it; and how much it took out."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from bridge.recognition import Result, Word
from bridge.redaction.redactor import Redactor
from bridge.redaction.rules import Rules
from bridge.spans import Span

SENTENCES = Path(__file__).parent.parent / "redaction" / "sentences.txt"

_WORD = 2400  # samples
_PAUSE = 1.0  # seconds between finals
_MEANT = {"card": {"card", "cvc", "expiry"}}


def heard(text, start=0, channel=0, *, final=True, **known):
    """A result of a text, 0.3 seconds a word."""
    words = tuple(
        Word(
            re.sub(r"[,.?!;:]+$", "", word).lower(),
            word,
            Span(start + place * _WORD, start + (place + 1) * _WORD),
            0.9,
        )
        for place, word in enumerate(text.split())
    )
    return Result(channel, Span(start, start + _WORD * len(words)), text, 0.9, words, final, **known)


class Secret(NamedTuple):
    """One that is marked in a sentence."""

    kind: str
    channel: int
    words: tuple[Span, ...]


def exchanges():
    """Each as its language, its results, and what in them is secret."""
    for line in SENTENCES.read_text().splitlines():
        if not line.startswith("#"):
            language, _, said = line.partition(" ")
            yield language, *_parsed(said)


def _parsed(said):
    results, secrets, at = [], [], 0
    for part in said.split(" | "):
        channel, text = (1, part[2:]) if part.startswith("> ") else (0, part)
        places = [(match.start() - 0, match) for match in re.finditer(r"\{(\w+):([^}]*)\}", text)]
        result = heard(re.sub(r"\{\w+:([^}]*)\}", r"\1", text), at, channel)
        for _, match in places:
            first = len(re.sub(r"\{\w+:([^}]*)\}", r"\1", text[: match.start()]).split())
            first -= match.start() > 0 and not text[match.start() - 1].isspace()
            spans = tuple(word.span for word in result.words[first : first + len(match[2].split())])
            secrets.append(Secret(match[1], channel, spans))
        results.append(result)
        at = result.span.end + round(_PAUSE * 8000)
    return results, secrets


class Measured(NamedTuple):
    """Over all exchanges."""

    secrets: Counter[str]
    """By kind, how many there are."""
    found: Counter[str]
    """Of these, how many were taken out whole."""
    taken: int
    """How many stretches were taken out."""
    meant: int
    """Of these, how many are a secret, or part of one."""

    def recall(self, *kinds):
        return sum(self.found[kind] for kind in kinds) / sum(self.secrets[kind] for kind in kinds)

    @property
    def precision(self):
        return self.meant / self.taken


def measured(*kinds):
    """What the redactor does with all of them, where these kinds are to be taken out."""
    expected = set().union(*(_MEANT.get(kind, {kind}) for kind in kinds))
    secrets: Counter[str] = Counter()
    found: Counter[str] = Counter()
    taken = meant = 0
    for language, results, marked in exchanges():
        redactor = Redactor(Rules(frozenset(kinds)), language)
        told = [message for result in results for message in redactor.receive(result, result.span.end / 8000)]
        told += redactor.finish()
        finals = [each for each in told if isinstance(each, Result) and each.is_final]
        hidden = [(each.channel, part.span) for each in finals for part in each.redacted]
        wanted = [secret for secret in marked if secret.kind in expected]
        for secret in wanted:
            secrets[secret.kind] += 1
            found[secret.kind] += all(
                any(
                    channel == secret.channel and span.start <= word.start and word.end <= span.end
                    for channel, span in hidden
                )
                for word in secret.words
            )
        taken += len(hidden)
        meant += sum(
            any(
                channel == secret.channel and span.start < word.end and word.start < span.end
                for secret in wanted
                for word in secret.words
            )
            for channel, span in hidden
        )
    return Measured(secrets, found, taken, meant)
