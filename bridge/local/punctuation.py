"""How heard words are written: with the marks that follow them, in the same company, in texts that are known.

A decoder hears bare words. Its model is made of written turns, so most of what it hears has been seen before, with
commas and question marks; what has not is written without. Pure but for reading those texts.
"""

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from bridge.local import language, sample
from bridge.local.script import load_script

_MARKS = ",.?!"
_SENTENCE_ENDS = ".?!"
_ENDS = ""
"""Stands for the word after a turn's last."""
_SAMPLE = 20
"""How often the sample call counts: it is what most people will hear."""

_Key = tuple[str | None, ...]


class Punctuation:
    """Writes one channel's words, utterance after utterance."""

    def __init__(self) -> None:
        self._before: list[str] = []
        """The last two words that are settled."""
        self._begins = True
        """A sentence begins with the next word."""

    def write(self, words: Sequence[str], *, settled: bool = False, pause: bool = False) -> list[str]:
        """Bare words as they are written.

        `settled`: other words follow them, these stay. `pause`: the speaker has stopped.
        """
        heard = [*self._before, *words]
        begins, texts = self._begins, []
        for place in range(len(self._before), len(heard)):
            word = heard[place]
            is_last = place == len(heard) - 1
            mark = self._mark(heard, place, settled=settled, pause=pause) if settled or not is_last else ""
            text = language.spelling().get(word, word)
            texts.append((text[:1].upper() + text[1:] if begins else text) + mark)
            begins = mark != "" and mark in _SENTENCE_ENDS
        if settled and words:
            self._before, self._begins = heard[-2:], begins
        return texts

    def _mark(self, heard: Sequence[str], place: int, *, settled: bool, pause: bool) -> str:
        """What follows a word; of the last one it is not known what the next will be."""
        following = heard[place + 1] if place + 1 < len(heard) else None
        for key in _keys(heard, place, following):
            if found := _known().get(key):
                return found
        return "." if pause and following is None else ""


def _keys(words: Sequence[str], place: int, following: str | None) -> Iterator[_Key]:
    """A word in its company: first the most of it, then less."""
    before = (None, None, *words[max(0, place - 2) : place])[-2:]
    yield (*before, words[place], following)
    yield (before[1], words[place], following)
    if following is not None:
        yield (words[place], following)


@functools.cache
def _known() -> Mapping[_Key, str]:
    """The mark that mostly follows, by a word in its company; empty for none."""
    counted: defaultdict[_Key, Counter[str]] = defaultdict(Counter)
    channels = [" ".join(word.text for word in channel) for channel in load_script(sample.SCRIPT).channels]
    for turn, times in [*((turn, 1) for turn in language.turns()), *((text, _SAMPLE) for text in channels)]:
        written = [(text.rstrip(_MARKS), text) for text in re.findall(r"\S+", turn.lower())]
        words = [word for word, _ in written]
        for place, (word, text) in enumerate(written):
            following = words[place + 1] if place + 1 < len(words) else _ENDS
            for known in (following, None):
                for key in _keys(words, place, known):
                    counted[key][text[len(word) :][:1]] += times
    return {key: marks.most_common(1)[0][0] for key, marks in counted.items()}
