"""Invented conversations, the same for the same seed: turns, pauses, hesitations, "yes yes" and talk-over.

For tests and benchmarks: the words mean nothing, their times are what telephone talk looks like.
"""

import random
from dataclasses import dataclass

from bridge.local.script.format import Script, ScriptWord

_COMMON = """
a about account address again agent all and appointment are bill booking call can card change could day do
eight email five four friday from good have hello help how i in is it just last let like line look me minute
monday morning much my name new nine not number of okay on one order pay phone please problem right see send
seven six sorry take thank that the there think three time today tomorrow two we week what when will with you
your zero
"""
VOCABULARY = _COMMON.split()

ECHOES = ("yes", "no", "okay", "right", "sure", "mhm")
"""What people say twice."""


@dataclass(slots=True)
class _Turn:
    """One speaker's turn while it is written; times are milliseconds."""

    words: list[ScriptWord]
    at: int


def random_script(
    seed: int, seconds: float, channels: int = 2, *, repetition: float = 0.1, talk_over: float = 0.25
) -> Script:
    """A conversation that ends before `seconds`, word times whole milliseconds.

    `repetition` is the chance that a sentence begins with one word said twice; `talk_over` the chance that a
    speaker begins before the other has finished.
    """
    chance = random.Random(seed)
    limit = int(seconds * 1000)
    lanes: list[list[ScriptWord]] = [[] for _ in range(channels)]
    at, speaker = chance.randrange(200, 800), chance.randrange(channels)
    while at < limit:
        lane = lanes[speaker]
        # Talk-over may reach back into the other's turn, never into one's own.
        at = max(at, lane[-1].end_ms + 120 if lane else 0)
        turn = _turn(chance, at, repetition)
        lane += [word for word in turn.words if word.end_ms <= limit]
        at = turn.at + chance.randrange(150, 1500)
        if channels > 1 and chance.random() < talk_over:
            at = turn.at - chance.randrange(100, 1200)
        speaker = (speaker + chance.randrange(1, channels)) % channels if channels > 1 else speaker
    return Script(channels=tuple(tuple(lane) for lane in lanes))


def _turn(chance: random.Random, at: int, repetition: float) -> _Turn:
    """One to three sentences, a breath between them."""
    turn = _Turn([], at)
    for _ in range(chance.choice((1, 1, 2, 3))):
        said = [chance.choice(ECHOES)] * 2 if chance.random() < repetition else []
        said += chance.choices(VOCABULARY, k=chance.randrange(2, 11))
        for place, word in enumerate(said):
            _say(turn, chance, word, first=place == 0, last=place == len(said) - 1)
        turn.at += chance.randrange(80, 900)
    return turn


def _say(turn: _Turn, chance: random.Random, word: str, *, first: bool, last: bool) -> None:
    """One word, its length by its letters, and now and then a small gap before the next."""
    length = 90 + 45 * len(word) + chance.randrange(120)
    text = word.capitalize() if first or word == "i" else word
    turn.words.append(
        ScriptWord(
            word=word,
            text=f"{text}." if last else text,
            start=turn.at / 1000,
            end=(turn.at + length) / 1000,
        )
    )
    turn.at += length + (chance.randrange(10, 250) if chance.random() < 0.3 else 0)
