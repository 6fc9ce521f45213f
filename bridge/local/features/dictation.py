"""Spoken punctuation, written as marks: "hello comma period" becomes "hello,.".

Source: https://developers.deepgram.com/docs/dictation, which has the commands, and how line ends are written.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from bridge.local.features.phrases import MARKS, Words, bare, capitalized
from bridge.recognition import Word

_COMMANDS = {
    ("period",): ".",
    ("comma",): ",",
    ("colon",): ":",
    ("question", "mark"): "?",
    ("exclamation", "mark"): "!",
    ("exclamation", "point"): "!",
    ("new", "line"): "<\n>",
    ("new", "paragraph"): "<\n\n>",
}
_BEGINS_A_SENTENCE = (".", "?", "!", "<\n>", "<\n\n>")


def dictated(words: Words) -> Words:
    """The words without the commands among them. A mark belongs to the word before it; what has none before it, and a
    line end, stands alone.
    """
    written: list[Word] = []
    begins = False
    at = 0
    while at < len(words):
        command, length = _command(words[at:])
        if not command:
            written.append(capitalized(words[at]) if begins else words[at])
            begins, at = False, at + 1
            continue
        if written and command in MARKS:
            before = written[-1]
            written[-1] = replace(before, text=before.text.rstrip(MARKS) + command)
        else:
            written.append(replace(words[at], word=command, text=command))
        begins, at = command in _BEGINS_A_SENTENCE, at + length
    return tuple(written)


def _command(words: Sequence[Word]) -> tuple[str, int]:
    """The command that begins here, and how many words it takes."""
    for length in (2, 1):
        said = tuple(bare(word) for word in words[:length])
        if said in _COMMANDS:
            return _COMMANDS[said], length
    return "", 0
