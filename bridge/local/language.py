"""The small language model of telephone talk: from `vocabulary.txt` to what PocketSphinx reads.

Pure text work; the file says how it is written. PocketSphinx' own `ArpaBoLM` makes the model, and the pronunciations
come from the dictionary in its wheel, cut down to the words that can be said.
"""

import functools
import io
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

VOCABULARY = Path(__file__).with_name("vocabulary.txt")

_DISCOUNT = 0.5  # probability mass for what was never seen: new sentences are what the model is for


@functools.cache
def turns() -> tuple[str, ...]:
    """Every turn of the vocabulary, its slots filled."""
    choices: dict[str, list[str]] = {}
    found: list[str] = []
    for line in VOCABULARY.read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if match := re.match(r"(\w+): (.*)", line):
            choices[match[1]] = match[2].split(", ")
        else:
            found += _filled(line.strip(), choices, len(found))
    return tuple(found)


def _filled(turn: str, choices: Mapping[str, list[str]], place: int) -> Iterator[str]:
    """The turn once for every choice of its longest slot, the others walking through theirs at another pace."""
    slots = re.findall(r"\{(\w+)\}", turn)
    for index in range(max((len(choices[slot]) for slot in slots), default=1)):
        position = count()

        def fill(match: re.Match[str], index: int = index, position: Iterator[int] = position) -> str:
            options = choices[match[1]]
            return options[(index + next(position) * (place + index // 3)) % len(options)]

        yield re.sub(r"\{(\w+)\}", fill, turn)


def spoken(text: str) -> list[str]:
    """The bare words of a text."""
    return re.sub(r"[^a-z' ]+", " ", text.lower()).split()


@functools.cache
def spelling() -> dict[str, str]:
    """Words that are written with a capital wherever they stand."""
    capitals: dict[str, str] = {}
    for turn in turns():
        for sentence in sentences(turn):
            for word in re.findall(r"[A-Za-z']+", sentence)[1:]:
                if word[0].isupper():
                    capitals[word.lower()] = word
    return capitals


@functools.cache
def model() -> str:
    """The language model, in ARPA's format."""
    from pocketsphinx.lm import ArpaBoLM

    lines = []
    for turn in turns():
        parts = sentences(turn)
        lines.append(turn)
        lines += parts if len(parts) > 1 else []
    text = "\n".join(" ".join(spoken(line)) for line in lines)
    built = ArpaBoLM(text=text, add_start=True, discount_mass=_DISCOUNT)
    built.compute()
    output = io.StringIO()
    built.write(output)
    return output.getvalue()


@functools.cache
def dictionary() -> str:
    """The pronunciations of the words in the model."""
    from pocketsphinx import get_model_path

    wanted = {word for turn in turns() for word in spoken(turn)}
    lines = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if re.sub(r"\(\d+\)$", "", line.partition(" ")[0]) in wanted)


def sentences(turn: str) -> list[str]:
    """A turn, cut behind its full stops and question marks."""
    return re.split(r"(?<=[.?!]) ", turn)
